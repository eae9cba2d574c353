-- SPDX-License-Identifier: MIT
-- Who may register, and what those learn who may not.
local World = require "world"

-- "user:pass"
local BASIC = "dXNlcjpwYXNz"

local function pong(_, request)
  request:respond { body = "PONG\n" }
end

describe("a group with authentication", function()
  local world, registrations

  -- A server whose group "app" gives registrations to `decide`, or keeps them.
  local function serve(decide)
    registrations = {}
    return world:server { groups = { app = {
      hosts = { "app.test" },
      authenticate = function(_, registration)
        table.insert(registrations, registration)
        if decide then
          decide(registration)
        end
      end,
    } } }
  end

  local function await_registration()
    return world:run("a registration", function() return registrations[1] end)
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("sees the scheme and the credentials of basic authentication", function()
    local facts
    serve(function(registration)
      facts = registration:facts()
      registration:accept()
    end)
    world:connected_client {
      group = "app", username = "user", password = "pass", on_request = pong,
      metadata = { colour = "blue" },
    }
    assert.equal("basic", facts.scheme)
    assert.equal(BASIC, facts.credentials)
    assert.equal("app", facts.group)
    assert.equal("tunnel.test", facts.server_name)
    assert.matches("^127%.0%.0%.1:%d+$", facts.peer)
    assert.equal("blue", facts.metadata.colour)
    assert.equal("Basic " .. BASIC, facts.metadata.Authorization)
    assert.equal("PONG\n", world:get("/"):body())
  end)

  it("sees a bearer token", function()
    local facts
    serve(function(registration)
      facts = registration:facts()
      registration:accept()
    end)
    world:connected_client { group = "app", token = "t0ken", on_request = pong }
    assert.equal("bearer", facts.scheme)
    assert.equal("t0ken", facts.credentials)
  end)

  it("sees any other scheme", function()
    local facts
    serve(function(registration)
      facts = registration:facts()
      registration:accept()
    end)
    world:connected_client {
      group = "app", scheme = "Custom", payload = "a b", on_request = pong,
    }
    assert.equal("custom", facts.scheme)
    assert.equal("a b", facts.credentials)
  end)

  it("sees that there are no credentials", function()
    local facts
    serve(function(registration)
      facts = registration:facts()
      registration:accept()
    end)
    world:connected_client { group = "app", on_request = pong }
    assert.is_nil(facts.scheme)
    assert.is_nil(facts.credentials)
  end)

  it("may accept later; until then there is no tunnel", function()
    local server = serve()
    local client = world:client { group = "app", on_request = pong }
    local registration = await_registration()
    assert.is_false(client:is_connected())
    assert.equal(1, server:stats().pending_registrations)
    assert.equal(503, world:get("/").status)
    registration:accept()
    world:run("the tunnel", function() return client:is_connected() end)
    assert.equal(0, server:stats().pending_registrations)
    assert.equal("PONG\n", world:get("/"):body())
  end)

  it("may reject at once, with a reason for the log alone", function()
    local server = serve(function(registration)
      registration:reject("the password is wrong")
    end)
    local client = world:client {
      group = "app", username = "user", password = "wrong", on_request = pong,
    }
    local disconnect = world:disconnect_of(client)
    assert.is_true(disconnect.refused)
    assert.equal(2, disconnect.code)
    assert.equal("unauthorized", disconnect.reason)
    assert.equal("REVERST_ERR_CLOSED", disconnect.error)
    assert.equal(30, disconnect.retry_in)
    local entry = server:logged("registration_refused")
    assert.equal("the password is wrong", entry.detail)
    assert.equal("unauthorized", entry.reason)
    assert.equal(1, server:stats().registrations_refused)
    assert.equal(503, world:get("/").status)
  end)

  it("refuses many, and logs some of them a second and the number of others",
    function()
      local server = serve(function(registration) registration:reject "no" end)
      for i = 1, 25 do
        world:client { group = i % 5 == 0 and "none" or "app", on_request = pong }
      end
      world:run("the refusals", function()
        return server:stats().registrations_refused >= 25
      end)
      local left_out = world:run("the number of others", function()
        return server:logged "entries_left_out"
      end)
      local function count_logged()
        local count = 0
        for _, entry in ipairs(server.log) do
          if entry.event == "registration_refused" then count = count + 1 end
        end
        return count
      end
      assert.equal("registration_refused", left_out.of)
      assert.equal(10, count_logged())
      assert.equal(15, left_out.count)
      world:client { group = "none", on_request = pong }
      world:run("an entry in another second", function()
        return count_logged() == 11
      end)
    end)

  it("may reject later", function()
    serve()
    local client = world:client { group = "app", on_request = pong }
    await_registration():reject()
    assert.equal("unauthorized", world:disconnect_of(client).reason)
  end)

  it("may decide when the client has gone meanwhile", function()
    local server = serve()
    local client = world:client { group = "app", on_request = pong }
    local registration = await_registration()
    world:close_engine(client)
    world:run("a server that knows it", function()
      return server:stats().pending_registrations == 0
    end)
    registration:accept()
    world:turns(3)
    assert.equal(0, server:stats().tunnels)
    assert.equal(0, server:stats().registrations_accepted)
  end)

  it("never shows credentials in the log", function()
    local server = serve(function(registration) registration:accept() end)
    local client = world:connected_client {
      group = "app", username = "user", password = "pass", on_request = pong,
    }
    world:get("/")
    for _, engine in ipairs { server, client } do
      for _, entry in ipairs(engine.log) do
        for _, value in pairs(entry) do
          value = tostring(value)
          assert.is_nil(value:find(BASIC, 1, true))
          assert.is_nil(value:find("pass", 1, true))
        end
      end
    end
  end)
end)

