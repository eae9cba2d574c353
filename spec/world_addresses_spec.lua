-- SPDX-License-Identifier: MIT
-- Where a server listens, and what else of it changes while it runs.
local World = require "world"
local new_folder = require "new_folder"

local function answer(_, request)
  if request:path() ~= "/hold" then
    request:respond { body = "PONG\n" }
  end
end

local groups = { app = { "app.test" } }

describe("the addresses for visitors", function()
  local world, folder

  before_each(function() world = World.new() end)
  after_each(function()
    world:close()
    if folder then
      assert(os.remove(folder)) -- nothing may be left in it
      folder = nil
    end
  end)

  local function socket_path()
    folder = new_folder()
    return "unix:" .. folder .. "/http.sock"
  end

  local function serve(options)
    options = options or {}
    options.groups = groups
    local server = assert(world:server(options))
    world:connected_client { group = "app", on_request = answer }
    return server
  end

  local function body_at(address)
    return world:get("/", { address = address }):body()
  end

  it("may be a Unix socket", function()
    local path = socket_path()
    local server = serve { http_address = path }
    assert.equal(path, server:http_address())
    assert.equal("PONG\n", body_at(path))
    local kept = world:visitor { address = path }
    for _ = 1, 3 do
      assert.equal("PONG\n", kept:ask():read_answer():body())
    end
  end)

  it("bound nobody by his address at a Unix socket", function()
    local path = socket_path()
    local server = serve {
      http_addresses = { path, "127.0.0.1:0" }, max_connections_per_address = 1,
    }
    local visitors = {}
    for i = 1, 3 do visitors[i] = world:visitor { address = path } end
    for i = 1, 3 do
      assert.equal("PONG\n", visitors[i]:ask():read_answer():body())
    end
    local tcp = world:visitor { address = server:http_address(2) }
    assert.equal("PONG\n", tcp:ask():read_answer():body())
    world:visitor({ address = server:http_address(2) }):await_close()
  end)

  it("may be several", function()
    local path = socket_path()
    local server = serve {
      http_addresses = { "127.0.0.1:0", path, "127.0.0.1:0" },
    }
    -- the third is the same wish as the first
    assert.equal(path, server:http_address(2))
    assert.is_nil(server:http_address(3))
    assert.equal("PONG\n", body_at(server:http_address(1)))
    assert.equal("PONG\n", body_at(path))
  end)

  it("are at most 16", function()
    local many = {}
    for i = 1, 17 do many[i] = "127.0.0.1:" .. 20000 + i end
    local _, fault, log = world:server { http_addresses = many }
    assert.equal("REVERST_ERR_LIMIT", fault)
    assert.equal("http.address", log[1].option)
  end)

  it("change while the server runs", function()
    local path = socket_path()
    local server = serve()
    local before = server:http_address()
    assert(server:set_http_address(path))
    assert.equal(path, server:http_address())
    assert.equal("PONG\n", body_at(path))
    assert.has_error(function()
      local visitor = world:visitor { address = before }
      visitor:ask():read_answer()
    end)
    assert(server:set_http_address "127.0.0.1:0")
    assert.equal("PONG\n", world:get("/"):body())
  end)

  it("let what came in by those before finish", function()
    local held
    local server = world:server { groups = groups }
    world:connected_client { group = "app", on_request = function(_, request)
      if request:path() == "/hold" then held = request
      else answer(nil, request) end
    end }
    local idle = world:visitor()
    assert.equal("PONG\n", idle:ask():read_answer():body())
    local waiting = world:visitor():ask { path = "/hold" }
    world:run("the request", function() return held end)
    assert(server:set_http_address "127.0.0.2:0")
    assert.equal("end", idle:await_close())
    held:respond { body = "finished" }
    local finished = waiting:read_answer()
    assert.equal("finished", finished:body())
    assert.equal("close", finished:header "connection")
    assert.equal("PONG\n", world:get("/"):body())
  end)

  it("may cover those before, or be covered by them", function()
    local server = serve()
    local port = server:http_address():match ":(%d+)$"
    local wide, narrow = "0.0.0.0:" .. port, "127.0.0.1:" .. port
    local kept = world:visitor()
    for _, addresses in ipairs {
      { wide }, { narrow }, { "127.0.0.2:" .. port, narrow }, { ":" .. port },
      { narrow, "127.0.0.2:" .. port }, { wide },
    } do
      assert(server:set_http_address(addresses))
      assert.equal("PONG\n", body_at(narrow))
    end
    -- for the moment of a change only: nobody else may have the port
    for _, address in ipairs { narrow, wide } do
      local other, fault = world:server { http_address = address }
      assert.same({ nil, "REVERST_ERR_LISTEN" }, { other, fault })
    end
    kept:await_close()
  end)

  it("stay as they were when one that covers them cannot be had", function()
    local server = serve()
    local before = server:http_address()
    local port = before:match ":(%d+)$"
    assert.same({ nil, "REVERST_ERR_LISTEN" }, { server:set_http_address {
      "0.0.0.0:" .. port, "unix:/nonexistent/http.sock" } })
    assert.equal(before, server:http_address())
    assert.equal("PONG\n", body_at(before))
    assert.is_nil((world:server { http_address = "0.0.0.0:" .. port }))
  end)

  it("are not touched where they stay", function()
    local server = serve { http_addresses = { "127.0.0.1:0" } }
    local first = server:http_address()
    local kept = world:visitor()
    assert.equal("PONG\n", kept:ask():read_answer():body())
    local path = socket_path()
    assert(server:set_http_address { first, path })
    assert.same({ first, path },
      { server:http_address(1), server:http_address(2) })
    assert.equal("PONG\n", kept:ask():read_answer():body())
    assert(server:set_http_address(first))
    assert.equal("PONG\n", kept:ask():read_answer():body())
    assert.equal("PONG\n", body_at(first))
  end)

  it("stay as they are when one of the new ones cannot be had", function()
    local server = serve()
    local before = server:http_address()
    local taken = world:origin(function() end).address
    for address, fault in pairs {
      [taken] = "REVERST_ERR_LISTEN", nonsense = "REVERST_ERR_ADDRESS",
      ["unix:/nonexistent/http.sock"] = "REVERST_ERR_LISTEN",
    } do
      assert.same({ nil, fault }, { server:set_http_address {
        "127.0.0.1:0", address } })
      assert.equal(before, server:http_address())
      assert.is_nil(server:http_address(2))
    end
    assert.equal("PONG\n", world:get("/"):body())
  end)

  it("stay as they are while the server drains", function()
    local server = serve { drain_timeout = math.huge }
    local visitor = world:visitor():ask { path = "/hold" }
    world:run("the request", function() return server:stats().exchanges == 1 end)
    server.draining = true
    server:drain()
    assert.same({ nil, "REVERST_ERR_CLOSED" },
      { server:set_http_address "127.0.0.1:0" })
    server:close()
    visitor:await_close()
    world:run("the server's end", function() return server:is_closed() end)
  end)

  it("share one bound of connections", function()
    local server = serve {
      http_addresses = { "127.0.0.1:0" }, max_connections = 1,
    }
    local visitor = world:visitor()
    assert.equal("PONG\n", visitor:ask():read_answer():body())
    local path = socket_path()
    assert(server:set_http_address { server:http_address(), path })
    world:visitor({ address = path }):await_close()
    assert.equal("max_connections", server:logged("connection_refused").limit)
  end)
end)

