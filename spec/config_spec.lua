-- config.lua: a program that returns a table, checked as a whole.

local new_folder = require "new_folder"
local balance = require "reverst.balance"
local config = require "reverst.config"

local folder

local function write(name, content)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(content)
  file:close()
  return folder .. "/" .. name
end

-- loads a file with that content; problems without the folder
local function load(content, overrides, name)
  local path = write(name or "config.lua", content)
  local settings, problems = config.load(path, overrides or {})
  for i, problem in ipairs(problems or {}) do
    problems[i] = problem:gsub(folder:gsub("%p", "%%%0") .. "/", "")
  end
  return settings, problems
end

local tunnel = [[tunnel = { server_name = "a.example",
  certificate_path = "server.crt", private_key_path = "server.key" }]]

local function group(fields)
  return ([[local auth = require "reverst.auth"
return { %s, groups = { app = { %s } } }]]):format(tunnel, fields)
end

local good_group = 'hosts = { "app.example.com" }, '
  .. 'authenticate = auth.basic { username = "user", password = "pass" }'

local function problems_of(content, overrides)
  local settings, problems = load(content, overrides)
  assert.is_nil(settings)
  return problems
end

before_each(function()
  folder = new_folder()
  write("server.crt", "x")
  write("server.key", "x")
end)

after_each(function()
  os.execute("rm -r " .. folder)
end)

