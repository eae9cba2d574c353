-- SPDX-License-Identifier: MIT
-- A client that dials a server: by which address, and when a second time.
local World = require "world"

local function pong(_, request)
  request:respond { body = "PONG\n" }
end

describe("a client that knows a server by name", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  local function serve(address)
    return world:server { tunnel_address = address, groups = {
      app = { "app.test" } } }
  end

  local function port_of(server)
    return server:tunnel_address():match ":(%d+)$"
  end

  -- localhost is ::1 first, then 127.0.0.1
  local function connect(server)
    return world:connected_client { group = "app", on_request = pong,
      address = "localhost:" .. port_of(server) }
  end

  it("finds the one address that answers, and registers once", function()
    local server = serve "127.0.0.1:0"
    local client = connect(server)
    assert.equal("PONG\n", world:get("/"):body())
    world:turns(3)
    assert.equal(1, server:stats().registrations_accepted)
    assert.equal(0, #client.disconnects)
  end)

  it("registers at one of two that answer", function()
    local server = serve "[::]:0"
    connect(server)
    world:turns(3)
    assert.equal(1, server:stats().registrations_accepted)
    assert.equal(0, server:stats().pending_registrations)
    assert.equal("PONG\n", world:get("/"):body())
  end)

  it("says why not when no address answers", function()
    local server = serve "127.0.0.1:0"
    local port = port_of(server)
    world:close_engine(server)
    serve "127.0.0.1:0"
    local client = world:client { group = "app", on_request = pong,
      address = "localhost:" .. port, max_idle_timeout = 0.5 }
    local disconnect = world:disconnect_of(client)
    assert.equal("REVERST_ERR_CONNECT", disconnect.error)
    assert.equal("no answer", disconnect.reason)
    assert.is_false(client:is_connected())
  end)

  it("says what a server said rather than that another is away", function()
    local server = serve "127.0.0.1:0"
    local client = world:client { group = "nope", on_request = pong,
      address = "localhost:" .. port_of(server) }
    local disconnect = world:disconnect_of(client)
    assert.is_true(disconnect.refused)
    assert.equal("not found", disconnect.reason)
  end)

  it("may be closed at any moment of the race", function()
    local server = serve "127.0.0.1:0"
    for turns = 0, 6 do
      local client = world:client { group = "app", on_request = pong,
        address = "localhost:" .. port_of(server) }
      world:turns(turns)
      world:close_engine(client)
    end
  end)
end)

describe("a client that knows several addresses of a server", function()
  local world, server, address

  before_each(function()
    world = World.new()
    server = world:server { groups = { app = { "app.test" } } }
    address = server:tunnel_address()
  end)
  after_each(function() world:close() end)

  -- 127.0.0.2 is silent, since nobody listens there
  local function silent()
    return "127.0.0.2:" .. address:match ":(%d+)$"
  end

  local function race(options, ...)
    options.group, options.on_request = "app", pong
    options.address = silent()
    local client = world:client(options)
    client:race { ... }
    return client
  end

  local function dialled(client)
    local list = {}
    for _, entry in ipairs(client.log) do
      if entry.event == "dialling" then
        list[#list + 1] = entry.address
      end
    end
    return list
  end

  local function await_tunnel(client)
    world:run("a tunnel", function() return client:is_connected() end)
    world:turns(3)
    assert.equal(1, server:stats().registrations_accepted)
    assert.equal(1, server:stats().tunnels)
    assert.equal(0, server:stats().pending_registrations)
    assert.equal("PONG\n", world:get("/"):body())
  end

  it("tries the next one when the first does not answer soon", function()
    local client = race({}, silent(), address)
    await_tunnel(client)
    assert.same({ silent(), address }, dialled(client))
    assert.equal(0, #client.disconnects)
  end)

  it("tries no other when the first answers", function()
    local client = race({}, address, silent())
    await_tunnel(client)
    assert.same({ address }, dialled(client))
  end)

  it("registers only where the handshake was done first", function()
    local relay = world:relay()
    relay:silence(true)
    local client = race({}, relay:address(), address, silent())
    world:run("the second dial", function() return dialled(client)[2] end)
    relay:silence(false)
    await_tunnel(client)
  end)

  it("tries the next one at once when the first has failed", function()
    local other = World.other_certificate()
    local client = race({ ca = other, insecure = false }, address, address)
    local disconnect = world:disconnect_of(client)
    assert.equal("REVERST_ERR_TLS", disconnect.error)
    assert.same({ address, address }, dialled(client))
    os.remove(other)
  end)

  it("tells of the loss once, when all have failed", function()
    local client = race({ max_idle_timeout = 0.5 }, silent(), silent(), silent())
    world:disconnect_of(client)
    assert.equal(1, #client.disconnects)
    assert.equal(3, #dialled(client))
  end)

  it("may be closed while they race", function()
    local client = race({}, silent(), silent(), address)
    world:run("the second dial", function() return dialled(client)[2] end)
    world:close_engine(client)
    assert.equal(0, #client.disconnects)
  end)
end)

describe("a client whose path to the server dies", function()
  local world, server, relay, client

  before_each(function()
    world = World.new()
    server = world:server { groups = { app = { "app.test" } } }
    relay = world:relay()
    client = world:connected_client { group = "app", on_request = pong,
      address = relay:address(), keep_alive_period = 0.2 }
  end)
  after_each(function() world:close() end)

  it("has another tunnel before the old one is given up", function()
    relay:lose()
    world:run("another registration", function()
      return client:stats().connects == 2
    end)
    assert.truthy(client:logged "server_is_silent")
    assert.equal(0, #client.disconnects)
    assert.is_true(client:is_connected())
    world:run("one tunnel", function() return server:stats().tunnels == 1 end)
    for _ = 1, 3 do
      assert.equal("PONG\n", world:get("/"):body())
    end
  end)

  it("keeps its only tunnel when that recovers first", function()
    relay:silence(true)
    world:run("silence", function() return client:logged "server_is_silent" end)
    relay:silence(false)
    world:run("one tunnel", function()
      return server:stats().tunnels == 1 and server:stats().pending_registrations
        == 0 and world:get("/").status == 200
    end)
    assert.is_true(client:is_connected())
    assert.equal(0, #client.disconnects)
  end)
end)
