-- SPDX-License-Identifier: MIT
-- When a bound is reached the newcomer is refused; what runs keeps running.
local World = require "world"

describe("a bound", function()
  local world, server

  local function pong(_, request)
    request:respond { body = "PONG\n" }
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("of 1 000 requests that wait for a stream refuses the next one", function()
    server = world:server {
      max_connections_per_address = 2000, groups = { app = { "app.test" } },
    }
    local held
    world:connected_client {
      group = "app", max_streams = 1,
      on_request = function(_, request)
        if not held then
          held = request
        else
          pong(nil, request)
        end
      end,
    }
    local load = world:start_load {
      connections = 1001, requests = 1001, body = "PONG\n",
    }
    world:run("1 001 requests", function()
      return held and server:stats().exchanges == 1001
    end)
    local refusal = world:get("/")
    assert.equal(503, refusal.status)
    assert.equal("5", refusal:header("retry-after"))
    pong(nil, held)
    world:run("the others", function() return load:is_done() end)
    assert.same({ right = 1001, wrong = 0, broken = 0, active = 0 },
      load:counts())
  end)

  it("of 256 undecided registrations of one address holds nobody else",
    function()
      local registrations = {}
      server = world:server { groups = {
        app = { "app.test" },
        slow = {
          hosts = { "slow.test" },
          authenticate = function(_, registration)
            table.insert(registrations, registration)
          end,
        },
      } }
      local working = world:connected_client { group = "app", on_request = pong }
      local crowd = {}
      for i = 1, 270 do
        crowd[i] = world:client { group = "slow", on_request = pong }
      end
      world:run("256 registrations", function()
        return #registrations == 256
      end)
      world:run("refusals", function()
        local refused = 0
        for i = 1, 270 do
          refused = refused + #crowd[i].disconnects
        end
        return refused >= 14
      end)
      assert.equal(256, server:stats().pending_registrations)
      -- the tunnel that was there works, and another address may come
      assert.equal("PONG\n", world:get("/"):body())
      assert.is_true(working:is_connected())
      local relay = world:relay("127.0.0.2")
      world:connected_client {
        group = "app", address = relay:address(), on_request = pong,
      }
      assert.equal(2, server:stats().tunnels)
      for i = 1, 270 do crowd[i]:close() end
      world:run("their end", function()
        for i = 1, 270 do
          if not crowd[i]:is_closed() then
            return false
          end
        end
        return server:stats().pending_registrations == 0
      end)
      for _, registration in ipairs(registrations) do
        registration:reject()
      end
      world:connected_client { group = "app", on_request = pong }
    end)

  it("of waiting in a queue is told with Retry-After", function()
    world:server { groups = { app = {
      hosts = { "app.test" }, insecure = true, queue_timeout = 0.1,
    } } }
    local held
    world:connected_client {
      group = "app", max_streams = 1,
      on_request = function(_, request) held = request end,
    }
    local first = world:visitor():ask()
    world:run("the first request", function() return held end)
    local refusal = world:get("/")
    assert.equal(503, refusal.status)
    assert.equal("5", refusal:header("retry-after"))
    pong(nil, held)
    assert.equal(200, first:read_answer().status)
  end)
end)
