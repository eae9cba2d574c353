-- The table of options, and what is made of it: flags, environment, --help.

local arguments = require "reverst.config.arguments"
local check = require "reverst.config.check"
local duration = require "reverst.base.duration"
local options = require "reverst.config.options"
local text = require "reverst.base.text"

local function parse(...)
  return arguments.parse(options.server, { ... })
end

local function values(list, environment)
  return arguments.values(options.server,
    assert(arguments.parse(options.server, list)), function(name)
      return (environment or {})[name]
    end)
end

describe("the table of options", function()
  local tables = { "server", "group", "client", "certificate", "import" }

  it("says for each option all that is needed", function()
    for _, name in ipairs(tables) do
      local seen = {}
      for _, row in ipairs(options[name]) do
        for _, word in ipairs { row.key, row.flag and "--" .. row.flag,
          row.short and "-" .. row.short } do
          assert.is_nil(seen[word], word .. " is there twice")
          seen[word] = true
        end
        assert.is_string(row.help, row.key)
        if name == "server" or name == "group" then
          assert.truthy(row.effect == "live" or row.effect == "restart", row.key)
        end
        if row.flag and row.type ~= "switch" then
          assert.is_string(row.argument, row.key)
        end
      end
    end
  end)

  it("has defaults that pass their own checks", function()
    for _, name in ipairs(tables) do
      for _, row in ipairs(options[name]) do
        if row.default ~= nil then
          local value, message = check.value(row, row.default)
          assert.is_nil(message, row.key)
          assert.not_nil(value, row.key)
        end
      end
    end
  end)

  it("shows each flag and its variable in the help", function()
    local help = arguments.describe(options.server)
    for _, row in ipairs(options.server) do
      local words = { "--" .. (row.flag or ""), row.argument }
      assert.truthy(help:find(table.concat(words, " "), 1, true))
      assert.truthy(help:find(options.variable(row) or "", 1, true))
    end
    assert.matches("REVERST_TUNNEL_ADDRESS, default 127.0.0.1:7171", help)
  end)
end)

describe("flags", function()
  it("may be long or short, their values apart or joined", function()
    for _, list in ipairs {
      { "--server-name", "a.example" }, { "--server-name=a.example" },
      { "-n", "a.example" }, { "-na.example" },
    } do
      assert.same({ ["tunnel.server_name"] = "a.example" },
        values(list))
    end
  end)

  it("may stand behind the arguments", function()
    local parsed = parse("config.lua", "-n", "a.example")
    assert.same({ "config.lua" }, parsed.positional)
    assert.equal("a.example", parsed.given["tunnel.server_name"])
  end)

  it("end at --", function()
    assert.same({ "-n", "--" }, parse("--", "-n", "--").positional)
  end)

  it("that are unknown are all named, with what was meant", function()
    local parsed, problems = parse("--tunel-address", "x", "--nothing-like-it",
      "-q")
    assert.is_nil(parsed)
    assert.same({
      'unknown flag --tunel-address (did you mean "--tunnel-address"?)',
      "unknown flag --nothing-like-it", "unknown flag -q",
    }, problems)
  end)

  it("need their value", function()
    local _, problems = parse "--log"
    assert.same({ "--log: its value is missing: --log LEVEL" }, problems)
  end)

  it("give help whatever else is wrong", function()
    assert.is_true(parse("--nonsense", "-h").help)
  end)

  it("that need no value take none from behind them", function()
    local parsed = arguments.parse(options.client, { "--insecure", "8080" })
    assert.equal("true", parsed.given.insecure)
    assert.same({ "8080" }, parsed.positional)
  end)
end)

