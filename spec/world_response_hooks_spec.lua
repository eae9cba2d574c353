-- SPDX-License-Identifier: MIT
-- What an application does to responses on their way to the visitor.
local World = require "world"

describe("a hook of responses", function()
  local world, server, group, visits, cancelled, held

  -- on_response is `hook`, or keeps the visit in `visits`.
  local function serve(hook, options)
    group = { hosts = { "app.test" }, insecure = true }
    for key, value in pairs(options or {}) do group[key] = value end
    group.on_response = function(_, visit)
      visits[#visits + 1] = visit
      if hook then hook(visit) end
    end
    group.on_cancelled = function(_, visit)
      cancelled[#cancelled + 1] = visit
    end
    server = world:server { groups = { app = group } }
  end

  -- A client that answers by `answer`, or holds its requests.
  local function join(answer, options)
    options = options or {}
    options.group = "app"
    options.on_request = function(_, request)
      if answer then
        request:respond(answer)
      else
        held[#held + 1] = request
      end
    end
    return world:connected_client(options)
  end

  local function await_visit(count)
    world:run("a visit", function() return #visits >= (count or 1) end)
    return visits[count or 1]
  end

  local function await_held(count)
    world:run("a request", function() return #held >= (count or 1) end)
    return held[count or 1]
  end

  local function await_cancelled()
    world:run("a cancellation", function() return cancelled[1] end)
  end

  before_each(function()
    world, visits, cancelled, held = World.new(), {}, {}, {}
  end)
  after_each(function() world:close() end)

  it("reads and changes status and fields", function()
    local seen
    serve(function(visit)
      seen = visit:response()
      assert.equal("/path", visit:facts().path)
      assert.equal("1", visit:response_header "x-one")
      assert.is_nil(visit:response_header "x-none")
      assert.is_true(visit:set_status(418))
      assert.is_true(visit:set_response_header("X-One", "2"))
      assert.is_true(visit:set_response_header("server", nil))
      assert.is_true(visit:set_response_header("via", "1.1 reverst"))
      assert.is_true(visit:add_response_header("set-cookie", "b=2"))
      assert.equal(418, visit:response().status)
      visit:continue()
    end)
    join { status = 200, body = "tea", headers = { { "X-One", "1" },
      { "Server", "thing" }, { "X-One", "3" }, { "Set-Cookie", "a=1" } } }
    local answer = world:get "/path"
    assert.equal(200, seen.status)
    assert.same({ "1", "3" }, World.values(seen.headers, "x-one"))
    assert.same({ 418, "tea" }, { answer.status, answer:body() })
    assert.same({ "2" }, World.values(answer.headers, "x-one"))
    assert.same({}, World.values(answer.headers, "server"))
    assert.same({ "1.1 reverst" }, World.values(answer.headers, "via"))
    assert.same({ "a=1", "b=2" }, World.values(answer.headers, "set-cookie"))
  end)

  it("cannot change what the message hangs on", function()
    local invalid = { nil, "REVERST_ERR_INVALID" }
    serve(function(visit)
      for _, name in ipairs { "Content-Length", "Transfer-Encoding", "Connection",
        "Trailer", "Upgrade", "Keep-Alive", "a b", "" } do
        assert.same(invalid, { visit:set_response_header(name, "1") }, name)
        assert.same(invalid, { visit:set_response_header(name, nil) }, name)
      end
      for _, status in ipairs { 199, 100, 600, 204, 304, 0, -1 } do
        assert.same(invalid, { visit:set_status(status) }, status)
      end
      assert.same(invalid, { visit:set_response_header("x-a", "a\r\nb") })
      local closed = { nil, "REVERST_ERR_CLOSED" }
      assert.same(closed, { visit:set_header("x-a", "b") })
      assert.same(closed, { visit:set_path "/b" })
      assert.same(closed, { visit:respond {} })
      visit:continue()
    end)
    join { body = "whole" }
    assert.equal("whole", world:get("/"):body())
  end)

  it("leaves a response without a body without one", function()
    serve(function(visit)
      assert.same({ nil, "REVERST_ERR_INVALID" }, { visit:set_status(200) })
      assert.is_true(visit:set_status(304))
      visit:continue()
    end)
    join { status = 204 }
    local answer = world:get "/"
    assert.same({ 304, "" }, { answer.status, answer:body() })
  end)

  it("may take its time, while head and body wait", function()
    serve()
    join { body = "late", headers = { { "x-one", "1" } } }
    local visitor = world:visitor():ask {}
    local visit = await_visit()
    world:turns(20)
    visitor:look()
    assert.is_nil(visitor.answer.status)
    visit:set_response_header("x-one", "2")
    visit:continue()
    local answer = visitor:read_answer()
    assert.same({ 200, "late", "2" },
      { answer.status, answer:body(), World.value(answer.headers, "x-one") })
    assert.equal(0, #cancelled)
  end)

  it("holds a body larger than a pipe back, and loses none of it", function()
    serve()
    local body = ("0123456789"):rep(200000)
    join()
    local visitor = world:visitor():ask {}
    local request = await_held()
    local sent = 0
    local function write()
      while sent < #body and request:write(body:sub(sent + 1, sent + 20000)) do
        sent = sent + 20000
      end
      if sent == #body then request:finish() end
    end
    request:on { writable = write }
    request:start {}
    write()
    local visit = await_visit()
    world:turns(100)
    assert.is_true(sent < 1000000)
    assert.is_true(server:stats().buffered_bytes < 600000)
    visit:continue()
    assert.is_true(visitor:read_answer():body() == body)
  end)

  it("lets early hints pass before", function()
    serve()
    local origin = world:origin(function(wire)
      wire:send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" ..
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    end)
    world:connected_client { group = "app", origin = origin.address }
    local visitor = world:visitor():ask {}
    local visit = await_visit()
    world:run("the hints", function()
      visitor:look()
      return visitor.answer.informational[1]
    end)
    assert.is_nil(visitor.answer.status)
    visit:continue()
    assert.equal("ok", visitor:read_answer():body())
  end)

  it("that fails is told as 500, even if the response was whole", function()
    serve(function(visit) visit:fail() end)
    join { body = "secret" }
    local visitor = world:visitor()
    for _ = 1, 2 do
      local answer = visitor:ask {}:read_answer()
      assert.equal(500, answer.status)
      assert.is_nil(answer:body():find "secret")
    end
    assert.equal(2, server:stats().failures)
    assert.equal(0, #cancelled)
  end)

  it("that fails ends a response that is under way", function()
    serve(function(visit) visit:fail() end)
    join()
    local visitor = world:visitor():ask {}
    local request = await_held()
    request:start {}
    request:write "half"
    assert.equal(500, visitor:read_answer().status)
    world:run("the end of the request", function() return request:is_closed() end)
  end)

  it("hears of a tunnel that is lost while the head waits; nothing is retried",
    function()
      serve()
      local client = join()
      local other = join { body = "other" }
      -- the one that holds its request has the first turn
      local visitor = world:visitor():ask {}
      world:run("a request", function() return held[1] or visits[1] end)
      if visits[1] then
        visits[1]:continue()
        visitor:read_answer()
        visits = {}
        visitor:ask {}
      end
      local request = await_held()
      request:start {}
      request:write "half"
      await_visit()
      world:close_engine(client)
      local answer = visitor:read_answer()
      assert.equal(502, answer.status)
      await_cancelled()
      assert.equal(visits[1], cancelled[1])
      assert.same({ 1, 0, 1 },
        { #cancelled, server:stats().retries, server:stats().failures })
      assert.is_false(other:is_closed())
    end)

  it("is not troubled by a tunnel that is lost after a whole response", function()
    serve()
    local client = join { body = "whole" }
    local visitor = world:visitor():ask {}
    local visit = await_visit()
    world:close_engine(client)
    world:run("no tunnel", function() return server:stats().tunnels == 0 end)
    visit:continue()
    assert.equal("whole", visitor:read_answer():body())
    assert.equal(0, #cancelled)
  end)

  it("hears of a visitor that leaves before the decision", function()
    serve()
    join()
    local visitor = world:visitor():ask {}
    local request = await_held()
    request:start {}
    local visit = await_visit()
    world:close_object(visitor.wire)
    await_cancelled()
    assert.equal(visit, cancelled[1])
    world:run("the end of the request", function() return request:is_closed() end)
    assert.equal(1, #cancelled)
  end)

  it("hears that the server closes before the decision", function()
    serve()
    join { body = "late" }
    world:visitor():ask {}
    await_visit()
    world:close_engine(server)
    assert.equal(1, #cancelled)
  end)

  it("is asked for each response, also with one for requests before", function()
    local order = {}
    serve(function(visit)
      order[#order + 1] = "response"
      visit:continue()
    end, { on_request = function(_, visit)
      order[#order + 1] = "request"
      visit:continue()
    end })
    join { body = "x" }
    local visitor = world:visitor()
    for _ = 1, 2 do visitor:ask {}:read_answer() end
    assert.same({ "request", "response", "request", "response" }, order)
  end)

  it("is not asked about failures, nor about answers of other hooks", function()
    serve(nil, { on_request = function(_, visit)
      if visit:facts().path == "/hook" then
        visit:respond { status = 401 }
      else
        visit:continue()
      end
    end })
    assert.equal(401, world:get("/hook").status)
    assert.equal(503, world:get("/").status)
    assert.equal(0, #visits)
  end)

  it("is asked as the group is when the head comes", function()
    serve()
    join()
    local visitor = world:visitor():ask {}
    local request = await_held()
    server:set_routing { { name = "app", hosts = { "app.test" }, insecure = true,
      on_response = function(_, visit)
        visit:set_status(203)
        visit:continue()
      end } }
    request:respond { body = "new" }
    assert.equal(203, visitor:read_answer().status)
    local next_one = world:visitor():ask {}
    request = await_held(2)
    server:set_routing { { name = "app", hosts = { "app.test" }, insecure = true } }
    request:respond { body = "none" }
    assert.equal("none", next_one:read_answer():body())
    assert.equal(0, #visits)
  end)

  it("still decides when its group was exchanged or taken away", function()
    serve()
    join { body = "x" }
    local visitors = { world:visitor():ask {}, world:visitor():ask {} }
    await_visit(2)
    server:set_routing { { name = "app", hosts = { "app.test" }, insecure = true } }
    visits[1]:set_status(201)
    visits[1]:continue()
    server:set_routing {}
    visits[2]:set_status(202)
    visits[2]:continue()
    local statuses = { visitors[1]:read_answer().status,
      visitors[2]:read_answer().status }
    table.sort(statuses)
    assert.same({ 201, 202 }, statuses)
  end)

  it("may decide when the visitor has gone a moment ago", function()
    serve()
    join { body = "x" }
    for _, decide in ipairs { "continue", "fail" } do
      local visitor = world:visitor():ask {}
      local visit = await_visit(#visits + 1)
      visitor.wire:reset()
      world:run("a decision or its cancellation", function()
        world.c:turn(0.001)
        if not visit:is_decided() then visit[decide](visit) end
        return visit:is_decided()
      end)
    end
  end)
end)
