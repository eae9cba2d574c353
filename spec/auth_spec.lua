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

-- of what stands for: printf %s SECRET | sha256sum
local HASH = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

local files = {}

local function write(path, content)
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
end

local function secret_file(content)
  local path = os.tmpname()
  table.insert(files, path)
  write(path, content)
  return path
end

after_each(function()
  for _, path in ipairs(files) do
    os.remove(path)
  end
  files = {}
end)

-- a definite no, with that reason
local function rejects(pattern, strategy, asked)
  local result, reason = strategy(asked)
  assert.is_false(result)
  assert.matches(pattern, reason)
end

-- nobody can tell
local function is_at_a_loss(pattern, strategy, asked)
  local result, reason = strategy(asked)
  assert.is_nil(result)
  assert.matches(pattern, reason)
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
      basic "user:P:SS", basic "user:", basic ":p:ss",
      registration("basic", "!"), registration("basic", nil),
      registration("basic", ""), registration("basic", "dXNlcjpwOnN"),
      registration("bearer", crypto.base64_encode "user:p:ss"),
      registration(nil, nil),
    } do
      rejects(".", strategy, other)
    end
  end)

  it("says which mistake it was, and never the password", function()
    rejects("expected basic credentials", strategy, registration("bearer", "x"))
    rejects("not base64", strategy, registration("basic", "!"))
    rejects("no colon", strategy, basic "user")
    rejects("^wrong username or password$", strategy, basic "user:secret")
  end)

  it("takes every byte as it is", function()
    for _, password in ipairs { "größe", "\1\127\255", "a\nb", " x ", ":" } do
      local other = auth.basic { username = "größe", password = password }
      assert.is_true(other(basic("größe:" .. password)))
      assert.is_false((other(basic("größe:" .. password .. "x"))))
    end
  end)

  it("may have another scheme, in any case", function()
    local custom = auth.basic { username = "u", password = "p",
      scheme = "CusTom" }
    assert.is_true(custom(registration("custom", crypto.base64_encode "u:p")))
    assert.is_false(custom(basic "u:p"))
  end)

  it("reads the password from a file, each time anew", function()
    local path = secret_file " first\n"
    local reading = auth.basic { username = "u", password_path = path }
    assert.is_true(reading(basic "u:first"))
    write(path, "second")
    assert.is_false(reading(basic "u:first"))
    assert.is_true(reading(basic "u:second"))
  end)

  it("accepts nobody while its file is not there, and says so", function()
    local path = secret_file "first"
    local reading = auth.basic { username = "u", password_path = path }
    os.remove(path)
    is_at_a_loss("^auth.basic: password_path: /.*: No such file", reading,
      basic "u:first")
    write(path, " \n")
    is_at_a_loss("it is empty", reading, basic "u:")
    write(path, ("x"):rep(70000))
    is_at_a_loss("larger than 64 KiB", reading, basic "u:")
    write(path, "first")
    assert.is_true(reading(basic "u:first"))
  end)

  it("may know only the hash of the password", function()
    local hashed = auth.basic { username = "u",
      hashed_password = HASH:upper() }
    assert.is_true(hashed(basic "u:secret"))
    rejects("wrong", hashed, basic("u:" .. HASH))
    rejects("wrong", hashed, basic "u:")
    rejects("wrong", hashed, basic "v:secret")
    local path = secret_file(HASH .. "  -\n")
    local reading = auth.basic { username = "u", hashed_password_path = path }
    assert.is_true(reading(basic "u:secret"))
    rejects("wrong", reading, basic "u:other")
    write(path, HASH:sub(2))
    is_at_a_loss("64 hexadecimal digits", reading, basic "u:secret")
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
      registration("bearer", "Secret"), registration("bearer", "secret\0"),
      registration("bearer", ""), registration("bearer", nil),
      registration("basic", "secret"), registration(nil, nil),
    } do
      rejects(".", strategy, other)
    end
  end)

  it("may have another scheme", function()
    local custom = auth.bearer { token = "t", scheme = "Token" }
    assert.is_true(custom(registration("token", "t")))
    rejects("expected a token token", custom, registration("bearer", "t"))
  end)

  it("reads the token from a file", function()
    local path = secret_file "\tsecret\r\n"
    assert.is_true(auth.bearer { token_path = path }(
      registration("bearer", "secret")))
  end)

  it("may know only the hash of the token", function()
    local hashed = auth.bearer { hashed_token = HASH }
    assert.is_true(hashed(registration("bearer", "secret")))
    rejects("wrong token", hashed, registration("bearer", HASH))
    assert.is_true(auth.bearer { hashed_token_path = secret_file(HASH .. "\n") }(
      registration("bearer", "secret")))
  end)
end)

describe("auth.insecure", function()
  it("accepts everyone", function()
    assert.is_true(auth.insecure()(registration(nil, nil)))
  end)
end)

