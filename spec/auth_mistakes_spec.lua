-- What is wrong in a call of reverst.auth is said where it is called, and never
-- with a secret.

local auth = require "reverst.auth"
local crypto = require "reverst.crypto"

local HASH = ("0a"):rep(32)

describe("a mistake in a strategy", function()
  local function message_of(call)
    local ok, message = pcall(call)
    assert.is_false(ok)
    return message
  end

  local function external(endpoint)
    return function() auth.external { endpoint = endpoint } end
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
      ["auth.basic: password: it is empty"] =
        function() auth.basic { username = "u", password = "" } end,
      ["auth.basic: password: it has a byte of value zero"] =
        function() auth.basic { username = "u", password = "a\0b" } end,
      ["auth.basic: username: expected a text"] =
        function() auth.basic { username = 7, password = "p" } end,
      ["auth.basic: unknown field 1"] =
        function() auth.basic { "u", "p" } end,
      ["auth.basic: password and password_path: only one"] = function()
        auth.basic { username = "u", password = "p", password_path = "f" }
      end,
      ["auth.bearer: hashed_token and token: only one"] = function()
        auth.bearer { token = "p", hashed_token = HASH }
      end,
      ["auth.basic: password_path: /none: No such file"] =
        function() auth.basic { username = "u", password_path = "/none" } end,
      ["auth.bearer: token_path: /tmp: Is a directory"] =
        function() auth.bearer { token_path = "/tmp" } end,
      ["auth.bearer: token_path: /dev/null: it is not a regular file"] =
        function() auth.bearer { token_path = "/dev/null" } end,
      ["auth.bearer: token_path: k8s://secret/a/b: secrets of Kubernetes"] =
        function() auth.bearer { token_path = "k8s://secret/a/b" } end,
      ["auth.bearer: hashed_token: expected the 64 .* got 3 char"] =
        function() auth.bearer { hashed_token = "abc" } end,
      ["auth.bearer: scheme: expected one word"] =
        function() auth.bearer { token = "t", scheme = "Bearer t" } end,
      ["auth.bearer: expected a table, got nil"] =
        function() auth.bearer() end,
      ["auth.bearer: expected a table, got a string"] =
        function() auth.bearer "secret" end,
      ["auth.bearer: no token"] = function() auth.bearer {} end,
      ['auth.bearr does not exist %(did you mean "bearer"%?%)'] =
        function() auth.bearr { token = "t" } end,
      ["auth.anything does not exist"] = function() return auth.anything end,
      ["auth.external: no endpoint; write"] =
        function() auth.external {} end,
      ["auth.external: endpoint: a URL begins with http"] =
        external "auth.test/x",
      ["auth.external: endpoint: a URL begins with https?"] =
        external "ftp://auth.test/x",
      ["auth.external: endpoint: user and password in a URL"] =
        external "https://u:p@auth.test/x",
      ["auth.external: endpoint: its port is not a number"] =
        external "https://auth.test:99999/x",
      ["auth.external: endpoint: the URL names no host"] =
        external "https:///x",
      ["auth.external: endpoint: a URL has no white space"] =
        external "https://auth.test/a b",
      ["auth.external: headers: x%-key: expected a text of one line"] =
        function()
          auth.external { endpoint = "http://a", headers = { ["x-key"] = "\1" } }
        end,
      ["auth.external: headers: x%-key: it begins or ends with a blank"] =
        function()
          auth.external { endpoint = "http://a", headers = { ["x-key"] = "k " } }
        end,
      ["auth.bearer: hashed_token: it is the hash of an empty text"] =
        function()
          auth.bearer { hashed_token = crypto.hex(crypto.sha256 ""):upper() }
        end,
      ["auth.external: endpoint: a URL to ask has no part behind"] =
        external "https://auth.test/#a",
      ["auth.external: timeout: expected a duration"] = function()
        auth.external { endpoint = "http://a", timeout = "5 seconds" }
      end,
      ["auth.external: headers: authorization is set by the server"] = function()
        auth.external { endpoint = "http://a",
          headers = { authorization = "x" } }
      end,
      ["auth.external: headers: x%-key: expected a text of one"] = function()
        auth.external { endpoint = "http://a", headers = { ["x-key"] = "a\n" } }
      end,
      ["auth.any: it has no members; write auth.any { auth.basic"] =
        function() auth.any {} end,
      ["auth.any: expected a list"] =
        function() auth.any(auth.insecure()) end,
      ["auth.any: member 2: expected a strategy .*, got a string"] =
        function() auth.any { auth.insecure(), "basic" } end,
      ["auth.any: member 1 is nil"] =
        function() auth.any { nil, auth.insecure() } end,
      ["auth.any: member 1: auth.insecure was not called"] =
        function() auth.any { auth.insecure } end,
      ['auth.all: unknown field "basic"'] =
        function() auth.all { basic = auth.insecure() } end,
      ["auth.all: nobody can satisfy members of different schemes"] = function()
        auth.all { auth.basic { username = "u", password = "p" },
          auth.bearer { token = "t" } }
      end,
      ["auth.basic_credentials: password: expected a text .* got nil"] =
        function() auth.basic_credentials("u", nil) end,
      ["auth.bearer_credentials: token: expected a text .* got a table"] =
        function() auth.bearer_credentials {} end,
    } do
      local message = message_of(call)
      assert.matches(expected, message)
      assert.matches("auth_mistakes_spec.lua:%d+: ", message)
    end
  end)

  it("never shows a secret", function()
    for _, call in ipairs {
      function() auth.basic { username = 71777, password = 71777 } end,
      function() auth.basic { username = "u", password = { "71777" } } end,
      function() auth.bearer "71777" end,
      function() auth.bearer { hashed_token = "71777" } end,
      function() auth.bearer { token = "t", scheme = "Bearer 71777" } end,
      function() auth.bearer { "71777" } end,
      function() auth.any { "71777" } end,
      function() auth.external { endpoint = "https://u:71777@a.test" } end,
      function() auth.external { endpoint = "71777" } end,
      function()
        auth.external { endpoint = "http://a", headers = { k = 71777 } }
      end,
      function() auth.basic_credentials("a:b", "71777") end,
      function() auth.bearer_credentials(71777) end,
    } do
      local _, message = xpcall(call, debug.traceback)
      assert.is_nil(message:find("71777", 1, true))
    end
  end)
