-- SPDX-License-Identifier: MIT
-- What a server knows of its tunnels, and when it says so.
local World = require "world"

local function pong(_, request)
  request:respond { body = "PONG\n" }
end

describe("a tunnel", function()
  local world, server, decide

  before_each(function()
    world = World.new()
    decide = function(registration) registration:accept() end
    server = world:server { groups = { app = {
      hosts = { "app.test" },
      authenticate = function(_, registration) decide(registration) end,
    } } }
  end)
  after_each(function() world:close() end)

  local function join(metadata, options)
    options = options or {}
    options.group, options.metadata = "app", metadata
    options.on_request = options.on_request or pong
    return world:connected_client(options)
  end

  local function only_tunnel()
    local tunnels = server:tunnels()
    assert.equal(1, #tunnels)
    return tunnels[1]
  end

  it("has the weight 1 and nothing else when its client says nothing",
    function()
      local before = os.time()
      join({})
      local tunnel = only_tunnel()
      assert.equal("", tunnel.name)
      assert.equal(1, tunnel.weight)
      assert.same({}, tunnel.labels)
      assert.equal("app", tunnel.group)
      assert.equal(0, tunnel.active)
      assert.equal(0, tunnel.requests)
      assert.equal(0, tunnel.latency)
      assert.is_true(tunnel.eligible)
      assert.is_true(tunnel.id > 0)
      assert.matches("^127%.0%.0%.1:%d+$", tunnel.peer)
      local seconds = tunnel.registered_at / 1e9
      assert.is_true(seconds >= before and seconds < os.time() + 1)
    end)

  it("is what its client says", function()
    join { ["Reverst-Name"] = "rack 7", ["Reverst-Weight"] = "250",
      ["Reverst-Label-Region"] = "eu", ["Reverst-Label-"] = "nameless",
      colour = "blue" }
    local tunnel = only_tunnel()
    assert.equal("rack 7", tunnel.name)
    assert.equal(250, tunnel.weight)
    assert.same({ Region = "eu" }, tunnel.labels)
    assert.equal("blue", tunnel.metadata.colour)
    assert.equal("250", tunnel.metadata["Reverst-Weight"])
  end)

  it("never shows its credentials", function()
    join({ colour = "blue" }, { username = "user", password = "pass" })
    local metadata = only_tunnel().metadata
    assert.equal("blue", metadata.colour)
    assert.is_nil(metadata.Authorization)
  end)

  it("is what whoever accepts it says, before its client", function()
    decide = function(registration)
      registration:accept { name = "ours", weight = 3,
        labels = { Region = "us", tier = "gold" } }
    end
    join { ["Reverst-Name"] = "theirs", ["Reverst-Weight"] = "250",
      ["Reverst-Label-Region"] = "eu", ["Reverst-Label-rack"] = "7" }
    local tunnel = only_tunnel()
    assert.equal("ours", tunnel.name)
    assert.equal(3, tunnel.weight)
    assert.same({ Region = "us", tier = "gold", rack = "7" }, tunnel.labels)
    assert.equal("eu", tunnel.metadata["Reverst-Label-Region"])
  end)

  it("keeps what its client says where its acceptance is silent", function()
    decide = function(registration) registration:accept { weight = 7 } end
    join { ["Reverst-Name"] = "theirs", ["Reverst-Label-rack"] = "7" }
    local tunnel = only_tunnel()
    assert.same({ "theirs", 7, "7" },
      { tunnel.name, tunnel.weight, tunnel.labels.rack })
  end)

  it("has no weight beyond 65 535", function()
    decide = function(registration) registration:accept { weight = 70000 } end
    join({})
    assert.equal(65535, only_tunnel().weight)
  end)

  for _, weight in ipairs { "0", "-1", "65536", "1.5", "", " 1", "ten",
    "99999999999999999999999" } do
    it(("ignores a weight of %q, and says so"):format(weight), function()
      join { ["Reverst-Weight"] = weight }
      assert.equal(1, only_tunnel().weight)
      local entry = server:logged "weight_ignored"
      assert.equal(weight, entry.weight)
      assert.matches("1 to 65535", entry.error)
    end)
  end

  it("has a name of at most 63 bytes, of whole characters", function()
    join { ["Reverst-Name"] = ("x"):rep(62) .. "äx" }
    assert.equal(("x"):rep(62), only_tunnel().name)
  end)

  it("counts its requests, and those under way", function()
    local held
    join({}, { on_request = function(_, request)
      if request:path() == "/hold" then held = request else pong(_, request) end
    end })
    world:get("/")
    local visitor = world:visitor():ask { path = "/hold" }
    world:run("the request", function() return held end)
    local tunnel = only_tunnel()
    assert.same({ 1, 2 }, { tunnel.active, tunnel.requests })
    assert.is_true(tunnel.latency > 0)
    held:respond {}
    visitor:read_answer()
    assert.equal(0, only_tunnel().active)
  end)

  it("is not there when nobody could tell whether it may be", function()
    decide = function(registration) registration:fail "the service is down" end
    local client = world:client { group = "app", on_request = pong }
    local disconnect = world:disconnect_of(client)
    assert.is_true(disconnect.refused)
    assert.same({ "server error", 1 }, { disconnect.reason, disconnect.code })
    assert.equal("the service is down",
      server:logged("registration_refused").detail)
    assert.same({}, server:tunnels())
    assert.equal(1, server:stats().registrations_refused)
  end)

  it("is found by its group", function()
    assert(server:add_group { name = "other", insecure = true })
    join({})
    world:connected_client { group = "other", on_request = pong }
    assert.equal(2, #server:tunnels())
    assert.equal("other", server:tunnels("other")[1].group)
    assert.equal(1, #server:tunnels "app")
    assert.same({}, server:tunnels "none")
  end)
end)

describe("the owner of a group", function()
  local world, server, events

  -- "up 1", "down 1 closed_by_peer": numbers are those of tunnels.
  local function note(_, tunnel, reason)
    events[#events + 1] = (reason and "down " or "up ") .. tunnel.id ..
      (reason and " " .. reason or "")
  end

  local function await_events(count)
    world:run(count .. " events", function() return #events >= count end)
  end

  before_each(function()
    world, events = World.new(), {}
    server = world:server { groups = { app = {
      hosts = { "app.test" }, insecure = true,
      on_tunnel_up = note, on_tunnel_down = note,
    } } }
  end)
  after_each(function() world:close() end)

  local function join(options)
    options = options or {}
    options.group, options.on_request = "app", options.on_request or pong
    return world:connected_client(options)
  end

  it("hears of tunnels that come and go, in order", function()
    local first = join()
    local second = join()
    world:close_engine(first)
    await_events(3)
    world:close_engine(second)
    await_events(4)
    assert.same({ "up 1", "up 2", "down 1 closed_by_peer",
      "down 2 closed_by_peer" }, events)
  end)

  it("hears why the server itself closed one", function()
    local id = ("0123456789abcdef"):rep(2)
    local metadata = { ["Reverst-Instance"] = id }
    local first = join {
      metadata = metadata, on_disconnected = function(it) it:close() end,
    }
    join { metadata = metadata }
    await_events(3)
    assert.same({ "up 1", "up 2", "down 1 replaced" }, events)
    world:run("the first's end", function() return first:is_closed() end)
  end)

  it("hears of all ends before the server's own", function()
    join()
    join()
    server:close()
    world:run("the server's end", function() return server:is_closed() end)
    table.sort(events)
    assert.same({ "down 1 server closing down", "down 2 server closing down",
      "up 1", "up 2" }, events)
  end)

  it("sees a tunnel that may be asked what it was", function()
    local facts
    server.options.groups = nil
    assert(server:set_routing { {
      name = "app", hosts = { "app.test" }, insecure = true,
      on_tunnel_up = function(_, tunnel) facts = { up = tunnel } end,
      on_tunnel_down = function(_, tunnel) facts.down = tunnel end,
    } })
    local client = join { metadata = { ["Reverst-Name"] = "rack" } }
    world:get("/")
    world:close_engine(client)
    world:run("its end", function() return facts.down end)
    assert.is_true(facts.up.eligible)
    assert.is_false(facts.down.eligible)
    assert.same({ 0, 1 }, { facts.up.requests, facts.down.requests })
    assert.same({ "rack", "rack" }, { facts.up.name, facts.down.name })
    assert.equal(facts.up.peer, facts.down.peer)
  end)

  it("may close the server when a tunnel comes", function()
    assert(server:set_routing { {
      name = "app", hosts = { "app.test" }, insecure = true,
      on_tunnel_up = function() server:close() end, on_tunnel_down = note,
    } })
    world:client { group = "app", on_request = pong }
    world:run("the server's end", function() return server:is_closed() end)
    assert.same({ "down 1 server closing down" }, events)
  end)
end)
