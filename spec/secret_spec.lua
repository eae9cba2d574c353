-- Secrets that a restarted process derives again.

local new_folder = require "new_folder"
local tls = require "spec.tls"

describe("a secret", function()
  local folder

  before_each(function()
    folder = new_folder()
  end)

  after_each(function()
    os.execute("rm -r " .. folder)
  end)

  local function write(name, content)
    local file = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(content)
    file:close()
    return folder .. "/" .. name
  end

  local function read(name)
    local file = assert(io.open(folder .. "/" .. name, "rb"))
    local content = file:read "a"
    file:close()
    return content
  end

  local function make_key(name)
    local path = folder .. "/" .. name
    assert(tls.make_certificate("localhost", path .. ".crt", path .. ".key"))
    return path .. ".key"
  end

  it("is the same each time, and another for each purpose and file", function()
    local one = write("one", ("a"):rep(32))
    local other = write("other", ("b"):rep(32))
    local secret = assert(tls.secret("file", one, "x"))
    assert.equal(32, #secret)
    assert.equal(secret, tls.secret("file", one, "x"))
    assert.not_equal(secret, tls.secret("file", one, "y"))
    assert.not_equal(secret, tls.secret("file", other, "x"))
  end)

  it("is what RFC 5869 says", function()
    -- by another implementation: HKDF-SHA256, salt "reverst secrets 1",
    -- information "stateless reset", 32 bytes
    local secret = tls.secret("file", write("one", ("a"):rep(32)),
      "stateless reset")
    assert.equal("319dc95921c930e79856fea98b3380e8"
      .. "421e30340b21b2ee967dbab82a5d4f16",
      (secret:gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
      end)))
  end)

  it("takes any bytes, also zeros", function()
    local first = tls.secret("file", write("a", ("\0"):rep(40)), "x")
    local second = tls.secret("file", write("b", ("\0"):rep(39) .. "\1"), "x")
    assert.is_string(first)
    assert.not_equal(first, second)
  end)

  it("needs a file of 32 bytes to 64 KiB, and says so", function()
    for why, path in pairs {
      ["fewer than 32 bytes"] = write("short", ("a"):rep(31)),
      ["larger than 64 KiB"] = write("long", ("a"):rep(65537)),
      ["No such file"] = folder .. "/none",
      ["Is a directory"] = folder,
    } do
      local secret, fault, log = tls.secret("file", path, "x")
      assert.is_nil(secret)
      assert.equal("REVERST_ERR_SECRET", fault)
      assert.matches("secret_unusable path=" .. path, log, 1, true)
      assert.matches(why, log, 1, true)
    end
    assert.is_string(tls.secret("file", write("most", ("a"):rep(65536)), "x"))
  end)

  it("of a private key depends on the key, not on how it is written", function()
    local path = make_key "a"
    local secret = assert(tls.secret("private_key", path, "x"))
    local broken = read "a.key":gsub("\n", "\r\n")
    assert.equal(secret,
      tls.secret("private_key", write("b.key", broken), "x"))
    assert.not_equal(secret, tls.secret("private_key", make_key "c", "x"))
  end)

  it("of a private key needs one", function()
    for _, path in ipairs { folder .. "/none", write("text", "no PEM"),
      write("empty", "") } do
      local secret, fault, log = tls.secret("private_key", path, "x")
      assert.is_nil(secret)
      assert.equal("REVERST_ERR_PRIVATE_KEY", fault)
      assert.matches("private_key_unusable path=" .. path, log, 1, true)
    end
  end)
end)