end)

describe("credentials", function()
  it("cannot be looked into", function()
    local made = auth.basic_credentials("user", "71777")
    assert.is_nil(next(made))
    assert.equal("credentials", tostring(made))
  end)

  it("are what a client registers with", function()
    local client_settings = require "reverst.client.settings"
    local settings = assert(client_settings.check {
      origin = "8080", credentials = auth.basic_credentials("user", "pass"),
    })
    assert.same({ "user", "pass" }, { settings.username, settings.password })
    settings = assert(client_settings.check {
      origin = "8080", credentials = auth.bearer_credentials "t", scheme = "X",
    })
    assert.same({ "t", "X" }, { settings.token, settings.scheme })
    assert.is_nil(settings.credentials)
    for expected, given in pairs {
      ["^credentials: expected auth.basic_credentials.*got a string$"] =
        { origin = "8080", credentials = "71777" },
      ["^credentials: expected auth.basic_credentials.*got a table$"] =
        { origin = "8080", credentials = { token = "71777" } },
      ["^credentials, or token: only one"] = { origin = "8080", token = "71777",
        credentials = auth.bearer_credentials "t" },
      ["^password: expected a text, got a number$"] =
        { origin = "8080", username = "u", password = 71777 },
    } do
      local none, problems = client_settings.check(given)
      assert.is_nil(none)
      assert.matches(expected, problems[1])
      assert.is_nil(table.concat(problems):find("71777", 1, true))
    end
  end)
end)
