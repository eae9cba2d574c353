-- Which certificates of openssl s_server a fetch takes for a host.

local event = require "spec.event"
local fetch = require "spec.fetch"
local openssl_folder = require "openssl_folder"
local programs = require "programs"

-- certificates NAME.crt with NAME.key; the subject is localhost always
local script = [[
set -e
cd "$1"
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $key -days 3 -keyout ca.key -out ca.crt -subj /CN=ca \
  -addext basicConstraints=critical,CA:TRUE \
  -addext keyUsage=critical,keyCertSign
# sign NAME EXTENSION
sign() {
  openssl req $key -keyout $1.key -out $1.csr -subj /CN=localhost
  echo "$2" >$1.ext
  openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
    -days 3 -sha256 -extfile $1.ext -out $1.crt
}
sign subject ""
sign mail subjectAltName=email:a@b.example
sign other subjectAltName=DNS:other.example
sign upper subjectAltName=DNS:LOCALHOST
sign dot subjectAltName=DNS:localhost.
sign below subjectAltName=DNS:*.localhost
sign star subjectAltName=DNS:*
sign right subjectAltName=DNS:one.*
sign part subjectAltName=DNS:o*.localhost
sign stars subjectAltName=DNS:*.*
sign text subjectAltName=DNS:127.0.0.1
sign number subjectAltName=IP:127.0.0.1
key="-newkey rsa:1024 -nodes"
sign short subjectAltName=DNS:localhost
]]

describe("a certificate", function()
  local folder, loop, fetcher

  lazy_setup(function()
    folder = openssl_folder.make(script)
  end)

  lazy_teardown(function()
    openssl_folder.remove(folder)
  end)

  before_each(function()
    loop = event.loop()
    fetcher = fetch.new(loop, { ca_path = folder and folder .. "/ca.crt" })
  end)

  after_each(function()
    loop:poll()
    fetcher:close()
    loop:wait(function()
      return fetcher:is_closed()
    end)
    programs.end_all()
    loop:dispatch()
    assert.equal(0, loop:live_streams())
    assert.is_true(loop:finish())
  end)

  -- what openssl's own page ends like for who asks this host
  local function ask(name, host, version)
    local server = programs.start { "openssl", "s_server", "-accept",
      "127.0.0.1:0", "-cert", folder .. "/" .. name .. ".crt", "-key",
      folder .. "/" .. name .. ".key", "-cipher", "ALL:@SECLEVEL=0", version,
      "-www", input = true, may_fail = true }
    local port = server:wait_for "^ACCEPT 127%.0%.0%.1:(%d+)"
    local one = assert(fetcher:start {
      url = ("https://%s:%s/"):format(host, port) })
    loop:wait(function()
      return one:is_done()
    end)
    return one:result()
  end

  local function check(sentence, body)
    it(sentence, function()
      if not folder then
        return pending "without openssl"
      end
      for _, version in ipairs { "-tls1_2", "-tls1_3" } do
        body(version)
      end
    end)
  end

  for sentence, case in pairs {
    ["whatever its case"] = { "upper", "localhost" },
    ["with a dot at its end"] = { "dot", "localhost" },
    ["without a dot at its end"] = { "upper", "localhost." },
    ["by a star in place of its first label"] = { "below", "ONE.localhost" },
    ["that is an address"] = { "number", "127.0.0.1" },
  } do
    check("stands for a host " .. sentence, function(version)
      assert.equal(200, ask(case[1], case[2], version).status)
    end)
  end

  local elsewhere = ": the certificate is for other names"

  for sentence, case in pairs {
    ["of other names"] = { "other", "localhost" },
    ["that is in its subject only"] = { "subject", "localhost" },
    ["that is in its subject, with an address of mail"] =
      { "mail", "localhost" },
    ["by a star in place of two labels"] = { "below", "one.two.localhost" },
    ["by a star in place of none"] = { "below", "localhost" },
    ["by a star for everything"] = { "star", "localhost" },
    ["by a star that is not the first label"] = { "right", "one.localhost" },
    ["by a star in a label"] = { "part", "one.localhost" },
    ["by two stars"] = { "stars", "one.localhost" },
    ["that is an address, which it has as a name"] = { "text", "127.0.0.1" },
  } do
    check("does not stand for a host " .. sentence, function(version)
      local result = ask(case[1], case[2], version)
      assert.equal("REVERST_ERR_TLS", result.error)
      assert.truthy(result.message:find(elsewhere, 1, true))
    end)
  end

  check("has no RSA key of less than 2 048 bits", function(version)
    assert.equal("REVERST_ERR_TLS", ask("short", "localhost", version).error)
  end)
end)