describe("the environment", function()
  it("has a variable for each flag", function()
    local given = values({}, {
      REVERST_LOG = "debug",
      REVERST_TUNNEL_ADDRESS = ":1",
      REVERST_HTTP_ADDRESS = "[::1]:2",
      REVERST_SERVER_NAME = "a.example",
      REVERST_PRIVATE_KEY_PATH = "key",
      REVERST_CERTIFICATE_PATH = "certificate",
      REVERST_MAX_IDLE_TIMEOUT = "20s",
      REVERST_KEEP_ALIVE_PERIOD = "off",
      REVERST_DRAIN_TIMEOUT = "5",
    })
    assert.same({
      ["log.level"] = "debug",
      ["tunnel.address"] = ":1",
      ["http.address"] = { "[::1]:2" },
      ["tunnel.server_name"] = "a.example",
      ["tunnel.private_key_path"] = "key",
      ["tunnel.certificate_path"] = "certificate",
      ["tunnel.max_idle_timeout"] = 20000000000,
      ["tunnel.keep_alive_period"] = false,
      drain_timeout = 5000000000,
    }, given)
  end)

  it("gives way to a flag", function()
    assert.equal("info",
      values({ "-l", "info" }, { REVERST_LOG = "debug" })["log.level"])
  end)

  it("counts as not set when it is empty", function()
    assert.same({}, values({}, { REVERST_LOG = "" }))
  end)

  it("is named in what is wrong with it", function()
    local _, problems = values({ "-a", "7171" }, { REVERST_LOG = "inof" })
    assert.same({
      'REVERST_LOG: unknown level "inof" (did you mean "info"?)',
      '-a: expected HOST:PORT, such as "127.0.0.1:7171", got "7171"',
    }, problems)
  end)
end)

describe("a duration", function()
  it("has units, or is a number of seconds", function()
    for written, nanoseconds in pairs {
      ["500ms"] = 5e8, ["30s"] = 3e10, ["1m30s"] = 9e10, ["1m0s"] = 6e10,
      ["1h"] = 3.6e12, ["1.5s"] = 1.5e9, ["1h1m1s1ms"] = 3661001e6,
      ["30"] = 3e10, [30] = 3e10, [0.25] = 2.5e8,
    } do
      assert.equal(math.tointeger(nanoseconds), duration.parse(written),
        tostring(written))
    end
  end)

  it("is refused when it is anything else", function()
    for _, written in ipairs { "", "s", "1x", "-1s", "1s ", " 1s", "1 s",
      "1s1", "1e3s", ".5s", "0s", 0, -1, math.huge, 0 / 0, true, {}, "99999999h",
    } do
      local value, message = duration.parse(written)
      assert.is_nil(value, tostring(written))
      assert.matches("^expected a duration", message)
    end
  end)

  it("can be shown", function()
    assert.same({ "500ms", "30s", "1m30s", "61m1s" }, {
      duration.format(500000000), duration.format(30000000000),
      duration.format(90000000000), duration.format(3661000000000),
    })
  end)
end)

