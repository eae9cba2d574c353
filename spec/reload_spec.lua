-- A configuration that changes under a server that runs.

local host = require "host"
local json = require "reverst.json"
local programs = require "programs"

local head = [[
local auth = require "reverst.auth"
local function group(hosts, fields)
  fields = fields or {}
  fields.hosts = hosts
  fields.authenticate = fields.authenticate or auth.insecure()
  return fields
end
]]

describe("a reload", function()
  local server, config

  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  -- config.lua with these groups, and more of its keys
  local function write(groups, keys)
    config = host.write("config.lua", ([[%s
      return { control = "unix:c.sock", %s groups = { %s } }]]):format(head,
      keys or "", groups))
  end

  local function start(groups, keys, ...)
    write(groups, keys)
    server = host.start_server { config, ... }
  end

  -- a reload by command, as the server answers it
  local function reload(groups, keys)
    if groups then
      write(groups, keys)
    end
    local status, output = host.run { "reload", "--json", config }
    local answer = assert(json.decode(output))
    assert.equal(answer.ok and 0 or 1, status)
    return answer
  end

  local function reload_well(...)
    local answer = reload(...)
    assert(answer.ok, table.concat(answer.problems or {}, "\n"))
    return answer
  end

  local function status()
    local _, output = host.run { "status", "--json", config }
    return assert(json.decode(output))
  end

  -- the whole answer to a visitor of a host, from the origin
  local function visit(name, body)
    local asks = host.ask(server, "/", { host = name })
    host.answer(host.accept_request(), body)
    host.await(asks)
    assert.matches(body .. "$", asks:text "output")
  end

  local function is_refused(name, code)
    local asks = host.ask(server, "/", { host = name })
    host.await(asks)
    assert.matches("^HTTP/1.1 " .. code, asks:text "output")
  end

  local function join(...)
    local client = host.start_client(server, { ... })
    server:wait_for_event { event = "tunnel_up" }
    return client
  end

  it("that changes nothing says so, and disturbs nobody", function()
    start [[ app = group { "app.test" } ]]
    join()
    local asks = host.ask(server, "/")
    local request = host.accept_request()
    local answer = reload_well()
    assert.same({ {}, {}, {} },
      { answer.changed, answer.restart, answer.reauthenticate })
    assert.is_true(answer.took > 0 and answer.took < 30)
    server:wait_for_event { event = "reloaded" }
    host.answer(request, "undisturbed")
    host.await(asks)
    assert.matches("undisturbed$", asks:text "output")
    visit("app.test", "as before")
    assert.equal(0, #server:events { event = "tunnel_down" })
  end)

  it("leaves a download on its way, and its tunnel", function()
    start [[ app = group { "app.test" } ]]
    join()
    local asks = host.ask(server, "/")
    local request = host.accept_request()
    request:write "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789"
    host.wait_until(function()
      return asks:text "output":find "0123456789"
    end, "the first half")
    reload_well [[ app = group({ "app.test", "www.test" }, { retries = 0 }),
      other = group { "other.test" } ]]
    request:write "abcdefghij"
    assert.same({ "exit", 0 }, { host.await(asks) })
    assert.matches("0123456789abcdefghij$", asks:text "output")
    assert.equal(0, #server:events { event = "tunnel_down" })
  end)

  it("moves hosts at once, and says what has changed", function()
    start [[ app = group { "app.test", "www.test" } ]]
    join()
    visit("www.test", "before")
    local answer = reload_well [[ app = group { "app.test" },
      other = group { "www.test" } ]]
    assert.same({ "groups.app.hosts", "groups.other: added" }, answer.changed)
    is_refused("www.test", 503)
    join("-g", "other")
    visit("www.test", "from the other")
    visit("app.test", "from the one")
  end)

  it("drains a group that is gone, and lets its requests finish", function()
    start [[ app = group { "app.test" }, old = group { "old.test" } ]]
    join("-g", "old")
    local asks = host.ask(server, "/", { host = "old.test" })
    local request = host.accept_request()
    assert.same({ "groups.old: removed" },
      reload_well([[ app = group { "app.test" } ]]).changed)
    is_refused("old.test", 404)
    local gone = status().groups[2]
    assert.same({ "old", true, 1 }, { gone.name, gone.removed,
      gone.tunnels[1].active })
    host.answer(request, "the last one")
    host.await(asks)
    assert.matches("the last one$", asks:text "output")
    server:wait_for_event { event = "tunnel_down" }
  end)

  it("that finds mistakes tells all of them, and changes nothing", function()
    start [[ app = group { "app.test" } ]]
    join()
    local answer = reload([[ app = group({ "app.test:80" },
      { balance = "round_robbin", nonsense = 1 }), api = {} ]],
      "drain_timeout = {},")
    assert.is_false(answer.ok)
    local all = table.concat(answer.problems, "\n")
    for _, mistake in ipairs { "app.test:80", "round_robbin", "nonsense",
      "groups.api: no hosts", "drain_timeout" } do
      assert.matches(mistake, all, 1, true)
    end
    server:wait_for_events({ event = "reload_failed" }, #answer.problems)
    visit("app.test", "as before")
    assert.equal(0, #server:events { event = "tunnel_down" })
    local told = status()
    assert.is_false(told.last_reload.answer.ok)
    assert.equal(0, told.memory.retired_states)
  end)

  it("survives files that do not even run", function()
    start [[ app = group { "app.test" } ]]
    join()
    for content, problem in pairs {
      ["return {"] = "config.lua:1:",
      ["error 'no way'"] = "no way",
      ["error(setmetatable({}, {}))"] = "table value",
      ["while true do end"] = "it ran too long",
      ["return ('x'):rep(1 << 40)"] = "too large",
      ["local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) .. #t end"] =
        "not enough memory",
      ["return 7"] = "it returns a number",
      ["require 'nobody'"] = 'there is no module "nobody"',
      ["os.exit = nil; return nil"] = "it returns nothing",
      ["require 'reverst.core'.stop(3)"] = "cannot end the program",
    } do
      host.write("config.lua", content)
      server:signal "HUP"
      local event = server:wait_for_event { event = "reload_failed" }
      assert.matches(problem, event.error, 1, true)
    end
    os.remove(config)
    server:signal "HUP"
    assert.matches("No such file",
      server:wait_for_event({ event = "reload_failed" }).error, 1, true)
    visit("app.test", "as ever")
  end)

  it("ends what a bad file had started", function()
    start [[ app = group { "app.test" } ]]
    local other = [[
      local reverst = require "reverst"
      local folder = %q
      reverst.spawn(function() reverst.sleep(1e6) end)
      reverst.client { address = "127.0.0.1:9", group = "app",
        origin = "http://127.0.0.1:1" }
      assert(reverst.server {
        tunnel = { address = "127.0.0.1:0", server_name = "localhost",
          certificate_path = folder .. "server.crt",
          private_key_path = folder .. "server.key" },
        http = { address = "127.0.0.1:0" },
        groups = { app = group { "app.test" } } })
      error "but then"]]
    host.write("config.lua", head .. other:format(host.path ""))
    server:signal "HUP"
    server:wait_for_event { event = "reload_failed" }
    write [[ app = group { "app.test" } ]]
    programs.wait_until(function()
      return status().memory.retired_states == 0
    end, "the bad state to go")
  end)

  it("reads the certificate anew", function()
    start [[ app = group { "app.test" } ]]
    local old = host.path "old.crt"
    os.rename(host.path "server.crt", old)
    os.remove(host.path "server.key")
    host.make_certificate "server"
    assert.same({ "the certificate" }, reload_well().changed)
    host.start_client(server):wait_for "registered"
    -- a bad one is refused as a whole
    host.write("server.crt", "nonsense")
    local answer = reload [[ app = group { "app.test", "www.test" } ]]
    assert.is_false(answer.ok)
    assert.matches("-c: " .. host.path "server.crt" .. ": the certificate",
      answer.problems[1], 1, true)
    assert.same({ "app.test" }, status().groups[1].hosts)
  end)

  it("names what takes a restart, as long as it does", function()
    start [[ app = group { "app.test" } ]]
    for _ = 1, 2 do
      local answer = reload_well([[ app = group { "app.test" } ]],
        'tunnel = { max_idle_timeout = "5m" }, memory_budget = "1GiB",')
      assert.same({ "memory_budget", "tunnel.max_idle_timeout" }, answer.restart)
      server:wait_for_event { event = "restart_needed",
        options = "memory_budget, tunnel.max_idle_timeout" }
    end
    assert.same({}, reload_well([[ app = group { "app.test" } ]]).restart)
  end)

  it("takes another level of the log at once", function()
    start([[ app = group { "app.test" } ]])
    reload_well([[ app = group { "app.test" } ]], 'log = { level = "debug" },')
    assert.same({ "log.level" }, reload_well([[ app = group { "app.test" } ]],
      'log = { level = "info" },').changed)
    server:wait_for_event { event = "reloaded" }
  end)

  it("waits with another one that comes meanwhile", function()
    start [[ app = group { "app.test" } ]]
    local connections = {}
    for i = 1, 10 do
      connections[i] = programs.connect(host.path "c.sock")
    end
    for _, connection in ipairs(connections) do
      connection:write '{"command":"reload"}\n{"command":"reload"}\n'
    end
    for _, connection in ipairs(connections) do
      connection:wait_for '"ok":true'
      connection:wait_for '"ok":true'
    end
    local told = status()
    assert.is_true(told.reloads >= 2 and told.reloads <= 20)
    assert.equal(0, told.memory.retired_states)
  end)

  it("goes on when the server drains right after it", function()
    start [[ app = group { "app.test" } ]]
    join()
    local asks = host.ask(server, "/")
    local request = host.accept_request()
    server:signal "HUP"
    server:signal "TERM"
    server:wait_for_event { event = "draining" }
    host.answer(request, "the last one")
    host.await(asks)
    assert.matches("the last one$", asks:text "output")
    assert.same({ "exit", 0 }, { host.await(server) })
  end)

  it("uses what the memory of one configuration takes, a hundred times over",
    function()
      start [[ app = group { "app.test" } ]]
      join()
      for _ = 1, 5 do
        reload_well()
      end
      local before = status().memory
      for _ = 1, 100 do
        reload_well()
      end
      local after = status().memory
      assert.equal(0, after.retired_states)
      assert.is_true(after.lua < before.lua * 1.1)
      visit("app.test", "as ever")
    end)

  it("is told to people in words", function()
    start [[ app = group { "app.test" } ]]
    write([[ app = group({ "app.test" }, { retries = 3 }) ]],
      'tunnel = { max_idle_timeout = "5m" },')
    local code, output = host.run { "reload", config }
    assert.equal(0, code)
    assert.matches("changed:\n  groups.app.retries\n", output, 1, true)
    assert.matches("these take a restart of the server: tunnel.max_idle_timeout",
      output, 1, true)
    write [[ app = {} ]]
    local errors
    code, output, errors = host.run { "reload", config }
    assert.same({ 1, "" }, { code, output })
    assert.matches("groups.app: no hosts", errors, 1, true)
  end)
end)

describe("a reload where authenticate has changed", function()
  local server, config

  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  local function write(authenticate)
    config = host.write("config.lua", ([[%s
      return { control = "unix:c.sock",
        groups = { app = group({ "app.test" }, { authenticate = %s }) } }]])
      :format(head, authenticate))
  end

  local function start(authenticate)
    write(authenticate)
    server = host.start_server { config }
    host.start_client(server, { "--username=user", "--password=secret" })
    server:wait_for_event { event = "tunnel_up" }
  end

  local function reload()
    local status, output, errors = host.run { "reload", "--json", config }
    assert(status == 0, errors)
    return json.decode(output)
  end

  it("asks its tunnels again, and closes those that may not any more",
    function()
      start 'auth.basic { username = "user", password = "secret" }'
      assert.same({}, reload().reauthenticate)
      write 'auth.basic { username = "user", password = "other" }'
      assert.same({ "app" }, reload().reauthenticate)
      server:wait_for_event({ event = "tunnel_down" }, 60)
    end)

  it("keeps those that may, and those of whom nobody can tell", function()
    start 'auth.basic { username = "user", password = "secret" }'
    write [[function(registration)
      require "reverst.log".info("asked", { who = registration.group })
      return true
    end]]
    assert.same({ "app" }, reload().reauthenticate)
    server:wait_for_event({ event = "asked" }, 60)
    write [[function() error "nobody knows" end]]
    assert.same({ "app" }, reload().reauthenticate)
    server:wait_for_event({ event = "authenticate_failed" }, 60)
    assert.equal(0, #server:events { event = "tunnel_down" })
  end)

  it("takes another content of a file with a secret for a change", function()
    host.write("password", "secret")
    start 'auth.basic { username = "user", password_path = "password" }'
    host.write("password", "secret\n")
    assert.same({}, reload().reauthenticate)
    host.write("password", "another")
    assert.same({ "app" }, reload().reauthenticate)
  end)

  it("asks also those who once had to prove nothing", function()
    start "auth.insecure()"
    write 'auth.basic { username = "other", password = "secret" }'
    assert.same({ "app" }, reload().reauthenticate)
    server:wait_for_event { event = "tunnel_down" }
    assert.equal(1, #server:events { event = "reauthenticating" })
  end)

  it("takes a plain function for changed when a module's bytes have", function()
    host.write("rules.lua", "return function() return true end")
    start 'require "rules"'
    assert.same({}, reload().reauthenticate)
    host.write("rules.lua", "return function() return true end -- or so")
    assert.same({ "app" }, reload().reauthenticate)
  end)
end)
