-- SPDX-License-Identifier: MIT
-- Many registrations wait for a service that takes its time.
local World = require "world"
local lua_server = require "lua_server"

local MANY = 1000
local OK = "HTTP/1.1 204 No Content\r\n\r\n"

describe("a service that takes its time", function()
  local world, server, service, held

  local function answer(_, request)
    request:respond { body = "PONG\n" }
  end

  -- "slow" asks the service, which holds all answers; "quick" asks nobody.
  -- `closed` counts the ends of what was asked.
  local function start(timeout)
    held = {}
    service = world:origin(function(wire) table.insert(held, wire) end)
    server = lua_server.new(world, ([[
      local external = auth.external {
        endpoint = "http://%s/", scheme = "Basic", timeout = "10m" }
      closed = 0
      return {
        tunnel = { max_pending = 5000, max_pending_per_address = 5000,
          registration_timeout = "%s" },
        groups = {
          slow = { hosts = { "slow.test" }, authenticate = function(registration)
            local guard <close> = setmetatable({}, { __close = function()
              closed = closed + 1
            end })
            return external(registration)
          end },
          quick = { hosts = { "quick.test" }, authenticate = auth.basic {
            username = "user", password = "pass" } },
        },
      }]]):format(service.address, timeout or "10m"))
  end

  local function join(group, options)
    options = options or {}
    options.group, options.on_request = group, answer
    options.username, options.password = "user", "pass"
    return assert(world:client(options))
  end

  local function await_pending(count)
    world:run(count .. " pending registrations", function()
      return server:stats().pending_registrations == count
    end, 120)
  end

  local function fill(count)
    local clients = {}
    for i = 1, count do
      clients[i] = join("slow", { registration_timeout = 600 })
      if i % 50 == 0 then
        await_pending(i)
      end
    end
    await_pending(count)
    return clients
  end

  -- Those that are held, and at once those that come because of it.
  local function let_go()
    local wires = held
    held = setmetatable({}, { __newindex = function(_, _, wire)
      wire:send(OK)
    end })
    for _, wire in ipairs(wires) do
      wire:send(OK)
    end
  end

  local function close_all(clients)
    for _, client in ipairs(clients) do client:close() end
    world:run("the clients' end", function()
      return server:stats().connections == 0 and server:stats().tunnels == 0
        and server:stats().pending_registrations == 0
    end, 120)
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("holds no request and no other registration, however many wait for it",
    function()
      start()
      local first = join "quick"
      world:run("a tunnel", function() return first:is_connected() end)
      world:get("/", { host = "quick.test" }) -- the first one makes a session
      world:run("the visitor's end", function()
        return server:stats().connections == 0
      end)
      local objects, memory = server:stats().live_objects, server:memory()
      local clients = fill(MANY)
      assert.equal("PONG\n", world:get("/", { host = "quick.test" }):body())
      local second = join "quick"
      world:run("a registration", function() return second:is_connected() end)
      assert.equal(MANY, server:stats().pending_registrations)
      assert.is_true(#held <= 64, #held .. " connections")

      second:close()
      let_go()
      world:run("all tunnels", function()
        return server:stats().tunnels == MANY + 1
      end, 120)
      assert.equal(MANY, service.requests)
      assert.is_true(service.connections <= 64, service.connections)
      assert.equal(MANY, server:call "return closed")

      for _, client in ipairs(clients) do client:close() end
      world:run("the first state", function()
        return server:stats().live_objects <= objects
      end, 120)
      -- tables that were large stay so
      local growth = server:memory() - memory
      assert.is_true(growth < 256 * 1024, "grew by " .. growth)
    end)

  it("is asked no longer about clients that left", function()
    start()
    local memory = server:memory()
    local clients = fill(100)
    close_all(clients)
    world:run("the end of all questions", function()
      return server:call "return closed" == 100
    end)
    for _, wire in ipairs(held) do
      world:run("a connection's end", function() return wire:is_closed() end)
    end
    -- those that had waited for a connection were never asked
    assert.is_true(service.requests <= 64, service.requests)
    local growth = server:memory() - memory
    assert.is_true(growth < 64 * 1024, "grew by " .. growth)
  end)

  it("is given up when the server's time is over, and the log says so",
    function()
      start "200ms"
      local client = join "slow"
      local disconnect = world:disconnect_of(client)
      assert.same({ true, "timeout" }, { disconnect.refused, disconnect.reason })
      local entry = server:logged "registration_refused"
      assert.same({ "slow", "timeout", "authenticate has not decided in time" },
        { entry.group, entry.reason, entry.detail })
      world:run("the end of the question", function()
        return server:call "return closed" == 1 and held[1]:is_closed()
      end)
    end)

  it("is asked over the same connection again and again", function()
    start()
    held = setmetatable({}, { __newindex = function(_, _, wire)
      wire:send(OK)
    end })
    for _ = 1, 10 do
      local client = join "slow"
      world:run("a tunnel", function() return client:is_connected() end)
    end
    assert.same({ 10, 1 }, { service.requests, service.connections })
  end)
end)
