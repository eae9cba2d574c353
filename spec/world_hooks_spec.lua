-- SPDX-License-Identifier: MIT
-- What an application does to visitors' requests before a tunnel gets them.
local World = require "world"

describe("a hook of requests", function()
  local world, server, visits, cancelled, seen

  local function join(options)
    options = options or {}
    options.group = options.group or "app"
    options.on_request = options.on_request or function(_, request)
      local facts = request:facts()
      seen[#seen + 1] = facts
      request:respond { body = facts.path }
    end
    return world:connected_client(options)
  end

  -- on_request is `hook`, or keeps the visit in `visits`.
  local function serve(hook, options)
    local group = { hosts = { "app.test" }, insecure = true }
    for key, value in pairs(options or {}) do group[key] = value end
    group.on_request = function(_, visit)
      visits[#visits + 1] = visit
      if hook then hook(visit) end
    end
    group.on_cancelled = function(_, visit)
      cancelled[#cancelled + 1] = visit
    end
    server = world:server { groups = { app = group } }
  end

  local function await_visit(count)
    world:run("a visit", function() return #visits >= (count or 1) end)
    return visits[count or 1]
  end

  local function await_cancelled(count)
    world:run("a cancellation", function() return #cancelled >= (count or 1) end)
  end

  before_each(function()
    world, visits, cancelled, seen = World.new(), {}, {}, {}
  end)
  after_each(function() world:close() end)

  it("lets a request go on at once, or later", function()
    serve()
    join()
    local visitor = world:visitor():ask { path = "/later" }
    local visit = await_visit()
    world:turns(5)
    assert.equal(0, #seen)
    visit:continue()
    assert.equal("/later", visitor:read_answer():body())
    assert.equal(0, #cancelled)
    assert.is_true(visit:is_decided())
  end)

  it("reads the request", function()
    local facts
    serve(function(visit)
      facts = visit:facts()
      assert.equal("two", visit:header "x-one")
      assert.is_nil(visit:header "x-none")
      visit:continue()
    end)
    join()
    world:get("/a?b=c", { host = "APP.test:81", headers = { { "X-One", "two" } } })
    assert.same({ "GET", "http", "app.test", "/a?b=c", "app" },
      { facts.method, facts.scheme, facts.host, facts.path, facts.group })
    assert.matches("^127%.0%.0%.1:%d+$", facts.peer)
    assert.equal(World.value(seen[1].headers, "x-request-id"), facts.id)
    assert.equal("two", World.value(facts.headers, "x-one"))
  end)

  it("changes fields and the path of what is forwarded", function()
    serve(function(visit)
      assert.is_true(visit:set_header("X-One", "1"))
      assert.is_true(visit:set_header("x-two", "2"))
      assert.is_true(visit:set_header("x-two", "3"))
      assert.is_true(visit:set_header("cookie", nil))
      assert.is_true(visit:set_header("X-Forwarded-User", "ann"))
      assert.is_true(visit:set_header("x-real-ip", "1.2.3.4"))
      assert.is_true(visit:set_path("/new?q=1"))
      assert.equal("/new?q=1", visit:facts().path)
      visit:continue()
    end)
    join()
    assert.equal("/new?q=1", world:get("/old", { headers = { { "X-One", "a" },
      { "Cookie", "a=b" }, { "X-one", "b" }, { "X-Real-IP", "9.9.9.9" } } }):body())
    local headers = seen[1].headers
    assert.same({ "1" }, World.values(headers, "x-one"))
    assert.same({ "3" }, World.values(headers, "x-two"))
    assert.same({}, World.values(headers, "cookie"))
    assert.same({ "ann" }, World.values(headers, "x-forwarded-user"))
    assert.same({ "1.2.3.4" }, World.values(headers, "x-real-ip"))
  end)

  it("cannot set what is the proxy's, nor break the message", function()
    local invalid = { nil, "REVERST_ERR_INVALID" }
    local limit = { nil, "REVERST_ERR_LIMIT" }
    serve(function(visit)
      for _, name in ipairs { "Host", "Content-Length", "Transfer-Encoding", "TE",
        "Connection", "Upgrade", "Keep-Alive", "Proxy-Connection", "Trailer",
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
        "X-Request-Id", "Via", "", "a b", "a:", ":path", "a\r\nb", "é" } do
        assert.same(invalid, { visit:set_header(name, "1") }, name)
        assert.same(invalid, { visit:set_header(name, nil) }, name)
      end
      for _, value in ipairs { "a\r\nb: c", "a\nb", " a", "a ", "\1" } do
        assert.same(invalid, { visit:set_header("x-a", value) }, value)
      end
      for _, path in ipairs { "", "a", "*", "http://a/", "/a b", "/#a", "/\n",
        "/\127" } do
        assert.same(invalid, { visit:set_path(path) }, path)
      end
      assert.same(limit, { visit:set_header(("x"):rep(257), "1") })
      assert.same(limit, { visit:set_header("x-a", ("x"):rep(16385)) })
      assert.same(limit, { visit:set_path("/" .. ("x"):rep(16384)) })
      assert.same(invalid, { visit:add_response_header("content-length", "1") })
      assert.same(invalid, { visit:add_response_header("x-a", "a\nb") })
      local count = 0
      while visit:set_header("x-" .. count, "1") do
        count = count + 1
      end
      assert.is_true(count > 50 and count < 120)
      visit:continue()
    end)
    join()
    assert.equal(200, world:get("/"):body() and 200)
    assert.equal(1, #seen)
  end)

  it("answers in place of a tunnel, as soon as there is none", function()
    serve(function(visit)
      assert.same({ nil, "REVERST_ERR_INVALID" }, { visit:respond { status = 99 } })
      assert.same({ nil, "REVERST_ERR_INVALID" },
        { visit:respond { headers = { { "a", "b\nc" } } } })
      assert.is_true(visit:add_response_header("X-Added", "yes"))
      assert.is_true(visit:respond { status = 302,
        headers = { { "Location", "/login" }, { "Set-Cookie", "a=1" },
          { "Set-Cookie", "b=2" }, { "Content-Length", "77" } },
        body = "go there" })
    end)
    local visitor = world:visitor()
    for _ = 1, 2 do
      local answer = visitor:ask { path = "/" }:read_answer()
      assert.equal(302, answer.status)
      assert.equal("go there", answer:body())
      assert.equal("/login", World.value(answer.headers, "location"))
      assert.same({ "a=1", "b=2" }, World.values(answer.headers, "set-cookie"))
      assert.same({ "8" }, World.values(answer.headers, "content-length"))
      assert.equal("yes", World.value(answer.headers, "x-added"))
    end
    local head = visitor:ask { method = "HEAD" }:read_answer()
    assert.same({ 302, "" }, { head.status, head:body() })
    assert.equal(0, server:stats().failures)
    assert.equal(0, #cancelled)
  end)

  it("answers without a body where there is none", function()
    serve(function(visit) assert.is_true(visit:respond { status = 204 }) end)
    local visitor = world:visitor()
    for _ = 1, 2 do
      local answer = visitor:ask {}:read_answer()
      assert.same({ 204, "" }, { answer.status, answer:body() })
      assert.same({}, World.values(answer.headers, "content-length"))
    end
  end)

  it("answers with a body beyond what a pipe takes at once", function()
    local body = ("0123456789"):rep(30000)
    serve(function(visit) visit:respond { body = body } end)
    assert.is_true(world:get("/"):body() == body)
  end)

  it("answers an upload that nobody reads, and the connection goes on", function()
    serve(function(visit) visit:respond { status = 403 } end)
    local visitor = world:visitor()
    assert.equal(403, visitor:ask {
      method = "POST", body = ("x"):rep(300000) }:read_answer().status)
    assert.equal(403, visitor:ask {}:read_answer().status)
  end)

  it("that fails is told as 500", function()
    serve(function(visit)
      visit:add_response_header("x-added", "yes")
      visit:fail()
    end)
    join()
    local answer = world:get "/"
    assert.equal(500, answer.status)
    assert.equal("yes", World.value(answer.headers, "x-added"))
    assert.equal(0, #seen)
    assert.equal(1, server:stats().failures)
  end)

  it("holds a large upload back while it waits, and loses none of it", function()
    serve()
    local body, got = ("0123456789"):rep(100000), {}
    join { on_request = function(_, request)
      local function read()
        local piece = request:read()
        while piece and piece ~= "" do
          got[#got + 1] = piece
          piece = request:read()
        end
        if piece == "" then request:respond { body = "done" } end
      end
      request:on { readable = read }
      read()
    end }
    local visitor = world:visitor():ask { method = "POST", body = body }
    local visit = await_visit()
    world:turns(50)
    assert.is_true(server:stats().buffered_bytes < 300000)
    visit:continue()
    assert.equal("done", visitor:read_answer():body())
    assert.is_true(table.concat(got) == body)
  end)

  it("does not count against the time that a response may take", function()
    serve(nil, { response_timeout = 0.2 })
    join()
    local visitor = world:visitor():ask {}
    local visit = await_visit()
    local from = World.now()
    world:run("more than that", function()
      world:turns(5)
      return World.now() > from + 0.3
    end)
    visit:continue()
    assert.equal(200, visitor:read_answer().status)
  end)

  it("hears of a visitor that leaves before the decision, once", function()
    serve()
    join()
    local visitor = world:visitor():ask {}
    local visit = await_visit()
    world:close_object(visitor.wire)
    await_cancelled()
    world:turns(20)
    assert.equal(1, #cancelled)
    assert.equal(visit, cancelled[1])
    assert.equal(0, #seen)
  end)

  it("does not hear of a visitor that leaves after it", function()
    serve(function(visit) visit:continue() end)
    local held
    join { on_request = function(_, request) held = request end }
    local visitor = world:visitor():ask {}
    world:run("the request", function() return held end)
    world:close_object(visitor.wire)
    world:run("the end of it", function() return held:is_closed() end)
    assert.equal(0, #cancelled)
  end)

  it("hears that the server closes before the decision", function()
    serve()
    world:visitor():ask {}
    world:visitor():ask {}
    await_visit(2)
    world:close_engine(server)
    assert.equal(2, #cancelled)
  end)

  it("may close the server itself", function()
    serve(function() server:close() end)
    local visitor = world:visitor():ask {}
    world:run("the end", function() return server:is_closed() end)
    visitor:await_close()
    assert.equal(1, #cancelled)
  end)

  it("may take its own group away", function()
    serve(function(visit)
      server:set_routing {}
      visit:continue()
    end)
    join()
    assert.equal(404, world:get("/").status)
    assert.equal(0, #cancelled)
  end)

  it("adds no more fields to a response than are good for it", function()
    local limit = { nil, "REVERST_ERR_LIMIT" }
    serve(function(visit)
      assert.same(limit, { visit:add_response_header("x-a", ("x"):rep(8190)) })
      for i = 1, 20 do
        assert.is_true(visit:add_response_header("x-a", tostring(i)))
      end
      assert.same(limit, { visit:add_response_header("x-a", "21") })
      visit:continue()
    end)
    join()
    assert.equal(20, #World.values(world:get("/").headers, "x-a"))
  end)

  it("answers who waits for leave to send, and the connection ends", function()
    serve(function(visit) visit:respond { status = 401 } end)
    local visitor = world:visitor()
    visitor:expect()
    visitor.wire:send("POST / HTTP/1.1\r\nHost: app.test\r\n" ..
      "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
    assert.equal(401, visitor:read_answer().status)
    assert.equal("end", visitor:await_close())
  end)

  it("may decide while the server drains", function()
    serve()
    join()
    local visitor = world:visitor():ask {}
    local visit = await_visit()
    server.draining = true
    server:drain()
    world:turns(10)
    visit:continue()
    assert.equal(200, visitor:read_answer().status)
    world:close_object(visitor.wire)
    world:run("the end", function() return server:is_closed() end)
  end)

  it("finds its tunnel there while the server drains", function()
    local held
    serve()
    local client = join {
      on_request = function(_, request) held = request end,
    }
    local visitor = world:visitor():ask {}
    local visit = await_visit()
    server.draining = true
    server:drain()
    world:turns(20)
    assert.is_nil(client:logged "server_is_draining")
    visit:continue()
    world:run("the request", function() return held end)
    world:run("the client's farewell", function()
      return client:logged "server_is_draining"
    end)
    held:respond { body = "finished" }
    assert.equal("finished", visitor:read_answer():body())
  end)

  it("may decide when the visitor has gone a moment ago", function()
    serve()
    join()
    for _, decide in ipairs { "continue", "fail", "respond" } do
      local visitor = world:visitor():ask {}
      local visit = await_visit(#visits + 1)
      visitor.wire:reset()
      world:run("the cancellation or nothing", function()
        world.c:turn(0.001)
        if not visit:is_decided() then visit[decide](visit, {}) end
        return visit:is_decided()
      end)
    end
  end)

  it("has its group exchanged while it waits, and goes on with the new one",
    function()
      serve()
      join()
      local visitor = world:visitor():ask { path = "/x" }
      local visit = await_visit()
      assert.is_true(server:set_routing { {
        name = "app", hosts = { "app.test" }, insecure = true,
        on_request = function() error "not this one" end } })
      visit:continue()
      assert.equal("/x", visitor:read_answer():body())
      assert.equal(0, #cancelled)
    end)

  it("has its group taken away while it waits: nobody serves the request then",
    function()
      serve()
      join()
      local visitor = world:visitor():ask {}
      local other = world:visitor():ask {}
      await_visit(2)
      assert.is_true(server:set_routing { {
        name = "other", hosts = { "other.test" }, insecure = true } })
      visits[1]:continue()
      assert.equal(404, visitor:read_answer().status)
      world:close_object(other.wire)
      await_cancelled()
      assert.equal(visits[2], cancelled[1])
    end)
end)

describe("a hook of routes", function()
  local world, server, cancelled

  local function join(group)
    world:connected_client { group = group, on_request = function(_, request)
      request:respond { body = group .. request:path() }
    end }
  end

  -- Groups "a" (host a.test) and "b" (no host).
  local function serve(on_route, on_request)
    cancelled = {}
    server = world:server {}
    assert(server:set_routing {
      { name = "a", hosts = { "a.test" }, insecure = true },
      { name = "b", insecure = true, on_request = on_request },
      on_route = on_route,
      on_cancelled = function(_, visit) cancelled[#cancelled + 1] = visit end,
    })
    join "a"
    join "b"
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("sends a request to a group, to the one of its host, or to none", function()
    local known
    serve(function(_, visit)
      local path = visit:facts().path
      assert.is_nil(visit:facts().group)
      if path == "/host" then
        visit:continue()
      else
        known = visit:continue_to(path:sub(2))
      end
    end)
    assert.equal("b/b", world:get("/b", { host = "any.test" }):body())
    assert.is_true(known)
    assert.equal("a/a", world:get("/a", { host = "any.test" }):body())
    assert.equal("a/host", world:get("/host", { host = "a.test" }):body())
    assert.equal(404, world:get("/host", { host = "any.test" }).status)
    assert.equal(404, world:get("/nobody", { host = "a.test" }).status)
    assert.is_false(known)
  end)

  it("is followed by that of the group", function()
    serve(function(_, visit)
      visit:set_header("x-order", "1")
      visit:set_path "/changed"
      visit:continue_to "b"
    end, function(_, visit)
      assert.equal("b", visit:facts().group)
      visit:set_path(visit:facts().path .. visit:header "x-order")
      visit:continue()
    end)
    assert.equal("b/changed1", world:get("/"):body())
  end)

  it("answers, or fails, by itself", function()
    serve(function(_, visit)
      if visit:facts().path == "/fail" then
        visit:fail()
      else
        visit:respond { status = 401, body = "who?" }
      end
    end)
    assert.equal("who?", world:get("/"):body())
    assert.equal(500, world:get("/fail").status)
  end)

  it("hears of a visitor that leaves before the decision", function()
    local visits = {}
    serve(function(_, visit) visits[#visits + 1] = visit end)
    local visitor = world:visitor():ask {}
    world:run("the visit", function() return visits[1] end)
    world:close_object(visitor.wire)
    world:run("the cancellation", function() return cancelled[1] end)
    assert.equal(visits[1], cancelled[1])
  end)

  it("may be taken away while it waits, and still decides", function()
    local visits = {}
    serve(function(_, visit) visits[#visits + 1] = visit end)
    local visitor = world:visitor():ask { host = "a.test" }
    world:run("the visit", function() return visits[1] end)
    assert(server:set_routing {
      { name = "b", hosts = { "a.test" }, insecure = true } })
    assert.is_false(visits[1]:continue_to "a")
    assert.equal(404, visitor:read_answer().status)
    assert.equal("b/", world:get("/", { host = "a.test" }):body())
  end)
end)
