-- What is under way while a configuration is replaced: it ends with the one that
-- it began with, and then nothing of that is left.

local host = require "host"
local json = require "reverst.json"
local process = require "spec.process"
local programs = require "programs"

local server, config

before_each(function()
  host.open()
  host.make_certificate "server"
end)
after_each(host.close)

-- `body` makes the table of the group "app"; `released` and `word` are there
local function write(body, word, keys)
  config = host.write("config.lua", ([[
    local reverst = require "reverst"
    local auth = require "reverst.auth"
    local log = require "reverst.log"
    local word = %q
    local function released()
      local file = io.open %q
      return file and file:close()
    end
    local group = { hosts = { "app.test" }, authenticate = auth.insecure() }
    %s
    return { control = "unix:c.sock", %s groups = { app = group } }]]):format(
      word, host.path "released", body, keys or ""))
end

local function start(...)
  write(...)
  server = host.start_server { config }
end

local function reload()
  local status, _, errors = host.run { "reload", config }
  assert(status == 0, errors)
end

local function memory()
  local _, output = host.run { "status", "--json", config }
  return assert(json.decode(output)).memory
end

local function is_all_gone()
  programs.wait_until(function()
    return memory().retired_states == 0
  end, "the state before to go")
end

local function release()
  host.write("released", "")
end

local function join()
  local client = host.start_client(server)
  server:wait_for_event { event = "tunnel_up" }
  return client
end

local function finish(asks, pattern)
  host.await(asks)
  assert.matches(pattern, asks:text "output")
end

local waiting = [[
  group.on_request = function(request)
    log.info("hook", { word = word })
    while not released() do
      reverst.sleep(0.01)
    end
    return { status = 299, body = word }
  end]]

