-- SPDX-License-Identifier: MIT
-- Several tunnels in a group: turns, retries, losses, going and coming back.
local World = require "world"

describe("a group of several clients", function()
  local world, server, held

  -- A client that answers with its name, or holds requests to "/hold".
  local function join(name, options)
    options = options or {}
    options.group = "app"
    options.on_request = function(_, request)
      if request:path():match("^/hold") then
        table.insert(held, { name = name, request = request })
      else
        request:respond { body = name }
      end
    end
    return world:connected_client(options)
  end

  local function await_held(count)
    world:run("held requests", function() return #held >= count end)
    return held[count]
  end

  local function client_named(clients, name)
    return clients[name:byte() - ("a"):byte() + 1]
  end

  before_each(function()
    world, held = World.new(), {}
    server = world:server { groups = { app = { "app.test" } } }
  end)
  after_each(function() world:close() end)

  it("serves requests in turn", function()
    for _, name in ipairs { "a", "b", "c" } do join(name) end
    local order = ""
    for _ = 1, 9 do
      order = order .. world:get("/"):body()
    end
    assert.equal(order:sub(1, 3), order:sub(4, 6))
    assert.equal(order:sub(1, 3), order:sub(7, 9))
    for _, name in ipairs { "a", "b", "c" } do
      assert.equal(3, select(2, order:gsub(name, "")))
    end
    assert.equal(3, server:stats().tunnels)
  end)

  it("goes on without the one that leaves", function()
    local clients = { join "a", join "b" }
    world:close_engine(clients[1])
    world:run("one tunnel", function() return server:stats().tunnels == 1 end)
    for _ = 1, 4 do
      assert.equal("b", world:get("/"):body())
    end
  end)

  for _, method in ipairs { "GET", "HEAD", "OPTIONS", "PUT", "DELETE" } do
    it("sends a " .. method .. " to another one when its client dies", function()
      local clients = { join "a", join "b" }
      local visitor = world:visitor():ask {
        path = "/hold", method = method,
        body = method == "PUT" and ("x"):rep(60000) or nil,
      }
      local first = await_held(1)
      world:close_engine(client_named(clients, first.name))
      local second = await_held(2)
      assert.not_equal(first.name, second.name)
      second.request:respond { body = second.name }
      assert.equal(200, visitor:read_answer().status)
      assert.equal(1, server:stats().retries)
      assert.equal(0, server:stats().failures)
    end)
  end

  it("sends a whole upload again with its retry", function()
    local body = ("0123456789"):rep(6000)
    local clients, bodies = {}, {}
    for _, name in ipairs { "a", "b" } do
      clients[#clients + 1] = world:connected_client {
        group = "app",
        on_request = function(_, request)
          local seen = ""
          local function read()
            local piece = request:read()
            while piece and piece ~= "" do
              seen = seen .. piece
              piece = request:read()
            end
            if piece == "" then
              table.insert(bodies, seen)
              table.insert(held, { name = name, request = request })
            end
          end
          request:on { readable = read }
          read()
        end,
      }
    end
    local visitor = world:visitor():ask { method = "PUT", body = body }
    local first = await_held(1)
    world:close_engine(client_named(clients, first.name))
    await_held(2).request:respond { status = 201 }
    assert.equal(201, visitor:read_answer().status)
    assert.equal(body, bodies[1])
    assert.equal(body, bodies[2])
  end)

  it("never sends a POST again that a client may have seen", function()
    local clients = { join "a", join "b" }
    local visitor = world:visitor():ask {
      path = "/hold", method = "POST", body = "once",
    }
    local first = await_held(1)
    world:close_engine(client_named(clients, first.name))
    local answer = visitor:read_answer()
    assert.equal(502, answer.status)
    assert.equal(1, #held)
    assert.equal(0, server:stats().retries)
  end)

  it("sends even a POST to another one when its origin was never reached",
    function()
      world:connected_client { group = "app", origin = "127.0.0.1:1" }
      join "b"
      for _ = 1, 6 do
        local answer = world:ask { method = "POST", body = "once" }
        assert.equal(200, answer.status)
        assert.equal("b", answer:body())
      end
      assert.is_true(server:stats().retries >= 3)
    end)

  it("never sends a request again whose answer has begun", function()
    local clients = { join "a", join "b" }
    local visitor = world:visitor():ask { path = "/hold" }
    local first = await_held(1)
    first.request:start {}
    first.request:write("half")
    visitor:await_body(4)
    world:close_engine(client_named(clients, first.name))
    local answer = visitor:await_end()
    assert.is_nil(answer.complete)
    assert.equal("half", answer:body())
    assert.equal(1, #held)
  end)

  it("tries a request at most three times", function()
    local clients = {}
    for i = 1, 5 do clients[i] = join(string.char(96 + i)) end
    local visitor = world:visitor():ask { path = "/hold" }
    for i = 1, 3 do
      world:close_engine(client_named(clients, await_held(i).name))
    end
    assert.equal(502, visitor:read_answer().status)
    assert.equal(3, #held)
    assert.equal(2, server:stats().retries)
  end)

  it("fails what its only client had in flight when that dies", function()
    local client = join "a"
    local visitors = {}
    for i = 1, 10 do
      visitors[i] = world:visitor():ask { path = "/hold" }
    end
    await_held(10)
    world:close_engine(client)
    for i = 1, 10 do
      assert.equal(502, visitors[i]:read_answer().status)
    end
    assert.equal(503, world:get("/").status)
  end)

  it("moves requests away from a client that fell silent", function()
    local relay = world:relay()
    local silent = join("a", { address = relay:address() })
    join "b"
    local visitors = {}
    for i = 1, 2 do
      visitors[i] = world:visitor():ask { path = "/hold" }
    end
    await_held(2)
    relay:silence(true)
    local moved = await_held(3)
    assert.equal("b", moved.name)
    for _, entry in ipairs(held) do
      if entry.name == "b" then
        entry.request:respond { body = "b" }
      end
    end
    for i = 1, 2 do
      assert.equal("b", visitors[i]:read_answer():body())
    end
    assert.equal("b", world:get("/"):body())
    relay:silence(false)
    world:run("the silent one's requests to end", function()
      return silent:stats().exchanges == 0
    end)
    world:run("turns again", function() return world:get("/"):body() == "a" end)
  end)

  it("keeps a client whose address changes", function()
    local relay = world:relay()
    join("a", { address = relay:address() })
    local visitor = world:visitor():ask { path = "/hold" }
    local entry = await_held(1)
    relay:rebind()
    entry.request:respond { body = "still here" }
    assert.equal("still here", visitor:read_answer():body())
    for _ = 1, 5 do
      assert.equal("a", world:get("/"):body())
    end
    assert.equal(1, server:stats().registrations_accepted)
  end)
end)

describe("requests for a client that takes few at once", function()
  local world, server, running, most

  -- Answers are given a turn later, so that more could be running.
  local function serve(max_streams, options)
    options = options or {}
    options.hosts, options.insecure = { "app.test" }, true
    running, most = {}, 0
    server = world:server { groups = { app = options } }
    return world:connected_client {
      group = "app", max_streams = max_streams,
      on_request = function(_, request)
        table.insert(running, request)
        most = math.max(most, #running)
      end,
    }
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("wait in a queue and are all answered", function()
    serve(2)
    local load = world:start_load { connections = 20, requests = 20, body = "x" }
    world:run("two requests", function() return #running == 2 end)
    world:turns(10)
    assert.equal(2, most)
    world:run("all answers", function()
      if #running > 0 then
        table.remove(running, 1):respond { body = "x" }
      end
      return load:is_done()
    end)
    assert.equal(20, load:counts().right)
    assert.equal(2, most)
  end)

  it("leave the queue when their visitors do", function()
    serve(1)
    local first = world:visitor():ask { path = "/first" }
    world:run("the first", function() return #running == 1 end)
    local waiting = {}
    for i = 1, 5 do waiting[i] = world:visitor():ask { path = "/gone" } end
    world:run("the others", function() return server:stats().exchanges == 6 end)
    for i = 1, 5 do waiting[i].wire:close() end
    world:run("their end", function() return server:stats().exchanges == 1 end)
    local last = world:visitor():ask { path = "/last" }
    world:run("the last", function() return server:stats().exchanges == 2 end)
    running[1]:respond { body = "x" }
    first:read_answer()
    world:run("the last", function() return #running == 2 end)
    assert.equal("/last", running[2]:path())
    running[2]:respond { body = "y" }
    assert.equal("y", last:read_answer():body())
  end)

  it("are 503 when they waited for too long", function()
    serve(1, { queue_timeout = 0.2 })
    local first = world:visitor():ask()
    world:run("the first", function() return #running == 1 end)
    assert.equal(503, world:get("/").status)
    running[1]:respond {}
    assert.equal(200, first:read_answer().status)
  end)

  it("are failed when the client leaves meanwhile", function()
    local client = serve(1)
    local visitors = {}
    for i = 1, 3 do visitors[i] = world:visitor():ask() end
    world:run("all", function() return server:stats().exchanges == 3 end)
    world:close_engine(client)
    local statuses = {}
    for i = 1, 3 do statuses[i] = visitors[i]:read_answer().status end
    table.sort(statuses)
    assert.same({ 502, 503, 503 }, statuses)
  end)

  it("go to a client that comes meanwhile", function()
    serve(1)
    local first = world:visitor():ask()
    world:run("the first", function() return #running == 1 end)
    local second = world:visitor():ask()
    world:run("the second", function() return server:stats().exchanges == 2 end)
    world:connected_client {
      group = "app",
      on_request = function(_, request) request:respond { body = "new" } end,
    }
    assert.equal("new", second:read_answer():body())
    running[1]:respond {}
    first:read_answer()
  end)

  it("are 504 when no head comes within the group's bound", function()
    serve(10, { response_timeout = 1 })
    local complete
    local visitor = world:visitor():ask()
    world:run("the request", function() return #running == 1 end)
    running[1]:on { closed = function(_, it) complete = it end }
    assert.equal(504, visitor:read_answer().status)
    world:run("the handler's end", function() return complete ~= nil end)
    assert.is_false(complete)
  end)

  it("are not 504 while their visitors still send them", function()
    serve(10, { response_timeout = 0.3, max_fails = 1 })
    local visitor = world:visitor()
    visitor:expect("POST")
    visitor.wire:send("POST / HTTP/1.1\r\nHost: app.test\r\n" ..
      "Content-Length: 2\r\n\r\na")
    world:run("the request", function() return #running == 1 end)
    local begin = World.now()
    world:run("time", function() return World.now() - begin > 0.7 end)
    assert.equal(1, server:stats().exchanges)
    visitor.wire:send("b")
    assert.equal(504, visitor:read_answer().status)
    assert.is_true(World.now() - begin > 0.9)
  end)
end)

describe("a server that goes", function()
  local world, server, held

  local function serve(options)
    options = options or {}
    options.groups = { app = { "app.test" } }
    server = world:server(options)
    return server
  end

  local function join()
    return world:connected_client {
      group = "app",
      on_request = function(_, request)
        if request:path() == "/hold" then
          held = request
        else
          request:respond { body = "x" }
        end
      end,
    }
  end

  before_each(function()
    world, held = World.new(), nil
  end)
  after_each(function() world:close() end)

  it("closes its tunnels with a reason", function()
    serve()
    local client = join()
    world:close_engine(server)
    local disconnect = world:run("the disconnection", function()
      return client.disconnects[1]
    end)
    assert.is_false(disconnect.refused)
    assert.equal(0, disconnect.code)
    assert.equal("server closing down", disconnect.reason)
  end)

  it("breaks off what is under way when it is closed", function()
    serve()
    join()
    local waiting = world:visitor():ask { path = "/hold" }
    world:run("the request", function() return held end)
    server:close()
    waiting:await_close()
    world:run("the server's end", function() return server:is_closed() end)
    world:run("the handler's end", function() return held:is_closed() end)
  end)

  it("is found again by its clients when it is back", function()
    serve()
    local client = join()
    local http, tunnel = server:http_address(), server:tunnel_address()
    world:close_engine(server)
    world:run("the loss", function() return not client:is_connected() end)
    serve { http_address = http, tunnel_address = tunnel }
    world:run("the client's return", function()
      return client:is_connected()
    end)
    assert.equal(2, client:stats().connects)
    assert.equal("x", world:get("/"):body())
  end)

  it("finishes what is under way when it drains, and takes nothing new",
    function()
      serve { drain_timeout = math.huge }
      local client = join()
      local kept = world:visitor()
      assert.equal("x", kept:ask():read_answer():body())
      local waiting = world:visitor():ask { path = "/hold" }
      world:run("the request", function() return held end)
      server.draining = true
      server:drain()
      assert.equal("end", kept:await_close())
      world:turns(5)
      assert.is_false(server:is_closed())
      held:respond { body = "finished" }
      local answer = waiting:read_answer()
      assert.equal("finished", answer:body())
      assert.equal("close", answer:header("connection"))
      world:run("the server's end", function() return server:is_closed() end)
      world:run("the client's loss", function()
        return not client:is_connected()
      end)
    end)

  it("lets a download end when it drains", function()
    serve { drain_timeout = math.huge }
    local handlers = require "handlers"
    world:connected_client {
      group = "app",
      on_request = function(_, request)
        request:start {}
        handlers.produce(request, 3 * 1024 * 1024)
      end,
    }
    local visitor = world:visitor():ask()
    visitor:await_body(10000)
    server.draining = true
    server:drain()
    assert.equal(3 * 1024 * 1024, visitor:read_answer().length)
    world:run("the server's end", function() return server:is_closed() end)
  end)

  it("ends at once when it drains with nothing under way", function()
    serve()
    join()
    server.draining = true
    server:drain()
    world:run("the server's end", function() return server:is_closed() end, 5)
  end)

  it("breaks off at the drain's end what has not finished", function()
    serve { drain_timeout = 0.2 }
    join()
    local waiting = world:visitor():ask { path = "/hold" }
    world:run("the request", function() return held end)
    server.draining = true
    server:drain()
    waiting:await_close()
    world:run("the server's end", function() return server:is_closed() end)
    assert.equal(1, server:logged("drain_timeout").exchanges)
  end)

  it("may be closed while it drains", function()
    serve { drain_timeout = math.huge }
    join()
    world:visitor():ask { path = "/hold" }
    world:run("the request", function() return held end)
    server.draining = true
    server:drain()
    server:close()
    world:run("the server's end", function() return server:is_closed() end)
  end)

  it("sends its clients to another server while it drains", function()
    serve { drain_timeout = math.huge }
    local client = join()
    local waiting = world:visitor():ask { path = "/hold" }
    world:run("the request", function() return held end)
    server.draining = true
    server:drain()
    world:run("the client's farewell", function()
      return client:logged("server_is_draining")
    end)
    held:respond { body = "finished" }
    assert.equal("finished", waiting:read_answer():body())
  end)
end)
