-- The control socket, as programs see that speak to it, or break it.

local lfs = require "lfs"

local host = require "host"
local json = require "reverst.json"
local programs = require "programs"

describe("a control socket", function()
  local server, path

  before_each(function()
    host.open()
    host.make_certificate "server"
    path = host.path "control.sock"
  end)
  after_each(host.close)

  local function start(...)
    server = host.start_server { host.config(), "--control=unix:" .. path, ... }
    return server
  end

  local function fail(...)
    local status, _, errors = host.run { host.config(), "-n", "localhost", "-c",
      host.path "server.crt", "-k", host.path "server.key", "-a", "127.0.0.1:0",
      "-s", "127.0.0.1:0", ... }
    assert.equal(1, status)
    return errors
  end

  -- what a line is answered, on a connection of its own
  local function ask(line)
    local connection = programs.connect(path)
    connection:write(line .. "\n")
    connection:close_input()
    local answer = connection:wait_for "^.*$"
    connection:hang_up()
    programs.forget(connection)
    return assert(json.decode(answer))
  end

  it("is for its owner alone, and removed at the end", function()
    start()
    local mode = lfs.attributes(path)
    assert.equal("socket", mode.mode)
    assert.equal("rw-------", mode.permissions)
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
    assert.is_nil(lfs.attributes(path))
  end)

  it("tells of the server, its groups and their tunnels", function()
    start()
    host.start_client(server, { "--name=blue", "--weight=3",
      "--label=region=eu" })
    server:wait_for_event { event = "tunnel_up" }
    local asks = host.ask(server, "/")
    local request = host.accept_request()
    local status = ask '{"command":"status"}'
    assert.is_true(status.ok)
    assert.equal("running", status.state)
    assert.equal(host.path "config.lua", status.config)
    assert.equal(server.tunnel, status.listeners[1].address)
    assert.equal(server.http, status.listeners[2].address)
    local group = status.groups[1]
    assert.same({ "app", "insecure", "round_robin", { "app.test" } },
      { group.name, group.authenticate, group.balance, group.hosts })
    local tunnel = group.tunnels[1]
    assert.same({ "blue", 3, 1, 1, true }, { tunnel.name, tunnel.weight,
      tunnel.active, tunnel.requests, tunnel.eligible })
    assert.same({ region = "eu" }, tunnel.labels)
    assert.is_true(math.abs(tunnel.registered_at - os.time()) < 60)
    assert.is_true(status.memory.lua > 100000)
    host.answer(request, "hello")
    host.await(asks)
    status = ask '{"command":"status"}'
    assert.is_true(status.groups[1].tunnels[1].latency > 0)
  end)

  it("tells every counter", function()
    start()
    local stats = ask '{"command":"stats"}'
    assert.same({ true, 0, 0, 0 }, { stats.ok, stats.tunnels, stats.requests,
      stats.registrations_accepted })
  end)

  it("drains as SIGTERM does", function()
    start()
    host.start_client(server)
    server:wait_for_event { event = "tunnel_up" }
    local asks = host.ask(server, "/")
    local request = host.accept_request()
    assert.same({ ok = true }, ask '{"command":"drain"}')
    server:wait_for_event { event = "draining" }
    assert.equal("draining", (ask '{"command":"status"}').state)
    assert.matches("drains already",
      (ask '{"command":"reload"}').problems[1], 1, true)
    assert.is_true(server:is_running())
    host.answer(request, "the last one")
    host.await(asks)
    assert.matches("the last one", asks:text "output")
    assert.same({ "exit", 0 }, { host.await(server) })
    assert.is_nil(lfs.attributes(path))
  end)

  it("refuses what it does not know, and says what it does", function()
    start()
    for line, error in pairs {
      ['{"command":"statsu"}'] = 'unknown command "statsu" (did you mean',
      ['{"command":"x"}'] = 'unknown command "x"',
      ['{"command":7}'] = "the command is missing",
      ["{}"] = "the command is missing",
      ["[]"] = "the command is missing",
      ["7"] = "expected an object of JSON",
      [""] = "expected an object of JSON",
      ["GET / HTTP/1.1\r"] = "expected an object of JSON",
      ["\0\255\27[2J"] = "expected an object of JSON",
      [("["):rep(60000)] = "expected an object of JSON",
    } do
      local answer = ask(line)
      assert.is_false(answer.ok)
      assert.matches(error, answer.error, 1, true)
      assert.same({ "drain", "reload", "stats", "status" }, answer.commands)
    end
    assert.is_true((ask '{"command":"stats"}').ok)
  end)

  it("answers a line that comes byte by byte, and lines that come at once",
    function()
      start()
      local slow = programs.connect(path)
      for byte in ('{"command":"stats"}\n'):gmatch "." do
        slow:write(byte)
        programs.pump()
      end
      slow:wait_for '^{.*"tunnels":0'
      slow:write(('{"command":"stats"}\n'):rep(200))
      for _ = 1, 200 do
        slow:wait_for '^{.*"tunnels":0'
      end
    end)

  it("closes a connection whose line does not end, and serves others", function()
    start()
    local endless = programs.connect(path)
    pcall(endless.write, endless, ("x"):rep(70000))
    endless:wait_for "a command has at most 65536 bytes"
    endless:wait()
    assert.is_true((ask '{"command":"stats"}').ok)
  end)

  it("has 64 connections, and refuses more until one closes", function()
    start()
    local connections = {}
    for i = 1, 100 do
      connections[i] = programs.connect(path)
    end
    local function open()
      programs.pump()
      local count = 0
      for _, connection in ipairs(connections) do
        count = count + (connection.is_over and 0 or 1)
      end
      return count
    end
    server:wait_for_events({ event = "control_refused" }, 36)
    programs.wait_until(function()
      return open() <= 64
    end, "36 connections to be closed")
    assert.equal(64, open())
    for _, connection in ipairs(connections) do
      connection:hang_up()
    end
    programs.wait_until(function()
      local asks = programs.connect(path)
      pcall(asks.write, asks, '{"command":"stats"}\n')
      local ok = pcall(asks.wait_for, asks, "tunnels", 1)
      asks:hang_up()
      programs.forget(asks)
      return ok
    end, "an answer")
  end)

  it("outlives those who leave before their answers", function()
    start()
    for _ = 1, 20 do
      local connection = programs.connect(path)
      connection:write(('{"command":"status"}\n{"command":"reload"}\n'):rep(20))
      connection:hang_up()
      programs.forget(connection)
    end
    assert.is_true((ask '{"command":"stats"}').ok)
  end)

  it("is replaced after a kill, when nobody listens any more", function()
    start().may_fail = true
    server:signal "KILL"
    server:wait()
    assert.equal("socket", lfs.attributes(path, "mode"))
    start()
    assert.is_true((ask '{"command":"stats"}').ok)
  end)

  it("is not taken from a server that listens", function()
    start()
    assert.matches("cannot start: " .. path .. ": another process listens there",
      fail("--control=unix:" .. path), 1, true)
    assert.is_true((ask '{"command":"stats"}').ok)
  end)

  it("never overwrites a file that is no socket", function()
    host.write("control.sock", "precious")
    assert.matches("there is a file of that name that is no socket",
      fail("--control=unix:" .. path), 1, true)
    assert.equal("file", lfs.attributes(path, "mode"))
  end)

  it("needs a folder", function()
    assert.matches("nowhere/c.sock: its folder does not exist",
      fail("--control=unix:" .. host.path "nowhere/c.sock"), 1, true)
  end)
end)