describe("a configuration", function()
  it("needs little; the rest has defaults", function()
    local settings = assert(load(group(good_group)))
    assert.equal(1, #settings.groups)
    assert.is_true(settings.groups[1].authenticate {
      scheme = "basic", credentials = "dXNlcjpwYXNz",
    })
    settings.groups[1].authenticate = nil
    assert.equal("round_robin",
      balance.kind_of(settings.groups[1].balance))
    settings.groups[1].balance = nil
    assert.same({
      tunnel = {
        address = "127.0.0.1:7171", server_name = "a.example",
        certificate_path = folder .. "/server.crt",
        private_key_path = folder .. "/server.key",
        max_idle_timeout = 60000000000, keep_alive_period = 30000000000,
        retry_threshold = 1024, registration_timeout = 10000000000,
        max_pending = 16384, max_pending_per_address = 256,
      },
      http = { address = { "127.0.0.1:8181" },
        max_connections_per_address = 1000 },
      memory_budget = 256 << 20, watch = false,
      log = { level = "info", format = "logfmt" },
      drain_timeout = 30000000000, hook_timeout = 30000000000,
      groups = { {
        name = "app", hosts = { "app.example.com" }, reauthenticate = true,
        max_fails = 3, fail_duration = 10000000000,
        retries = 2, response_timeout = false, queue_timeout = 30000000000,
      } },
    }, settings)
  end)

  it("may say everything", function()
    local settings = assert(load [[return {
      tunnel = { address = ":1", server_name = "a.example",
        certificate_path = "server.crt", private_key_path = "server.key",
        max_idle_timeout = "20s", keep_alive_period = false,
        registration_timeout = 3, max_pending = 9, max_pending_per_address = 8 },
      http = { address = { "[::1]:2", ":3", "unix:run/http.sock" },
        default_host = "a.example",
        max_connections = 7, max_connections_per_address = 6 },
      log = { level = "debug" },
      drain_timeout = false, memory_budget = "10MB", watch = true,
      control = "unix:run/control.sock", route = function() end,
      groups = {
        b = { hosts = { "B.example", "c.example." },
          authenticate = function() return true end, balance = "first",
          retries = 0, response_timeout = 1.5, queue_timeout = "1m",
          reauthenticate = false, max_fails = 0, fail_duration = "2s",
          on_request = print, on_response = print, on_tunnel_up = print,
          on_tunnel_down = setmetatable({}, { __call = print }) },
        a = { hosts = { "[::1]", "127.0.0.1" },
          authenticate = require "reverst.auth".insecure() },
      },
    }]])
    assert.is_false(settings.tunnel.keep_alive_period)
    assert.is_false(settings.drain_timeout)
    assert.same({ 3000000000, 9, 8 }, { settings.tunnel.registration_timeout,
      settings.tunnel.max_pending, settings.tunnel.max_pending_per_address })
    assert.same({
      address = { "[::1]:2", ":3", "unix:" .. folder .. "/run/http.sock" },
      default_host = "a.example",
      max_connections = 7, max_connections_per_address = 6,
    }, settings.http)
    assert.same({ 10000000, true, "unix:" .. folder .. "/run/control.sock" },
      { settings.memory_budget, settings.watch, settings.control })
    assert.is_function(settings.route)
    assert.same({ "a", "b" },
      { settings.groups[1].name, settings.groups[2].name })
    local b = settings.groups[2]
    assert.same({ "b.example", "c.example" }, b.hosts)
    assert.same({ 0, 1500000000, 60000000000 },
      { b.retries, b.response_timeout, b.queue_timeout })
    assert.same({ false, 0, 2000000000 },
      { b.reauthenticate, b.max_fails, b.fail_duration })
    assert.equal("first", balance.kind_of(b.balance))
    for _, hook in ipairs { "on_request", "on_response", "on_tunnel_up" } do
      assert.equal(print, b[hook])
    end
    assert.is_table(b.on_tunnel_down)
  end)

  it("gives way to flags and environment, whose paths are as given", function()
    local settings = assert(load(group(good_group), {
      ["tunnel.address"] = ":9", ["tunnel.keep_alive_period"] = false,
      ["tunnel.certificate_path"] = "/dev/null",
    }))
    assert.equal(":9", settings.tunnel.address)
    assert.is_false(settings.tunnel.keep_alive_period)
    assert.equal("/dev/null", settings.tunnel.certificate_path)
  end)

  it("finds the modules that lie beside it", function()
    write("beside.lua", "return 'beside.example'")
    local settings = assert(load(group(
      'hosts = { (require "beside") }, authenticate = auth.insecure()')))
    assert.same({ "beside.example" }, settings.groups[1].hosts)
    package.loaded.beside = nil
    assert.is_nil(package.path:find(folder, 1, true))
  end)
end)

describe("mistakes in a configuration", function()
  it("are told all at once, each with its place and a cure", function()
    assert.same({
      'config.lua: gruops: unknown key (did you mean "groups"?)',
      "config.lua: drain_timeout: expected a duration, such as \"30s\", "
        .. '"1m30s", "500ms", or a number of seconds, got "soon"',
      'config.lua: http.adress: unknown key (did you mean "address"?)',
      'config.lua: http.address: expected HOST:PORT, such as '
        .. '"127.0.0.1:8181", got "8181"',
      "config.lua: log: expected a table, got a string; write log = { level = "
        .. "... }",
      "config.lua: tunnel.keep_alive_period: expected a duration of more than "
        .. "0 and less than ten years, got 0",
      'config.lua: groups["a.b"]: no authenticate (a misspelt name is nil in '
        .. "Lua); write auth.insecure() to accept anyone",
      'config.lua: groups["a.b"].hosts: expected a list; write { "a.example" }',
      'config.lua: groups.api.hots: unknown key (did you mean "hosts"?)',
      'config.lua: groups.api: no hosts; write hosts = { "app.example.com" }',
      'config.lua: groups.api.balance: unknown policy "roundrobin" (did you '
        .. 'mean "round_robin"?)',
      "config.lua: tunnel.server_name: missing; set it here, by --server-name "
        .. "(-n) or by REVERST_SERVER_NAME",
      "config.lua: tunnel.private_key_path: missing; set it here, by "
        .. "--private-key-path (-k) or by REVERST_PRIVATE_KEY_PATH",
      "config.lua: tunnel.certificate_path: missing; set it here, by "
        .. "--certificate-path (-c) or by REVERST_CERTIFICATE_PATH (reverst "
        .. "certificate NAME makes one to try with)",
    }, problems_of [[local auth = require "reverst.auth"
      return {
        tunnel = { keep_alive_period = 0 },
        http = { address = "8181", adress = ":1" },
        log = "info",
        drain_timeout = "soon",
        gruops = {},
        groups = {
          ["a.b"] = { hosts = "a.example", authenticate = nil },
          api = { hots = {}, authenticate = auth.insecure(),
            balance = "roundrobin" },
        },
      }]])
  end)

  it("in one group are found one by one", function()
    for fields, message in pairs {
      ['hosts = {}, authenticate = auth.insecure()'] =
        "groups.app.hosts: it lists none",
      ['hosts = { "a.example:80" }, authenticate = auth.insecure()'] =
        'groups.app.hosts: "a.example:80": leave out the port',
      ['hosts = { "http://a.example" }, authenticate = auth.insecure()'] =
        "is a URL; leave only its host",
      ['hosts = { "a b", 7 }, authenticate = auth.insecure()'] =
        '"a b" is not the name of a host; expected the name of a host, got 7',
      ['hosts = { "a", "A" }, authenticate = auth.insecure()'] =
        'groups.app.hosts: "a" is listed twice',
      ['hosts = { "*.a.example", "*" }, authenticate = auth.insecure()'] = false,
      ['hosts = { "a" }, authenticate = "basic"'] =
        'groups.app.authenticate: expected auth.basic .*, got a text',
      ['hosts = { "a" }, authenticate = true'] = "got true",
      ['hosts = { "a" }, authenticate = {}'] = "got a table",
      ['hosts = { "a" }, authenticate = auth.insecure(), retries = -1'] =
        "groups.app.retries: expected a whole number from 0 to 15, got %-1",
      ['hosts = { "a" }, authenticate = auth.insecure(), queue_timeout = false'] =
        "groups.app.queue_timeout: it cannot be off",
    } do
      local settings, problems = load(group(fields))
      if message then
        assert.equal(1, #problems, fields)
        assert.matches(message, problems[1])
      else
        assert.is_table(settings)
      end
    end
  end)

  it("include two groups that claim one host", function()
    assert.same({ 'config.lua: groups.b.hosts: "x.example" belongs to group '
      .. '"a" already' }, problems_of(([[
      local auth = require "reverst.auth"
      return { %s, groups = {
        a = { hosts = { "x.example" }, authenticate = auth.insecure() },
        b = { hosts = { "X.example" }, authenticate = auth.insecure() },
      } }]]):format(tunnel)))
  end)

  it("include no groups, and groups without a name", function()
    for groups, message in pairs {
      ["{}"] = "groups: none; write groups = ",
      ["nil"] = "groups: none; write groups = ",
      ["7"] = "groups: expected a table, got a number",
      ["{ {} }"] = "groups%[1%]: expected the name of a group, got 1; "
        .. "write groups = { name = { ... } }",
      ["{ app = 1 }"] = "groups.app: expected a table such as .*, got a number",
    } do
      local problems = problems_of(("return { %s, groups = %s }"):format(
        tunnel, groups))
      assert.equal(1, #problems)
      assert.matches(message, problems[1])
    end
  end)

  it("include files that cannot be read", function()
    os.remove(folder .. "/server.key")
    assert.same({ "config.lua: tunnel.private_key_path: server.key: No such "
      .. "file or directory" }, problems_of(group(good_group)))
  end)

  it("are not hidden by flags that win", function()
    assert.same({ 'config.lua: log.level: unknown level "lots"; expected '
      .. "trace, debug, info, warn, error or off" },
      problems_of(group(good_group):gsub("return {",
        'return { log = { level = "lots" },'), { ["log.level"] = "info" }))
  end)

  it("in strategies point to their line", function()
    local problem = problems_of(group('hosts = { "a" },\n'
      .. 'authenticate = auth.basc { username = "u" }'))[1]
    assert.matches("config.lua:4: auth.basc does not exist "
      .. '%(did you mean "basic"%?%)', problem)
  end)
end)

describe("a file that is no configuration", function()
  it("is named when it is not there", function()
    local _, problems = config.load(folder .. "/none.lua", {})
    assert.same({ folder .. "/none.lua: No such file or directory" }, problems)
  end)

  it("is a folder: that is said", function()
    local _, problems = config.load(folder, {})
    assert.matches("Is a directory", problems[1])
  end)

  it("is YAML: that is recognised", function()
    for _, content in ipairs {
      "groups:\n  app:\n    hosts:\n    - a\n",
      "# a comment\n---\ngroups: {}\n",
    } do
      assert.matches("config.lua: this is YAML: run `reverst import .*config.lua`",
        problems_of(content)[1])
    end
    local _, problems = load("- a\n- b\n", {}, "config.yml")
    assert.matches("this is YAML", problems[1])
  end)

  it("has an error of syntax: file and line", function()
    assert.matches("config.lua:2: .*expected", problems_of "return {\n a b }"[1])
  end)

  it("fails while it runs: file, line and traceback", function()
    local problem = problems_of "local function f()\n  return x.y\nend\nf()"[1]
    assert.matches("config.lua:2: attempt to index a nil value", problem)
    assert.matches("stack traceback:\n.*config.lua:4: in main chunk", problem)
  end)

  it("fails with an error that is no text", function()
    assert.matches("the error object is a nil value", problems_of "error()"[1])
    assert.matches("the error object is a table value",
      problems_of "error {}"[1])
  end)

  it("returns no table", function()
    assert.matches("config.lua: it returns nothing .*, expected a table",
      problems_of "local x = 1"[1])
    assert.matches("it returns a number", problems_of "return 7"[1])
  end)

  it("is compiled Lua: that is refused", function()
    assert.matches("attempt to load a binary chunk",
      problems_of(string.dump(function() return {} end))[1])
  end)
end)