describe("a hook that waits during a reload", function()
  it("finishes as it began, and newer requests have the newer hook", function()
    start(waiting, "before")
    join()
    local first = host.ask(server, "/")
    server:wait_for_event { event = "hook", word = "before" }
    write(waiting, "after")
    reload()
    local second = host.ask(server, "/")
    server:wait_for_event { event = "hook", word = "after" }
    assert.equal(1, memory().retired_states)
    release()
    finish(first, "299.*before$")
    finish(second, "299.*after$")
    is_all_gone()
  end)

  it("may be left by its visitor", function()
    start(waiting, "before")
    join()
    local asks = host.ask(server, "/")
    server:wait_for_event { event = "hook" }
    reload()
    asks:signal "KILL"
    asks:wait()
    is_all_gone()
  end)

  it("is one of a thousand, of which none is lost", function()
    start(waiting, "before")
    join()
    local before = memory().lua
    local visitors = {}
    for i = 1, 5 do
      visitors[i] = host.ask(server, "/[1-200]", { "--parallel",
        "--parallel-immediate", "--parallel-max", "200" })
    end
    server:wait_for_events({ event = "hook" }, 1000, 120)
    local busy = memory().lua
    assert.is_true(busy > before + 500000)
    write("", "after")
    reload()
    local told = memory()
    assert.equal(1, told.retired_states)
    assert.is_true(told.lua < before * 1.5)
    release()
    local answers = 0
    for _, visitor in ipairs(visitors) do
      host.await(visitor)
      answers = answers + select(2, visitor:text "output":gsub("before", ""))
    end
    assert.equal(1000, answers)
    is_all_gone()
    assert.equal(0, #server:events { event = "tunnel_down" })
  end)

  it("is ended by a second signal, whatever it waits for", function()
    start(waiting, "before")
    join()
    host.ask(server, "/")
    server:wait_for_event { event = "hook" }
    reload()
    server:signal "TERM"
    server:wait_for_event { event = "draining" }
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
  end)

  it("is waited for by a server that drains", function()
    start(waiting, "before")
    join()
    local asks = host.ask(server, "/")
    server:wait_for_event { event = "hook" }
    reload()
    server:signal "TERM"
    server:wait_for_event { event = "draining" }
    release()
    finish(asks, "before$")
    assert.same({ "exit", 0 }, { host.await(server) })
  end)

  it("may wait for another service", function()
    local body = ([[
      group.on_request = function(request)
        local response = assert(require "reverst.http".get "http://%s/slow")
        return { status = 299, body = word .. response.body }
      end]]):format(host.origin_address())
    start(body, "before")
    local asks = host.ask(server, "/")
    local service = host.accept_request()
    write("", "after")
    reload()
    assert.equal(1, memory().retired_states)
    host.answer(service, " at last")
    finish(asks, "299.*before at last$")
    is_all_gone()

    write(body, "again")
    reload()
    host.ask(server, "/")
    host.accept_request()
    write("", "after")
    reload()
    server:signal "TERM"
    server:wait_for_event { event = "draining" }
    server:signal "TERM"
    assert.same({ "exit", 0 }, { host.await(server) })
  end)
end)

describe("a registration that waits during a reload", function()
  local slow = [[
    group.authenticate = function(registration)
      log.info("asked", { word = word })
      while not released() do
        reverst.sleep(0.01)
      end
      return true
    end]]

  it("is decided by whom it was asked", function()
    start(slow, "before")
    local client = host.start_client(server)
    server:wait_for_event { event = "asked", word = "before" }
    write(slow, "after")
    reload()
    assert.equal(1, memory().retired_states)
    release()
    client:wait_for "registered"
    is_all_gone()
  end)

  it("does not hold up a server that ends", function()
    for _, signals in ipairs { 1, 2 } do
      start(slow, "before")
      local client = host.start_client(server)
      server:wait_for_event { event = "asked" }
      reload()
      for _ = 1, signals do
        server:signal "TERM"
      end
      assert.same({ "exit", 0 }, { server:wait() })
      client:signal "TERM"
      client:wait()
    end
  end)
end)

describe("what scripts know of a tunnel", function()
  it("stays with those that wait during a reload, though the tunnel goes",
    function()
      start([[
        group.on_tunnel_up = function(tunnel)
          log.info("up", { word = word })
          while not released() do
            reverst.sleep(0.01)
          end
          log.info("knows", { name = tunnel.name, active = tunnel.active })
        end
        group.on_tunnel_down = function(tunnel, reason)
          log.info("down", { word = word, name = tunnel.name })
        end]], "before")
      local client = host.start_client(server, { "--name=blue" })
      server:wait_for_event { event = "up" }
      write([[
        group.on_tunnel_down = function(tunnel, reason)
          log.info("down", { word = word, name = tunnel.name })
        end]], "after")
      reload()
      client:signal "TERM"
      server:wait_for_event { event = "down", word = "after", name = "blue" }
      release()
      server:wait_for_event { event = "knows", name = "blue", active = 0 }
      is_all_gone()
      assert.equal(0, #server:events { event = "down", word = "before" })
    end)

  it("is told when its group is taken out", function()
    start([[
      group.on_tunnel_down = function(tunnel, reason)
        log.info("down", { name = tunnel.name, reason = reason })
      end]], "before")
    host.start_client(server, { "--name=blue" })
    server:wait_for_event { event = "tunnel_up" }
    config = host.write("config.lua", [[return { control = "unix:c.sock",
      groups = { other = { hosts = { "other.test" },
        authenticate = require "reverst.auth".insecure() } } }]])
    reload()
    server:wait_for_event { event = "down", name = "blue", reason = "not found" }
    is_all_gone()
  end)
end)

describe("a task in the background", function()
  local ticking = [[
    reverst.spawn(function()
      while true do
        log.info("tick", { word = word })
        reverst.sleep(0.01)
      end
    end)]]

  it("is replaced, too", function()
    start(ticking, "before")
    server:wait_for_event { event = "tick", word = "before" }
    write(ticking, "after")
    reload()
    is_all_gone()
    server:wait_for_event { event = "tick", word = "after" }
    local count = #server:events { event = "tick", word = "before" }
    for _ = 1, 5 do
      server:wait_for_event { event = "tick", word = "after" }
    end
    assert.equal(count, #server:events { event = "tick", word = "before" })
  end)

  it("may be a client, which leaves with its configuration", function()
    local with_client = [[
      reverst.client { address = "127.0.0.1:9", group = "app",
        origin = "http://127.0.0.1:1" }]]
    start(with_client, "before")
    for _ = 1, 3 do
      reload()
    end
    is_all_gone()
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
  end)
end)

describe("another http address", function()
  -- a config.lua with an address for visitors, or several
  local function start_at(...)
    local list = {}
    for i, address in ipairs { ... } do
      list[i] = ("%q"):format(address)
    end
    write("", "", ('http = { address = { %s } }, tunnel = { address = '
      .. '"127.0.0.1:0", server_name = "localhost", certificate_path = '
      .. '"server.crt", private_key_path = "server.key" },'):format(
      table.concat(list, ", ")))
  end

  it("is opened before the one before is closed, where requests finish",
    function()
      local first = "127.0.0.1:" .. process.free_port "tcp"
      local second = "127.0.0.1:" .. process.free_port "tcp"
      start_at(first)
      server = programs.start { host.reverst, config, name = "server" }
      server.tunnel = server:wait_for_event { event = "listening",
        ["for"] = "tunnels" }.address
      server.http = first
      join()
      local asks = host.ask(server, "/")
      local request = host.accept_request()
      start_at(second)
      reload()
      local visitor = host.ask({ http = second }, "/")
      host.answer(host.accept_request(), "by the second")
      finish(visitor, "by the second$")
      assert.same({ "exit", 7 }, { host.await(host.ask({ http = first }, "/")) })
      host.answer(request, "by the first")
      finish(asks, "by the first$")

      -- one that cannot be had: nothing has changed
      local taken = "203.0.113.1:80"
      start_at(taken)
      local status, _, errors = host.run { "reload", config }
      assert.equal(1, status)
      assert.matches("http.address: " .. taken, errors, 1, true)
      visitor = host.ask({ http = second }, "/")
      host.answer(host.accept_request(), "still here")
      finish(visitor, "still here$")
    end)

  local function listeners()
    local _, output = host.run { "status", "--json", config }
    local addresses = {}
    for _, listener in ipairs(require "reverst.json".decode(output).listeners) do
      if listener["for"] == "visitors" then
        table.insert(addresses, listener.address)
      end
    end
    return addresses
  end

  it("may be one of several, cover those before, and be a Unix socket", function()
    local port = process.free_port "tcp"
    local narrow, wide = "127.0.0.1:" .. port, "0.0.0.0:" .. port
    local socket = "unix:" .. host.path "http.sock"
    start_at(narrow, "unix:http.sock")
    server = programs.start { host.reverst, config, name = "server" }
    for _, address in ipairs { narrow, socket } do
      assert.equal(address, server:wait_for_event {
        event = "listening", ["for"] = "visitors" }.address)
    end
    server.http = narrow
    server.tunnel = server:events { event = "listening" }[2].address
    join()
    local function is_served(...)
      local visitor = host.ask(server, "/", { ... })
      host.answer(host.accept_request(), "served")
      finish(visitor, "served$")
    end
    is_served()
    is_served("--unix-socket", host.path "http.sock")
    assert.same({ narrow, socket }, listeners())
    start_at(wide)
    reload()
    assert.same({ wide }, listeners())
    is_served()
    assert.is_nil(io.open(host.path "http.sock"))
    start_at("unix:http.sock", narrow)
    reload()
    assert.same({ socket, narrow }, listeners())
    is_served()
    is_served("--unix-socket", host.path "http.sock")
  end)
end)

describe("a server under load", function()
  it("loses no request while it is reloaded, again and again", function()
    start("", "before")
    local client = programs.start { host.reverst, "run", host.write("client.lua",
      ([[require "reverst".client { address = %q, server_name = "localhost",
        ca_path = %q, group = "app", handle = function(request)
          return { body = "PONG" }
        end }]]):format(server.tunnel, host.path "server.crt")) }
    server:wait_for_event { event = "tunnel_up" }
    local visitors = {}
    for i = 1, 4 do
      visitors[i] = host.ask(server, "/[1-1000]", { "--parallel",
        "--parallel-max", "16" })
    end
    local reloads = 0
    repeat
      write("group.retries = " .. reloads % 2, "after")
      server:signal "HUP"
      server:wait_for_event { event = "reloaded" }
      reloads = reloads + 1
      programs.pump()
    until visitors[1].ending and visitors[2].ending and visitors[3].ending
      and visitors[4].ending
    assert.is_true(reloads > 3)
    for _, visitor in ipairs(visitors) do
      assert.same({ "exit", 0 }, { host.await(visitor) })
      assert.equal(1000, select(2, visitor:text "output":gsub("PONG", "")))
    end
    is_all_gone()
    client:signal "TERM"
    assert.same({ "exit", 0 }, { client:wait() })
  end)
end)

describe("a reload that fails when the server has its groups already", function()
  it("says so, and the newer configuration stays in use", function()
    local answering = [[group.on_request = function()
      return { status = 299, body = word }
    end]]
    start(answering, "before")
    join()
    write("require 'reverst.log'.debug = function() error 'late' end "
      .. answering, "after")
    local status, _, errors = host.run { "reload", config }
    assert.equal(1, status)
    assert.matches("is in use, but .*late", errors)
    local asks = host.ask(server, "/")
    finish(asks, "299.*after$")
    is_all_gone()
    write(answering, "mended")
    reload()
    asks = host.ask(server, "/")
    finish(asks, "299.*mended$")
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
  end)
end)
