-- SPDX-License-Identifier: MIT
-- Closing from within callbacks: it may be done at any time.
local World = require "world"

describe("closing", function()
  local world, server

  local function serve(group)
    group.hosts = { "app.test" }
    server = world:server { groups = { app = group } }
  end

  local function await_closed(engine)
    world:run("its end", function() return engine:is_closed() end)
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  for _, way in ipairs { "close", "drain" } do
    for _, decision in ipairs { "accept", "reject" } do
      it("a server (" .. way .. ") within authenticate, which then does " ..
        decision, function()
        serve { authenticate = function(_, registration)
          server[way](server)
          registration[decision](registration)
        end }
        local client = world:client { group = "app", username = "u",
          password = "p", on_request = function() end }
        await_closed(server)
        assert.is_false(client:is_connected())
      end)
    end
  end

  it("a server, and deciding on a registration after its end", function()
    local pending
    serve { authenticate = function(_, registration) pending = registration end }
    world:client { group = "app", on_request = function() end }
    world:run("the registration", function() return pending end)
    server:close()
    await_closed(server)
    assert.equal("app", pending:facts().group)
    pending:accept()
  end)

  it("a client in on_connected", function()
    serve { insecure = true }
    local client
    client = world:client { group = "app", on_request = function() end,
      on_connected = function() client:close() end }
    await_closed(client)
  end)

  it("a client in on_disconnected", function()
    serve { insecure = true }
    local client
    client = world:connected_client { group = "app",
      on_request = function() end,
      on_disconnected = function() client:close() end }
    server:close()
    await_closed(client)
  end)

  it("a client in on_request, of which there is no other call then", function()
    serve { insecure = true }
    local client
    local calls, closed = 0, 0
    client = world:connected_client { group = "app",
      on_request = function(_, request)
        calls = calls + 1
        request:on { closed = function() closed = closed + 1 end }
        client:close()
        request:respond { body = "too late" }
      end }
    -- all in one turn, so that several wait for their call at once
    local visitors = {}
    for i = 1, 20 do
      visitors[i] = world:visitor():ask {}
    end
    for _, visitor in ipairs(visitors) do
      visitor:await_end()
    end
    await_closed(client)
    assert.same({ 1, 1 }, { calls, closed })
  end)

  for _, event in ipairs { "readable", "writable", "closed" } do
    it("a client in on_" .. event .. " of a request", function()
      serve { insecure = true }
      local client
      local seen
      local function close()
        seen = true
        client:close()
      end
      client = world:connected_client { group = "app",
        on_request = function(_, request)
          request:on { [event] = close }
          if event == "writable" then
            request:start { headers = {} }
            for _ = 1, 100 do
              request:write(("x"):rep(30000))
            end
          elseif event == "closed" then
            request:respond { body = "x" }
          end
        end }
      local visitor = world:visitor():ask { method = "POST", body = "body" }
      world:run("the event", function()
        visitor:look()
        return seen
      end)
      await_closed(client)
    end)
  end
end)

describe("a group with authenticate", function()
  it("asks it, also where insecure is said too", function()
    local world = World.new()
    local server = world:server { groups = { app = {
      hosts = { "app.test" }, insecure = true,
      authenticate = function(_, registration) registration:reject() end,
    } } }
    local client = world:client { group = "app", on_request = function() end }
    assert.equal("unauthorized", world:disconnect_of(client).reason)
    assert.equal(0, server:stats().tunnels)
    world:close()
  end)
end)
