-- SPDX-License-Identifier: MIT
-- A client that dials anew while the server still has its old tunnel.
local World = require "world"

local ID = ("0123456789abcdef"):rep(2)

describe("a client that registers again as the same instance", function()
  local world, server

  before_each(function()
    world = World.new()
    server = world:server { groups = {
      app = { "app.test" }, other = { "other.test" },
    } }
  end)
  after_each(function() world:close() end)

  -- held requests go to `held`, or are answered by the name at once
  local function join(name, options)
    options = options or {}
    options.group = options.group or "app"
    options.metadata = options.metadata or { ["Reverst-Instance"] = ID }
    options.on_request = options.on_request or function(_, request)
      request:respond { body = name }
    end
    return world:connected_client(options)
  end

  -- it would dial again, and take over in its turn
  local function await_replacement(old)
    local disconnect = world:run("the end of the old tunnel", function()
      return old.disconnects[1]
    end)
    assert.same({ "replaced", 1 }, { disconnect.reason, disconnect.code })
    world:run("the end of the old client", function()
      return old:is_closed()
    end)
  end

  local function close_client(client)
    client:close()
  end

  local function hold(held)
    return function(_, request) held[#held + 1] = request end
  end

  local function await_tunnels(count)
    world:run(count .. " tunnels", function()
      return server:stats().tunnels == count
    end)
  end

  it("takes over: the old tunnel without requests is closed", function()
    local old = join("old", { on_disconnected = close_client })
    join "new"
    await_replacement(old)
    await_tunnels(1)
    for _ = 1, 3 do
      assert.equal("new", world:get("/"):body())
    end
  end)

  it("gets all new requests, and the old tunnel ends its own", function()
    local held = {}
    local old = join("old", { on_request = hold(held),
      on_disconnected = close_client })
    local visitor = world:visitor()
    visitor:ask { path = "/slow" }
    world:run("the request", function() return held[1] end)
    join "new"
    for _ = 1, 3 do
      assert.equal("new", world:get("/"):body())
    end
    assert.equal(2, server:stats().tunnels)
    held[1]:respond { body = "slow" }
    assert.equal("slow", visitor:read_answer():body())
    await_replacement(old)
    await_tunnels(1)
  end)

  it("gets the requests of an old tunnel that is silent", function()
    local held = {}
    local relay = world:relay()
    local old = join("old", { on_request = hold(held),
      address = relay:address() })
    local visitor = world:visitor()
    visitor:ask { path = "/" }
    world:run("the request", function() return held[1] end)
    relay:silence(true)
    join "new"
    assert.equal("new", visitor:read_answer():body())
    await_tunnels(1)
    held[1]:respond { body = "late" }
    relay:silence(false)
    world:close_engine(old)
  end)

  it("leaves tunnels of other groups alone", function()
    join("app")
    join("other", { group = "other" })
    world:turns(3)
    assert.equal(2, server:stats().tunnels)
    assert.equal("other", world:get("/", { host = "other.test" }):body())
    assert.equal("app", world:get("/"):body())
  end)

  it("is not one of those without an id, or with one that is none", function()
    for _, id in ipairs { "x", ID:upper(), ID .. "0", ("0"):rep(31) .. "g" } do
      join(id, { metadata = { ["Reverst-Instance"] = id } })
      join(id, { metadata = { ["Reverst-Instance"] = id } })
    end
    world:turns(3)
    assert.equal(8, server:stats().tunnels)
  end)

  it("replaces nobody when it is refused", function()
    local world_two = world:server { groups = { app = {
      hosts = { "app.test" },
      authenticate = function(_, registration)
        if registration:facts().credentials then
          registration:accept()
        else
          registration:reject "no credentials"
        end
      end,
    } } }
    join("friend", { token = "t" })
    local stranger = world:client { group = "app",
      metadata = { ["Reverst-Instance"] = ID },
      on_request = function() end }
    assert.equal("unauthorized", world:disconnect_of(stranger).reason)
    assert.equal(1, world_two:stats().tunnels)
    assert.equal("friend", world:get("/"):body())
  end)
end)
