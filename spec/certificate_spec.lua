-- Development certificates: made by the product, judged by OpenSSL too.

local new_folder = require "new_folder"
local tls = require "spec.tls"

describe("a development certificate", function()
  local folder

  before_each(function()
    folder = new_folder()
  end)

  after_each(function()
    os.execute("rm -r " .. folder)
  end)

  local function make(name)
    local certificate, key = folder .. "/a.crt", folder .. "/a.key"
    return certificate, key, tls.make_certificate(name, certificate, key)
  end

  local function read(path)
    local file = assert(io.open(path))
    local text = file:read "a"
    file:close()
    return text
  end

  local function output(command)
    local pipe = assert(io.popen(command .. " 2>&1"))
    local text = pipe:read "a"
    local ok = pipe:close()
    return text, ok
  end

  it("is PEM, with a key that only its owner may read", function()
    local certificate, key, ok = make "localhost"
    assert.is_true(ok)
    assert.matches("^%-%-%-%-%-BEGIN CERTIFICATE%-", read(certificate))
    assert.matches("^%-%-%-%-%-BEGIN EC %u+ KEY%-", read(key))
    assert.matches("^600\n", (output("stat -c %a " .. key)))
    assert.matches("^644\n", (output("stat -c %a " .. certificate)))
  end)

  it("overwrites nothing", function()
    local certificate, key = make "localhost"
    local before = read(certificate)
    local ok, reason = tls.make_certificate("other", certificate, key)
    assert.is_nil(ok)
    assert.equal("REVERST_ERR_EXISTS", reason)
    assert.equal(before, read(certificate))
    -- one of the two exists: the other is not left behind
    os.remove(key)
    ok, reason = tls.make_certificate("other", certificate, key)
    assert.is_nil(ok)
    assert.equal("REVERST_ERR_EXISTS", reason)
    assert.is_nil(io.open(key))
  end)

  it("says so when a file cannot be written", function()
    local ok, reason = tls.make_certificate("localhost",
      folder .. "/none/a.crt", folder .. "/none/a.key")
    assert.is_nil(ok)
    assert.equal("REVERST_ERR_SYSTEM", reason)
  end)

  it("is not made for what is no name", function()
    for _, name in ipairs { "", "a b", "a/b", "a\nb", ("a"):rep(254) } do
      local _, _, ok = make(name)
      assert.is_nil(ok)
    end
  end)

  it("is for servers, 397 days, and its own authority", function()
    if not output("openssl version"):match "^OpenSSL" then
      return pending "without openssl"
    end
    for name, alternative in pairs {
      ["tunnel.example.com"] = "DNS:tunnel.example.com",
      ["192.0.2.7"] = "IP Address:192.0.2.7",
      ["2001:db8::7"] = "IP Address:2001:DB8:0:0:0:0:0:7",
      [("long."):rep(40) .. "example"] = "DNS:long.long.long",
    } do
      local certificate, key = make(name)
      local text = output("openssl x509 -noout -text -in " .. certificate)
      assert.matches(alternative, text, 1, true)
      assert.matches("TLS Web Server Authentication", text, 1, true)
      assert.matches("CA:TRUE", text, 1, true)
      assert.matches("prime256v1", text, 1, true)
      local day = 24 * 3600
      local within = "openssl x509 -noout -in " .. certificate .. " -checkend "
      assert.is_true(select(2, output(within .. 395 * day)))
      assert.is_falsy(select(2, output(within .. 398 * day)))
      local verified, ok = output("openssl verify -x509_strict -purpose " ..
        "sslserver -CAfile " .. certificate .. " " .. certificate)
      assert.is_true(ok, verified)
      os.remove(certificate)
      os.remove(key)
    end
  end)
end)