describe("auth.any", function()
  local function counting(result, reason)
    local calls = { count = 0 }
    return function()
      calls.count = calls.count + 1
      return result, reason
    end, calls
  end

  it("asks the members for the scheme", function()
    local any = auth.any {
      auth.basic { username = "u", password = "p" },
      auth.bearer { token = "t" },
      auth.bearer { token = "other" },
    }
    assert.is_true(any(basic "u:p"))
    assert.is_true(any(registration("bearer", "t")))
    assert.is_true(any(registration("bearer", "other")))
    rejects("^wrong username or password$", any, basic "u:x")
    rejects("^wrong token; wrong token$", any, registration("bearer", "x"))
    rejects("^expected basic or bearer credentials$", any,
      registration("custom", "x"))
    rejects("^expected basic or bearer credentials$", any,
      registration(nil, nil))
  end)

  it("asks one after another, until one accepts", function()
    local first, first_calls = counting(false, "no")
    local second, second_calls = counting { name = "blue" }
    local third, third_calls = counting(true)
    assert.same({ name = "blue" },
      auth.any { first, second, third }(registration("x", "y")))
    assert.same({ 1, 1, 0 },
      { first_calls.count, second_calls.count, third_calls.count })
  end)

  it("knows nothing while one of those who do not accept does not", function()
    local function fails()
      error "gone"
    end
    is_at_a_loss("^no; .*gone$", auth.any { counting(false, "no"), fails },
      registration("x", "y"))
    is_at_a_loss("^down; rejected$",
      auth.any { counting(nil, "down"), (counting(false)) }, registration())
    is_at_a_loss("returned nothing", auth.any { (counting(nil)) }, registration())
    is_at_a_loss("returned a number", auth.any { (counting(1)) }, registration())
    assert.is_true(auth.any { fails, (counting(true)) }(registration()))
  end)

  it("may be nested", function()
    local any = auth.any {
      auth.any { auth.basic { username = "u", password = "p" } },
      auth.all { auth.bearer { token = "t" }, function(asked)
        return asked.peer == "192.0.2.1:9", "elsewhere"
      end },
    }
    assert.is_true(any(basic "u:p"))
    assert.is_true(any(registration("bearer", "t")))
    rejects("^expected basic or bearer", any, registration("x", "t"))
    assert.equal("any(any(basic), all(bearer, function))", auth.kind_of(any))
  end)
end)

describe("auth.all", function()
  it("accepts whom each of its members accepts, with their tables", function()
    local all = auth.all {
      auth.bearer { token = "t" },
      function() return { name = "blue", labels = { a = "1", b = "2" } } end,
      function() return { weight = 3, labels = { b = "3" } } end,
    }
    assert.same({ name = "blue", weight = 3, labels = { a = "1", b = "3" } },
      all(registration("bearer", "t")))
    rejects("^wrong token$", all, registration("bearer", "x"))
    rejects("^expected a bearer token$", all, registration("basic", "t"))
    assert.is_true(auth.all { auth.insecure() }(registration()))
  end)

  it("does not take a strategy that was not asked for a yes", function()
    local strategy = setmetatable({}, { __call = function() return false end })
    local function forgetful() return strategy end
    local function careful() return pcall(strategy) end
    is_at_a_loss("true and false", auth.all { careful }, registration())
    is_at_a_loss("true and false", auth.any { careful }, registration())
    is_at_a_loss("was not asked", auth.all { forgetful }, registration())
    is_at_a_loss("was not asked", auth.any { forgetful }, registration())
  end)

  it("rejects when one does, whatever others cannot tell", function()
    local function fails() error "gone" end
    local function no() return false, "no" end
    rejects("^no$", auth.all { fails, no }, registration())
    rejects("^no$", auth.all { no, fails }, registration())
    is_at_a_loss("gone", auth.all { fails, auth.insecure() }, registration())
  end)
end)

