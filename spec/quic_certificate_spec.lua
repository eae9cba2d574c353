-- Handshakes with certificates that others made (openssl).

local openssl_folder = require "openssl_folder"
local scene = require "quic_scene"

local script = [[
set -e
cd "$1"
ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
name="subjectAltName=DNS:localhost"
openssl req -x509 $ec -days 3 -keyout ca.key -out ca.crt -subj /CN=root \
  -addext basicConstraints=critical,CA:TRUE \
  -addext keyUsage=critical,keyCertSign
openssl req -x509 -newkey rsa:2048 -nodes -days 3 -keyout rsa.key \
  -out rsa.crt -subj /CN=localhost -addext $name
# sign NAME ISSUER EXTENSIONS...
sign() {
  name=$1 issuer=$2
  shift 2
  printf '%s\n' "$@" >$name.ext
  openssl req $ec -keyout $name.key -out $name.csr -subj /CN=$name
  openssl x509 -req -in $name.csr -CA $issuer.crt -CAkey $issuer.key \
    -CAcreateserial -days 3 -extfile $name.ext -out $name.crt
}
sign middle ca basicConstraints=critical,CA:TRUE keyUsage=keyCertSign
sign leaf middle extendedKeyUsage=serverAuth \
  subjectAltName=DNS:*.example.com,DNS:localhost
cat leaf.crt middle.crt >chain.crt
sign nameless ca extendedKeyUsage=serverAuth
openssl req $ec -keyout empty.key -out empty.csr -subj /
openssl x509 -req -in empty.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
  -days 3 -extfile nameless.ext -out empty.crt
sign client ca extendedKeyUsage=clientAuth subjectAltName=DNS:localhost
# a leaf that signs must not be believed
sign ordinary ca basicConstraints=critical,CA:FALSE \
  subjectAltName=DNS:localhost
sign forged ordinary subjectAltName=DNS:localhost
cat forged.crt ordinary.crt >forged_chain.crt
printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=db' 'serial=serial' \
  'new_certs_dir=.' 'default_md=sha256' 'policy=p' 'copy_extensions=copy' \
  '[p]' 'commonName=supplied' >ca.cnf
: >db
echo 01 >serial
openssl req $ec -keyout old.key -out old.csr -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost
openssl ca -batch -config ca.cnf -cert ca.crt -keyfile ca.key -in old.csr \
  -out old.crt -startdate 200101000000Z -enddate 200201000000Z -notext
]]

describe("a certificate from elsewhere", function()
  local folder, s

  lazy_setup(function()
    folder = openssl_folder.make(script)
  end)

  lazy_teardown(function()
    scene.clean()
    openssl_folder.remove(folder)
  end)

  after_each(function()
    if s then
      s:free()
      s = nil
    end
  end)

  local function shake(certificate, key, ca, name)
    s = scene.new {
      server = { certificate = folder .. "/" .. certificate,
        key = folder .. "/" .. key },
      connect = { ca = folder .. "/" .. ca, name = name or "localhost" },
    }
    return s:until_handshake()
  end

  local function check(sentence, body)
    it(sentence, function()
      if not folder then
        return pending "without openssl"
      end
      body()
    end)
  end

  check("may have an RSA key", function()
    assert.is_true(shake("rsa.crt", "rsa.key", "rsa.crt"))
  end)

  check("may come with a chain and a wildcard", function()
    assert.is_true(shake("chain.crt", "leaf.key", "ca.crt"))
    s:free()
    assert.is_true(
      shake("chain.crt", "leaf.key", "ca.crt", "one.example.com"))
    s:free()
    assert.is_false(
      shake("chain.crt", "leaf.key", "ca.crt", "one.two.example.com"))
    assert.equal(0x12a, s.world:peer(s.peer).closed.code)
  end)

  check("needs its chain", function()
    assert.is_false(shake("leaf.crt", "leaf.key", "ca.crt"))
    assert.equal(0x130, s.world:peer(s.peer).closed.code)
  end)

  check("may not be too old", function()
    assert.is_false(shake("old.crt", "old.key", "ca.crt"))
    assert.equal(0x12d, s.world:peer(s.peer).closed.code)
  end)

  check("must name the host", function()
    assert.is_false(
      shake("nameless.crt", "nameless.key", "ca.crt", "a.example.com"))
    s:free()
    assert.is_false(shake("nameless.crt", "nameless.key", "ca.crt"))
    for _, name in ipairs { "a.example.com", "localhost", "server",
      "127.0.0.1", "::1" } do
      s:free()
      assert.is_false(shake("empty.crt", "empty.key", "ca.crt", name), name)
    end
  end)

  check("of any kind will do when none is checked", function()
    s = scene.new {
      server = { certificate = folder .. "/empty.crt",
        key = folder .. "/empty.key" },
      connect = { insecure = true },
    }
    assert.is_true(s:until_handshake())
  end)

  check("of a client is not one of a server", function()
    assert.is_false(shake("client.crt", "client.key", "ca.crt"))
  end)

  check("is not believed when an ordinary one signed it", function()
    assert.is_false(shake("forged_chain.crt", "forged.key", "ca.crt"))
  end)
end)