describe("a running server", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("may get another bound of its drain", function()
    local server = world:server { groups = groups, drain_timeout = math.huge }
    world:connected_client { group = "app", on_request = answer }
    local visitor = world:visitor():ask { path = "/hold" }
    world:run("the request", function() return server:stats().exchanges == 1 end)
    server:set_drain_timeout(0.2)
    server.draining = true
    server:drain()
    visitor:await_close()
    world:run("the server's end", function() return server:is_closed() end)
  end)

  it("may say more or less", function()
    local server = world:server { groups = groups }
    local INFO, ERROR = 3, 5
    server:set_log_level(ERROR)
    local client = world:connected_client { group = "app", on_request = answer }
    assert.is_nil(server:logged "tunnel_up")
    server:set_log_level(INFO)
    world:close_engine(client)
    world:run("the entry", function() return server:logged "tunnel_down" end)
  end)

  it("may take its certificate from other paths", function()
    local server = world:server { groups = groups }
    local other = World.other_certificate(true)
    assert.same({ nil, "REVERST_ERR_PRIVATE_KEY" }, {
      server:set_certificate(other, server.options.private_key) })
    assert.is_true((world:connected_client {
      group = "app", on_request = answer }):is_connected())
    assert(server:set_certificate(other, other .. ".key"))
    local client = world:client { group = "app", on_request = answer }
    assert.equal("REVERST_ERR_TLS", world:disconnect_of(client).error)
    assert(server:reload_certificates())
    world:connected_client { group = "app", ca = other, on_request = answer }
    os.remove(other)
    os.remove(other .. ".key")
    assert.is_nil(server:reload_certificates())
  end)
end)

describe("connections that have not registered", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  local function serve(options)
    local registrations = {}
    options.groups = { app = {
      hosts = { "app.test" },
      authenticate = function(_, registration)
        registrations[#registrations + 1] = registration
      end,
    } }
    return world:server(options), registrations
  end

  for option, options in pairs {
    max_pending = { max_pending = 2 },
    max_pending_per_address = { max_pending_per_address = 2 },
  } do
    it("are refused beyond " .. option, function()
      local server, registrations = serve(options)
      for _ = 1, 2 do world:client { group = "app", on_request = answer } end
      world:run("two registrations", function() return #registrations == 2 end)
      local third = world:client { group = "app", on_request = answer }
      local disconnect = world:disconnect_of(third)
      assert.is_false(disconnect.refused)
      assert.equal("it takes no connections now", disconnect.reason)
      assert.equal("REVERST_ERR_LIMIT", disconnect.error)
      assert.equal(2, server:stats().pending_registrations)
      for i = 1, 2 do registrations[i]:accept() end
      world:run("two tunnels", function() return server:stats().tunnels == 2 end)
    end)
  end

  it("have so much time and no more", function()
    local server, registrations = serve { registration_timeout = 0.3 }
    local before = World.now()
    local client = world:client { group = "app", on_request = answer }
    assert.equal("timeout", world:disconnect_of(client).reason)
    local took = World.now() - before
    assert.is_true(took > 0.25 and took < 5)
    assert.equal(1, server:stats().registrations_refused)
    for _, registration in ipairs(registrations) do registration:accept() end
  end)
end)