describe("auth.external", function()
  local asked, answer
  local before = package.loaded["reverst.http"]

  before_each(function()
    asked = nil
    answer = { { status = 200, headers = {}, body = "" } }
    package.loaded["reverst.http"] = { get = function(url, options)
      asked = { url = url, options = options }
      return table.unpack(answer, 1, 3)
    end }
  end)

  after_each(function()
    package.loaded["reverst.http"] = before
  end)

  local endpoint = "https://auth.test/tunnels?x=1"

  it("asks for the registration's credentials", function()
    local external = auth.external { endpoint = endpoint, timeout = "1500ms",
      headers = { ["x-api-key"] = "k" } }
    assert.is_true(external(registration("bearer", "t0ken")))
    assert.equal(endpoint, asked.url)
    assert.equal(1.5, asked.options.timeout)
    assert.same({
      authorization = "Bearer t0ken", ["x-api-key"] = "k",
      ["x-reverst-tunnel-group"] = "app", ["x-forwarded-for"] = "192.0.2.1",
    }, asked.options.headers)
  end)

  it("asks only for its scheme, which is written as it was given", function()
    local external = auth.external { endpoint = endpoint, scheme = "ApiKey" }
    rejects("expected apikey credentials", external,
      registration("bearer", "x"))
    rejects("expected apikey credentials", external, registration(nil, nil))
    assert.is_nil(asked)
    assert.is_true(external(registration("apikey", "x")))
    assert.equal("ApiKey x", asked.options.headers.authorization)
  end)

  it("may ask for any scheme, as the client wrote it", function()
    local external = auth.external { endpoint = endpoint, scheme = "*" }
    local wanted = registration("custom", "x")
    wanted.metadata.Authorization = " CuStom x"
    wanted.peer = "[2001:db8::1]:9"
    assert.is_true(external(wanted))
    assert.equal("CuStom x", asked.options.headers.authorization)
    assert.equal("2001:db8::1", asked.options.headers["x-forwarded-for"])
    asked = nil
    rejects("expected any credentials", external, registration(nil, nil))
    assert.is_nil(asked)
  end)

  it("may ask at an address", function()
    for _, host in ipairs { "[2001:db8::a]", "[::1]:8080", "127.0.0.1",
      "unix:/run/a:/b:c" } do
      local external = auth.external { endpoint = "http://" .. host .. "/" }
      assert.is_true(external(registration("bearer", "t")))
    end
    assert.error_matches(function()
      auth.external { endpoint = "http://[::1]:x/" }
    end, "its port is not a number")
  end)

  it("never passes on what would be another header", function()
    rejects("malformed", auth.external { endpoint = endpoint },
      registration("bearer", "x\r\nx-admin: 1"))
    rejects("malformed", auth.external { endpoint = endpoint, scheme = "*" },
      registration("be\127arer", "x"))
    assert.is_nil(asked)
  end)

  it("says a definite no to what no header can hold", function()
    local external = auth.external { endpoint = endpoint }
    for _, credentials in ipairs { "", " ", "x ", "x\t", "x\0y", "\127" } do
      rejects("malformed", external, registration("bearer", credentials))
    end
    assert.is_nil(asked)
    answer = { nil, "invalid", "REVERST_ERR_INVALID" }
    rejects("do not fit", external, registration("bearer", ("x"):rep(20000)))
  end)

  it("accepts for 2xx, rejects for 401, 403 and 431, and cannot tell else",
    function()
      local external = auth.external { endpoint = endpoint }
      local token = registration("bearer", "t")
      for _, status in ipairs { 200, 204, 299 } do
        answer = { { status = status } }
        assert.is_true(external(token))
      end
      for _, status in ipairs { 401, 403, 431 } do
        answer = { { status = status } }
        rejects("answered " .. status, external, token)
      end
      for _, status in ipairs { 302, 400, 404, 429, 500, 503 } do
        answer = { { status = status } }
        is_at_a_loss("answered " .. status, external, token)
      end
      answer = { nil, "it took too long", "REVERST_ERR_TIMEOUT" }
      is_at_a_loss("^auth.external: it took too long$", external, token)
    end)
end)

describe("the kind of a strategy", function()
  it("is its name, or function", function()
    assert.same({ "basic", "bearer", "insecure", "function" }, {
      auth.kind_of(auth.basic { username = "u", password = "p" }),
      auth.kind_of(auth.bearer { token = "t" }), auth.kind_of(auth.insecure()),
      auth.kind_of(function() end),
    })
    assert.equal("auth.bearer", tostring(auth.bearer { token = "t" }))
  end)
end)

describe("the fingerprint of a strategy", function()
  local function all_different(strategies)
    local seen = {}
    for i, strategy in ipairs(strategies) do
      local fingerprint = auth.fingerprint(strategy)
      assert.matches("^%x+$", fingerprint)
      assert.is_nil(seen[fingerprint], i)
      seen[fingerprint] = true
    end
  end

  it("is the same for the same, and tells others apart", function()
    local function make()
      return auth.any {
        auth.basic { username = "u", password = "p" },
        auth.external { endpoint = "http://a", headers = { a = "1", b = "2" } },
      }
    end
    assert.equal(auth.fingerprint(make()), auth.fingerprint(make()))
    all_different {
      auth.basic { username = "u", password = "p" },
      auth.basic { username = "u", password = "q" },
      auth.basic { username = "up", password = "p" },
      auth.basic { username = "u", password = "p", scheme = "x" },
      auth.basic { username = "u", hashed_password = HASH },
      auth.bearer { token = "p" },
      auth.bearer { token = HASH }, auth.bearer { hashed_token = HASH },
      auth.external { endpoint = "http://a" },
      auth.external { endpoint = "http://a", scheme = "*" },
      auth.external { endpoint = "http://a", headers = { a = "1" } },
      auth.insecure(),
      auth.any { auth.insecure() }, auth.all { auth.insecure() },
      auth.any { auth.insecure(), auth.insecure() },
    }
  end)

  it("changes with the content of a file", function()
    local path = secret_file "one"
    local before = auth.fingerprint(auth.bearer { token_path = path })
    write(path, "two")
    assert.not_equal(before, auth.fingerprint(auth.bearer { token_path = path }))
    write(path, " one\n")
    assert.equal(before, auth.fingerprint(auth.bearer { token_path = path }))
  end)

  it("is not there for functions, nor for what has one in it", function()
    local function any() return true end
    assert.is_nil(auth.fingerprint(any))
    assert.is_nil(auth.fingerprint(auth.any { auth.insecure(), any }))
    assert.is_nil(auth.fingerprint(auth.all { any }))
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
