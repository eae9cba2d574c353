-- Who may join a group.

local auth = require "reverst.auth"
local crypto = require "reverst.crypto"

local function registration(scheme, credentials)
  return { group = "app", peer = "192.0.2.1:9", metadata = {}, scheme = scheme,
    credentials = credentials }
end

local function basic(text)
  return registration("basic", crypto.base64_encode(text))
end

local function secret_file(content)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  return path
end

describe("auth.basic", function()
  local strategy = auth.basic { username = "user", password = "p:ss" }

  it("accepts the one user", function()
    assert.is_true(strategy(basic "user:p:ss"))
  end)

  it("rejects everyone else, with a reason", function()
    for _, other in ipairs {
      basic "user:p:s", basic "user:p:sss", basic "User:p:ss", basic "user",
      basic "", basic ":", basic "user:p:ss\0", basic "userp:ss",
      registration("basic", "!"), registration("basic", nil),
      registration("bearer", crypto.base64_encode "user:p:ss"),
      registration(nil, nil),
    } do
      local accepted, reason = strategy(other)
      assert.is_false(accepted)
      assert.is_string(reason)
    end
  end)

  it("may have another scheme", function()
    local custom = auth.basic { username = "u", password = "p",
      scheme = "Custom" }
    assert.is_true(custom(registration("custom", crypto.base64_encode "u:p")))
    assert.is_false(custom(basic "u:p"))
  end)

  it("reads the password from a file, each time anew", function()
    local path = secret_file " first\n"
    local reading = auth.basic { username = "u", password_path = path }
    assert.is_true(reading(basic "u:first"))
    local file = io.open(path, "wb")
    file:write "second"
    file:close()
    assert.is_false(reading(basic "u:first"))
    assert.is_true(reading(basic "u:second"))
    os.remove(path)
    assert.has_error(function() reading(basic "u:second") end)
  end)
end)

describe("auth.bearer", function()
  local strategy = auth.bearer { token = "secret" }

  it("accepts who has the token", function()
    assert.is_true(strategy(registration("bearer", "secret")))
  end)

  it("rejects everyone else", function()
    for _, other in ipairs {
      registration("bearer", "secre"), registration("bearer", "secrets"),
      registration("bearer", ""), registration("bearer", nil),
      registration("basic", "secret"), registration(nil, nil),
    } do
      assert.is_false((strategy(other)))
    end
  end)

  it("reads the token from a file", function()
    local path = secret_file "\tsecret\r\n"
    assert.is_true(auth.bearer { token_path = path }(
      registration("bearer", "secret")))
    os.remove(path)
  end)
end)

describe("auth.insecure", function()
  it("accepts everyone", function()
    assert.is_true(auth.insecure()(registration(nil, nil)))
  end)
end)

describe("a mistake in a strategy", function()
  local function message_of(call)
    local ok, message = pcall(call)
    assert.is_false(ok)
    return message
  end

  it("is an error of the line that made it", function()
    for expected, call in pairs {
      ['auth.basic: unknown field "user" %(did you mean "username"%?%)'] =
        function() auth.basic { user = "u", password = "p" } end,
      ["auth.basic: no username"] =
        function() auth.basic { password = "p" } end,
      ["auth.basic: no password %(os.getenv"] =
        function() auth.basic { username = "u", password = nil } end,
      ["auth.basic: a username cannot have a colon"] =
        function() auth.basic { username = "u:", password = "p" } end,
      ["auth.basic: password: expected a text that is not empty"] =
        function() auth.basic { username = "u", password = "" } end,
      ["auth.basic: username: expected a text"] =
        function() auth.basic { username = 7, password = "p" } end,
      ["auth.basic: password and password_path: only one"] = function()
        auth.basic { username = "u", password = "p", password_path = "f" }
      end,
      ["auth.basic: password_path: /none: No such file"] =
        function() auth.basic { username = "u", password_path = "/none" } end,
      ["auth.bearer: expected a table, got nil"] =
        function() auth.bearer() end,
      ["auth.bearer: expected a table, got a string"] =
        function() auth.bearer "secret" end,
      ["auth.bearer: no token"] = function() auth.bearer {} end,
      ['auth.bearr does not exist %(did you mean "bearer"%?%)'] =
        function() auth.bearr { token = "t" } end,
      ["auth.anything does not exist"] = function() return auth.anything end,
    } do
      local message = message_of(call)
      assert.matches(expected, message)
      assert.matches("auth_spec.lua:%d+: ", message)
    end
  end)
end)

describe("the kind of a strategy", function()
  it("is its name, or function", function()
    assert.same({ "basic", "bearer", "insecure", "function" }, {
      auth.kind_of(auth.basic { username = "u", password = "p" }),
      auth.kind_of(auth.bearer { token = "t" }), auth.kind_of(auth.insecure()),
      auth.kind_of(function() end),
    })
  end)
end)

describe("crypto.equal", function()
  it("compares whole texts", function()
    assert.is_true(crypto.equal("", ""))
    assert.is_true(crypto.equal("a\0b", "a\0b"))
    for _, pair in ipairs { { "a", "b" }, { "a", "" }, { "", "a" },
      { "aa", "a" }, { "a", "aa" }, { "a\0", "a" }, { "abab", "ab" } } do
      assert.is_false(crypto.equal(pair[1], pair[2]))
    end
  end)
end)

describe("base64", function()
  -- RFC 4648, section 10
  local vectors = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v",
    foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
    ["\255\254\253"] = "//79", ["\0"] = "AA==" }

  it("goes both ways", function()
    for plain, encoded in pairs(vectors) do
      assert.equal(encoded, crypto.base64_encode(plain))
      assert.equal(plain, crypto.base64_decode(encoded))
      assert.equal(plain, crypto.base64_decode((encoded:gsub("=", ""))))
    end
  end)

  it("refuses what no encoder makes", function()
    for _, encoded in ipairs { "Z", "Zg=", "Zg===", "Zh==", "Zm9=", "====",
      "=", "Zm 9v", "Zm9v\n", "Zg==Zg==", "Zm9-", "Z\0==" } do
      assert.is_nil(crypto.base64_decode(encoded), encoded)
    end
  end)
end)