describe("a value", function()
  local function check_all(kind, good, bad)
    local row = { type = kind, default = "127.0.0.1:7171", most = 10,
      example = "function() end" }
    for _, value in ipairs(good) do
      assert.same({ value }, { check.value(row, value) })
    end
    for _, value in ipairs(bad) do
      local checked, message = check.value(row, value)
      assert.is_nil(checked, tostring(value))
      assert.is_string(message)
    end
  end

  it("may be an address to listen on", function()
    check_all("listen",
      { "127.0.0.1:0", ":8181", "[::1]:65535", "[::]:80", "0.0.0.0:80" },
      { "", "8181", "127.0.0.1", "localhost:80", "1.2.3.4:65536", "1.2.3.4:x",
        "256.0.0.1:80", "::1:80", "[::1]", "[host]:80", 8181, "a\0:80" })
  end)

  it("may be an address to listen on by TCP, or a Unix socket", function()
    check_all("door",
      { "127.0.0.1:0", ":8181", "[::1]:65535", "unix:/run/http.sock" },
      { "", "8181", "localhost:80", "unix:", "unix:a\0", 8181,
        "unix:/" .. ("x"):rep(107) })
  end)

  it("may be a host as requests name it", function()
    check_all("authority",
      { "app.example.com", "app.example.com:8080", "127.0.0.1", "[::1]",
        "[::1]:80" },
      { "", "a:", "a:0", "a:x", "::1", "[::1", "user@a", "http://a", "a b", 7,
        "*.a.example" })
  end)

  it("may be several", function()
    local row = { type = "listen", many = true, most = 2, default = ":1" }
    assert.same({ ":1" }, check.value(row, ":1"))
    assert.same({ ":1", ":2" }, check.value(row, { ":1", ":2" }))
    for _, value in ipairs { {}, { ":1", "x" }, { ":1", ":2", ":3" },
      { address = ":1" }, { ":1", n = 1 } } do
      local checked, message = check.value(row, value)
      assert.is_nil(checked)
      assert.is_string(message)
    end
  end)

  it("may be an address to dial", function()
    check_all("dial",
      { "127.0.0.1:7171", "tunnel.example.com:7171", "[::1]:1" },
      { "", ":7171", "example.com", "example.com:0", "https://a:1", "a b:1" })
  end)

  it("may be a local service", function()
    check_all("origin",
      { "8080", ":8080", "localhost:8080", "http://127.0.0.1:80",
        "http://localhost", "https://localhost", "https://[::1]:8443/",
        "unix:/run/app.sock", "[::1]:80" },
      { "", "0", "99999", "localhost", "ftp://a:1", "http://", "https://",
        "https://a/path", "https://user@a", "unix:", "a:b:c" })
  end)

  it("may be a name", function()
    check_all("name", { "localhost", "a.example", "127.0.0.1", "::1", "a_b" },
      { "", "a.example:80", "https://a.example", "a..b", ("x"):rep(64), "a b" })
  end)

  it("may be a group", function()
    check_all("group", { "app", "a.example", "größe", ("x"):rep(255) },
      { "", "a\n", "\255", ("x"):rep(256), 7, " a", "a " })
  end)

  it("may be a count", function()
    check_all("count", { 0, 10 }, { -1, 11, 1.5, "3", true })
  end)

  it("may be a size", function()
    for written, bytes in pairs { ["64KiB"] = 65536, ["10MB"] = 10000000,
      ["1.5GiB"] = 1610612736, ["10mb"] = 10000000, ["512"] = 512, [7] = 7,
      ["7B"] = 7 } do
      assert.equal(bytes, check.value({ type = "size" }, written), written)
    end
    for _, written in ipairs { "", "x", "64 KiB", "64K", "-1", 0, -1, 0 / 0,
      math.huge, "1MiBs", "1e3", true, {}, "0B", "9999999GiB" } do
      local value, message = check.value({ type = "size" }, written)
      assert.is_nil(value, tostring(written))
      assert.matches("^expected a size", message)
    end
    assert.equal("expected at least 1048576 bytes, got \"64KiB\"",
      select(2, check.value({ type = "size", least = 1 << 20 }, "64KiB")))
  end)

  it("may be a socket of the file system", function()
    check_all("control", { "unix:/run/a.sock", "unix:a" },
      { "/run/a.sock", "unix:", ":8181", 7, "unix:/" .. ("x"):rep(107) })
  end)

  it("may be a function, or what can be called", function()
    check_all("hook", { print, setmetatable({}, { __call = print }) },
      { "print", {}, 7, true, false })
  end)

  it("that is secret is never shown", function()
    for _, row in ipairs(options.client) do
      for _, value in ipairs(row.is_secret and { 71777, "a 71777", true } or {})
      do
        local _, message = check.value(row, value)
        assert.is_nil(message and message:find("71777", 1, true), row.key)
      end
    end
    local _, message = check.value(options.group[2], "user:71777")
    assert.matches("got a text$", message)
  end)

  it("names what was meant, or all that could be", function()
    assert.equal('unknown policy "roundrobin" (did you mean "round_robin"?)',
      select(2, check.value({ type = "policy" }, "roundrobin")))
    assert.equal("unknown level 3; expected trace, debug, info, warn, error "
      .. "or off", select(2, check.value(options.server[1], 3)))
  end)
end)

describe("a suggestion", function()
  it("is the nearest, when one is near", function()
    local words = { "username", "password", "token" }
    assert.equal("username", text.nearest("usrname", words))
    assert.equal("username", text.nearest("userName", words))
    assert.equal("token", text.nearest("tokne", words))
    assert.equal("password", text.nearest("pass", words))
    assert.is_nil(text.nearest("certificate", words))
    assert.is_nil(text.nearest("", words))
    assert.is_nil(text.nearest(("x"):rep(100000), words))
  end)
end)

describe("what is printed", function()
  it("cannot move a cursor", function()
    assert.equal('"a\\x1b[2J\\x0a\\xc3\\xa4"', text.quoted "a\27[2J\nä")
  end)
end)
