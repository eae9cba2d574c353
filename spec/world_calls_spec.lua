-- SPDX-License-Identifier: MIT
-- What an embedding program may call, and when.
local World = require "world"
local handlers = require "handlers"

describe("a program", function()
  local world, server

  local function await_closed(engine)
    world:run("the end", function() return engine:is_closed() end)
  end

  local function pong(_, request)
    request:respond { body = "PONG\n" }
  end

  before_each(function()
    world = World.new()
    server = world:server { groups = { app = { "app.test" } } }
  end)
  after_each(function() world:close() end)

  it("may close a client within on_request", function()
    local client
    client = world:connected_client {
      group = "app", on_request = function() client:close() end,
    }
    assert.equal(502, world:get("/").status)
    await_closed(client)
  end)

  it("may close a client within on_connected", function()
    local client
    client = world:client {
      group = "app", on_request = pong,
      on_connected = function() client:close() end,
    }
    await_closed(client)
  end)

  it("may close a client within on_disconnected", function()
    local client
    client = world:client {
      group = "unknown", on_request = pong,
      on_disconnected = function()
        if not client:is_closed() then
          client:close()
        end
      end,
    }
    await_closed(client)
  end)

  it("may close a client at once, and while it dials", function()
    for turns = 0, 10 do
      local client = world:client { group = "app", on_request = pong }
      world:turns(turns)
      world:close_engine(client)
    end
  end)

  it("may close a client within a request's events", function()
    for _, event in ipairs { "readable", "closed" } do
      local client
      client = world:connected_client {
        group = "app",
        on_request = function(_, request)
          request:on { [event] = function()
            if not client:is_closed() then
              client:close()
            end
          end }
          if event == "closed" then
            request:respond {}
          end
        end,
      }
      world:visitor():ask { method = "PUT", body = ("x"):rep(100000) }
      await_closed(client)
    end
  end)

  it("may close a server within authenticate", function()
    server:add_group {
      name = "guarded", hosts = { "guarded.test" },
      authenticate = function(_, registration)
        server:close()
        registration:accept()
      end,
    }
    local client = world:client { group = "guarded", on_request = pong }
    await_closed(server)
    world:close_engine(client)
  end)

  it("may close a server at once", function()
    world:close_engine(server)
    for turns = 0, 5 do
      local other = world:server()
      world:turns(turns)
      world:close_engine(other)
    end
  end)

  it("may close both at the same time, with requests under way", function()
    local client = world:connected_client {
      group = "app",
      on_request = function(_, request)
        request:start {}
        handlers.produce(request, math.maxinteger)
      end,
    }
    local visitors = {}
    for i = 1, 20 do visitors[i] = world:visitor():ask() end
    for i = 1, 20 do visitors[i]:await_body(1) end
    client:close()
    server:close()
    await_closed(server)
    await_closed(client)
  end)

  it("may add groups while the server runs", function()
    assert.equal(404, world:get("/", { host = "later.test" }).status)
    assert(server:add_group {
      name = "later", hosts = { "later.test" }, insecure = true,
    })
    world:connected_client { group = "later", on_request = pong }
    assert.equal(200, world:get("/", { host = "later.test" }).status)
  end)

  it("may decide a registration after its server was closed", function()
    local registration
    server:add_group {
      name = "guarded", hosts = { "guarded.test" },
      authenticate = function(_, it) registration = it end,
    }
    local client = world:client { group = "guarded", on_request = pong }
    world:run("the registration", function() return registration end)
    world:close_engine(server)
    registration:accept()
    world:close_engine(client)
  end)

  it("may have many servers and clients on one event base", function()
    local servers = { server }
    for i = 2, 4 do
      servers[i] = world:server { groups = { app = { "app.test" } } }
    end
    for i, each in ipairs(servers) do
      world:connected_client {
        server = each, group = "app",
        on_request = function(_, request)
          request:respond { body = "server " .. i }
        end,
      }
    end
    for i, each in ipairs(servers) do
      assert.equal("server " .. i, world:get("/", { server = each }):body())
    end
  end)

  it("may have a client of several groups' servers behind each other",
    function()
      -- a visitor's request goes through two tunnels
      local inner = world:server { groups = { app = { "app.test" } } }
      world:connected_client { server = inner, group = "app", on_request = pong }
      world:connected_client {
        server = server, group = "app", origin = inner:http_address(),
      }
      local answer = world:get("/", { server = server })
      assert.equal("PONG\n", answer:body())
    end)

  it("reads a request's parts as long as the request is open", function()
    local facts
    world:connected_client {
      group = "app",
      on_request = function(_, request)
        request:on { readable = function()
          facts = request:facts()
          request:respond {}
        end }
        if request:header("x-one") ~= "1" or request:header("X-ONE") ~= "1"
          or request:header("x-none") then
          request:respond { status = 500 }
        end
      end,
    }
    assert.equal(200, world:ask({
      method = "PUT", path = "/p?q", body = "12345",
      headers = { { "X-One", "1" } },
    }).status)
    assert.equal("PUT", facts.method)
    assert.equal("/p?q", facts.path)
    assert.equal("app.test", facts.host)
  end)

  it("learns from the log who came and went", function()
    local client = world:connected_client { group = "app", on_request = pong,
      metadata = { ["Reverst-Name"] = "alice" } }
    world:close_engine(client)
    world:run("tunnel_down", function() return server:logged("tunnel_down") end)
    local up, down = server:logged("tunnel_up"), server:logged("tunnel_down")
    assert.equal("app", up.group)
    assert.equal("alice", up.name)
    assert.equal(1, up.tunnels)
    assert.equal(up.peer, down.peer)
    assert.equal("alice", down.name)
    assert.equal("closed_by_peer", down.cause)
    assert.equal(0, down.tunnels)
  end)
end)