describe("a server", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("refuses a group that it does not have", function()
    world:server { groups = { app = { "app.test" } } }
    local client = world:client { group = "other", on_request = pong }
    local disconnect = world:disconnect_of(client)
    assert.is_true(disconnect.refused)
    assert.equal(2, disconnect.code)
    assert.equal("not found", disconnect.reason)
    assert.equal(30, disconnect.retry_in)
  end)

  it("refuses a group whose name is no text", function()
    world:server { groups = { app = { "app.test" } } }
    local client, fault = world:client { group = "a\1b", on_request = pong }
    if client then
      assert.equal("bad request", world:disconnect_of(client).reason)
    else
      assert.equal("REVERST_ERR_INVALID", fault)
    end
  end)

  it("refuses newcomers while it drains, so that they try again", function()
    local registration
    local server = world:server { drain_timeout = math.huge, groups = { app = {
      hosts = { "app.test" },
      authenticate = function(_, it) registration = it end,
    } } }
    local visitor = world:visitor()
    visitor.wire:send("GET / HTTP/1.1\r\n") -- keeps the server from its end
    local client = world:client { group = "app", on_request = pong }
    world:run("the registration", function() return registration end)
    server.draining = true
    server:drain()
    registration:accept()
    local disconnect = world:disconnect_of(client)
    assert.equal("draining", disconnect.reason)
    assert.equal(1, disconnect.code)
    assert.is_true(disconnect.retry_in <= 60)
  end)

  it("has its group for everyone where that is said to be insecure", function()
    world:server { groups = { app = { hosts = { "app.test" }, insecure = true } } }
    world:connected_client { group = "app", on_request = pong }
    assert.equal("PONG\n", world:get("/"):body())
  end)

  it("does not take a group without any authentication", function()
    local server = world:server()
    local _, fault = server:add_group { name = "app", hosts = { "app.test" } }
    assert.equal("REVERST_ERR_NO_GROUP_AUTHENTICATION", fault)
    assert.equal("app", server:logged("group_not_added").group)
  end)

  it("does not take a group twice, nor a host for two groups", function()
    local server = world:server { groups = { app = { "app.test" } } }
    local _, fault = server:add_group {
      name = "app", hosts = { "other.test" }, insecure = true,
    }
    assert.equal("REVERST_ERR_EXISTS", fault)
    _, fault = server:add_group {
      name = "other", hosts = { "fresh.test", "APP.test" }, insecure = true,
    }
    assert.equal("REVERST_ERR_EXISTS", fault)
    assert.equal("APP.test", server:logged("group_not_added").value)
    assert.equal(404, world:get("/", { host = "fresh.test" }).status)
  end)

  it("says which file of its certificate is at fault", function()
    local _, fault, log = world:server { certificate = "/nonexistent.crt" }
    assert.equal("REVERST_ERR_CERTIFICATE", fault)
    local text = ""
    for _, entry in ipairs(log) do
      for _, value in pairs(entry) do
        text = text .. tostring(value) .. " "
      end
    end
    assert.matches("/nonexistent%.crt", text)
  end)

  it("says which address cannot be had", function()
    local first = world:server()
    local _, fault, log = world:server { http_address = first:http_address() }
    assert.equal("REVERST_ERR_LISTEN", fault)
    assert.is_true(#log > 0)
  end)
end)

describe("a client", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("does not register with a server whose name is another", function()
    world:server { groups = { app = { "app.test" } } }
    local client = world:client {
      group = "app", server_name = "other.test", on_request = pong,
    }
    local disconnect = world:disconnect_of(client)
    assert.is_false(disconnect.refused)
    assert.equal("REVERST_ERR_TLS", disconnect.error)
  end)

  it("does not register with a server whose certificate it does not trust",
    function()
      world:server { groups = { app = { "app.test" } } }
      local other = World.other_certificate()
      local client = world:client {
        group = "app", ca = other, on_request = pong,
      }
      assert.equal("REVERST_ERR_TLS", world:disconnect_of(client).error)
      os.remove(other)
    end)

  it("registers with any server when told not to check", function()
    world:server { groups = { app = { "app.test" } } }
    world:connected_client {
      group = "app", server_name = "other.test", insecure = true,
      on_request = pong,
    }
  end)

  it("says that there is no server", function()
    local server = world:server()
    local client = world:client {
      group = "app", address = server:http_address(), on_request = pong,
    }
    -- nobody answers at that UDP port
    assert.equal("REVERST_ERR_CONNECT", world:disconnect_of(client).error)
  end)

  it("needs an origin or a function, and not both", function()
    local server = world:server()
    local _, fault = world:client { server = server, group = "app" }
    assert.equal("REVERST_ERR_INVALID", fault)
    _, fault = world:client {
      server = server, group = "app", origin = "8080", on_request = pong,
    }
    assert.equal("REVERST_ERR_INVALID", fault)
  end)
end)
