-- TLS contexts: what they are made from, and what is said when it is wrong.

local new_folder = require "new_folder"
local tls = require "spec.tls"

describe("a TLS context", function()
  local folder, certificate, key

  before_each(function()
    folder = new_folder()
    certificate, key = folder .. "/a.crt", folder .. "/a.key"
    assert(tls.make_certificate("localhost", certificate, key))
  end)

  after_each(function()
    os.execute("rm -r " .. folder)
  end)

  local function write(name, text)
    local path = folder .. "/" .. name
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return path
  end

  it("is made from a certificate and its key", function()
    assert.equal("OK", (tls.server(certificate, key)))
  end)

  it("names the certificate file that it cannot use", function()
    for _, path in ipairs { folder .. "/none", write("bad", "no PEM") } do
      local result, log = tls.server(path, key)
      assert.equal("REVERST_ERR_CERTIFICATE", result)
      assert.matches("certificate_unusable path=" .. path, log, 1, true)
    end
  end)

  it("names the key file that it cannot use", function()
    local strange = folder .. "/b.key"
    assert(tls.make_certificate("localhost", folder .. "/b.crt", strange))
    for _, path in ipairs { folder .. "/none", certificate, strange } do
      local result, log = tls.server(certificate, path)
      assert.equal("REVERST_ERR_PRIVATE_KEY", result)
      assert.matches("private_key_unusable path=" .. path, log, 1, true)
    end
  end)

  it("of a client names the file of roots that it cannot use", function()
    assert.equal("OK", (tls.client(certificate)))
    local result, log = tls.client(write("bad", "no PEM"))
    assert.equal("REVERST_ERR_CERTIFICATE", result)
    assert.matches("ca_file_unusable", log, 1, true)
  end)

  it("of a client finds the system's roots", function()
    if not io.open "/etc/ssl/certs/ca-certificates.crt" then
      return pending "without roots on this system"
    end
    assert.equal("OK", (tls.client(nil)))
  end)
end)