describe("a command for a server", function()
  local server, config

  before_each(function()
    host.open()
    host.make_certificate "server"
    config = host.write("config.lua", [[return {
      control = "unix:here.sock",
      groups = { app = { hosts = { "app.test" },
        authenticate = require "reverst.auth".insecure() } } }]])
  end)
  after_each(host.close)

  it("finds its socket by flag, variable or config.lua", function()
    server = host.start_server { config }
    local path = "unix:" .. host.path "here.sock"
    for _, arguments in ipairs {
      { "stats", config },
      { "stats", "--control", path },
      { "stats", environment = { REVERST_CONTROL = path } },
    } do
      local status, output, errors = host.run(arguments)
      assert(status == 0, errors)
      assert.matches("registrations_accepted +0\n", output)
    end
  end)

  it("shows what the server does, in words or as it came", function()
    server = host.start_server { config }
    host.start_client(server, { "--name=blue" })
    server:wait_for_event { event = "tunnel_up" }
    local _, output = host.run { "status", config }
    assert.matches("reverst %S+, running for %d+ s, ", output)
    assert.matches('group "app": app.test; authenticate insecure, '
      .. "balance round_robin, 1 tunnels", output, 1, true)
    assert.matches("#1, blue, 127.0.0.1:%d+, up", output)
    local _, line = host.run { "status", "--json", config }
    assert.equal("running", assert(json.decode(line)).state)
  end)

  it("goes by what a file says that cannot be run now", function()
    server = host.start_server { config }
    for code, problem in pairs {
      ["return { control = 'unix:here.sock',\n  groups = {"] = "bad.lua:2:",
      ["return {\n -- control = 'unix:before.sock',\n control=\"unix:here.sock\", -- x\n"
        .. "groups = { app = { authenticate = require 'reverst.auth'.basic {\n"
        .. "username = 'u', password = os.getenv 'NO_SUCH_VARIABLE' } } } }"] =
        "auth.basic",
    } do
      local status, output, errors = host.run { "status",
        host.write("bad.lua", code) }
      assert.equal(0, status)
      assert.matches('group "app"', output)
      assert.matches(problem, errors, 1, true)
      assert.matches('reverst status: going by its control = "unix:here.sock"\n',
        errors, 1, true)
    end
    local twice = "return { control = 'unix:a', { control = 'unix:b' }"
    local status, _, errors = host.run { "status", host.write("bad.lua", twice) }
    assert.equal(1, status)
    assert.matches("--control names it", errors, 1, true)
  end)

  it("drains the server", function()
    server = host.start_server { config }
    assert.equal(0, (host.run { "drain", config }))
    assert.same({ "exit", 0 }, { server:wait() })
  end)

  it("says whom it cannot find, and the cure", function()
    local status, _, errors = host.run { "status" }
    assert.equal(1, status)
    assert.matches("which server? --control unix:PATH", errors, 1, true)
    status, _, errors = host.run { "status", config }
    assert.equal(1, status)
    assert.matches("nobody answers at " .. host.path "here.sock", errors, 1, true)
    status, _, errors = host.run { "status", host.config() }
    assert.equal(1, status)
    assert.matches('it has no control = "unix:PATH"', errors, 1, true)
    status, _, errors = host.run { "status", host.write("bad.lua", "return {") }
    assert.equal(1, status)
    assert.matches("bad.lua:1:", errors, 1, true)
    assert.equal(2, (host.run { "status", "--nonsense" }))
  end)
end)
