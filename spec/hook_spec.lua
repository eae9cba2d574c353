-- Hooks in Lua on real requests: route, on_request and on_response.

local World = require "world"
local handlers = require "handlers"
local hook_scene = require "hook_scene"
local lua_server = require "lua_server"

local start, echo, await, line_of, fails =
  hook_scene.start, hook_scene.echo, hook_scene.await, hook_scene.line_of,
  hook_scene.fails

local world

before_each(function()
  world = hook_scene.open()
end)

after_each(function()
  world:close()
end)

describe("on_request", function()
  it("changes path, query and headers", function()
    start [[on_request = function(request)
      request.path = "/new%20path"
      request.query = "c=d"
      request.headers["X-Added"] = "1"
      request.headers["x-changed"] = request.headers["x-changed"] .. "!"
      request.headers["X-Removed"] = nil
      request.headers["x-number"] = 7
    end]]
    echo()
    local answer = world:get("/old?a=b", { headers = { { "X-Changed", "2" },
      { "X-Removed", "3" }, { "x-removed", "4" }, { "X-Kept", "5" } } })
    assert.matches("^GET /new%%20path%?c=d\n", answer:body())
    assert.equal("1", line_of(answer, "x-added"))
    assert.equal("2!", line_of(answer, "x-changed"))
    assert.equal("5", line_of(answer, "x-kept"))
    assert.equal("7", line_of(answer, "x-number"))
    assert.is_nil(line_of(answer, "x-removed"))
  end)

  it("changes path and query apart from each other", function()
    start [[on_request = function(request)
      if request.headers.host or request.path == "/query" then
        request.query = "q"
      elseif request.path == "/none" then
        request.query = nil
      else
        request.path = request.path .. "/" .. (request.query or "nil")
      end
    end]]
    echo()
    for asked, got in pairs { ["/query"] = "/query?q", ["/query?"] = "/query?q",
      ["/none?a"] = "/none", ["/none"] = "/none", ["/a"] = "/a/nil",
      ["/a?"] = "/a/?", ["/a?b?c"] = "/a/b?c?b?c" } do
      if asked ~= "/a?b?c" then -- a path cannot be given a query
        assert.equal("GET " .. got, world:get(asked):body():match "^[^\n]*")
      end
    end
  end)

  it("may refuse a body that is too long for it", function()
    start [[on_request = function(request)
      if tonumber(request.headers["content-length"] or 0) > 5 then
        return { status = 413 }
      end
    end]]
    echo()
    for body, status in pairs { ["12345"] = 200, ["123456"] = 413 } do
      assert.equal(status,
        world:ask({ method = "POST", path = "/", body = body }).status)
    end
  end)

  it("answers instead", function()
    local server = start [[on_request = function(request)
      called = (called or 0) + 1
      return { status = 302, headers = { Location = "/elsewhere",
        ["set-cookie"] = { "a=1", "b=2" }, ["x-number"] = 5 },
        body = "over there\n" }
    end]]
    echo()
    local answer = world:get "/"
    assert.equal(302, answer.status)
    assert.equal("/elsewhere", answer:header "location")
    assert.equal("5", answer:header "x-number")
    assert.same({ "a=1", "b=2" }, World.values(answer.headers, "set-cookie"))
    assert.equal("over there\n", answer:body())
    assert.equal("11", answer:header "content-length")
    assert.equal(1, server:call "return called")
  end)

  it("answers without a tunnel, and to a request with a body", function()
    start [[on_request = function(request)
      return { status = 503, body = "maintenance" }
    end]]
    for _, body in ipairs { "", "x", ("y"):rep(300000) } do
      local answer = world:ask { method = "POST", body = body }
      assert.equal(503, answer.status)
      assert.equal("maintenance", answer:body())
    end
  end)

  it("may return an empty table: 200 without a body", function()
    start "on_request = function() return {} end"
    local answer = world:get "/"
    assert.same({ 200, "" }, { answer.status, answer:body() })
  end)

  it("cannot frame its answer by itself", function()
    start [[on_request = function()
      return { headers = { ["transfer-encoding"] = "chunked",
        ["content-length"] = "7", connection = "close", ["keep-alive"] = "1" },
        body = "whole" }
    end]]
    local answer = world:get "/"
    assert.same({ 200, "5", "whole" }, { answer.status,
      answer:header "content-length", answer:body() })
    assert.is_nil(answer:header "transfer-encoding")
    assert.is_nil(answer:header "keep-alive")
  end)

  it("answers HEAD without a body", function()
    start "on_request = function() return { body = 'four' } end"
    local answer = world:ask { method = "HEAD" }
    assert.same({ 200, "4", "" }, { answer.status,
      answer:header "content-length", answer:body() })
  end)

  it("may wait, while others go on", function()
    local server = start [[on_request = function(request)
      if request.path == "/slow" then
        waiting = true
        while not released do
          reverst.sleep(0.005)
        end
        request.headers["x-waited"] = "yes"
      end
    end]]
    echo()
    local slow = world:visitor():ask { path = "/slow" }
    await(server, "the hook", "return waiting")
    for _ = 1, 3 do
      assert.equal(200, world:get("/quick").status)
    end
    server:call "released = true"
    assert.equal("yes", line_of(slow:read_answer(), "x-waited"))
  end)

  it("may wait while the body comes", function()
    start [[on_request = function() reverst.sleep(0.02) end]]
    local body = ("z"):rep(500000)
    world:connected_client { group = "app", on_request = function(_, request)
      handlers.consume(request, function(length)
        request:respond { body = tostring(length) }
      end)
    end }
    assert.equal(tostring(#body), world:ask { method = "POST",
      body = body }:body())
  end)

  it("is cancelled when the visitor leaves", function()
    local server = start [[on_request = function(request)
      local guard <close> = setmetatable({}, { __close = function()
        closed = select(2, pcall(function() return request.path end))
      end })
      waiting = true
      reverst.sleep(1000)
      over = true
    end]]
    echo()
    local visitor = world:visitor():ask()
    await(server, "the hook", "return waiting")
    world:close_object(visitor.wire)
    assert.matches("closed: the request is over",
      await(server, "its end", "return closed"))
    assert.is_nil(server:call "return over")
    assert.is_nil(server:logged "hook_failed")
  end)

  it("takes no longer than it may", function()
    local server = start([[on_request = function(request)
      reverst.sleep(1000)
    end]], "hook_timeout = '50ms',")
    echo()
    fails(server, "it took too long %(hook_timeout is 50ms; it can be set higher%)")
  end)

  it("of many visitors waits at once", function()
    local server = start [[on_request = function(request)
      count = (count or 0) + 1
      while count < 200 do
        reverst.sleep(0.005)
      end
    end]]
    world:connected_client { group = "app", on_request = function(_, request)
      request:respond { body = "same" }
    end }
    assert.equal(200, world:load { connections = 200, requests = 200,
      body = "same" }.right)
    assert.equal(200, server:call "return count")
  end)

  it("that is asked by visitors who leave holds nothing", function()
    local server = start [[on_request = function(request)
      count = (count or 0) + 1
      reverst.sleep(1000)
    end]]
    local visitors = {}
    for i = 1, 50 do
      visitors[i] = world:visitor():ask()
    end
    world:run("all hooks", function()
      return server:call "return count" == 50
    end)
    for _, visitor in ipairs(visitors) do
      world:close_object(visitor.wire)
    end
    world:run("the end of all exchanges", function()
      return server:stats().exchanges == 0
    end)
  end)
end)

describe("on_response", function()
  it("changes status and headers", function()
    start [[on_response = function(request, response)
      response.status = response.status + 1
      response.headers["X-Origin"] = response.headers["x-origin"] .. "!"
      response.headers["x-path"] = request.path
      response.headers["x-twice"] = nil
      local names = {}
      for name in pairs(response.headers) do names[#names + 1] = name end
      response.headers["x-names"] = table.concat(names, " ")
    end]]
    echo()
    local answer = world:get "/p?q"
    assert.equal(201, answer.status)
    assert.equal("1!", answer:header "x-origin")
    assert.equal("/p", answer:header "x-path")
    assert.is_nil(answer:header "x-twice")
    assert.matches("x%-origin", answer:header "x-names")
    assert.matches("^GET /p%?q\n", answer:body())
  end)

  it("may wait", function()
    start [[on_response = function(request, response)
      reverst.sleep(0.01)
      response.headers["x-waited"] = "yes"
    end]]
    echo()
    assert.equal("yes", world:get("/"):header "x-waited")
  end)

  it("is cancelled when the visitor leaves", function()
    local server = start [[on_response = function(request, response)
      local guard <close> = setmetatable({}, { __close = function()
        closed = select(2, pcall(function() return response.status end))
      end })
      waiting = true
      reverst.sleep(1000)
    end]]
    echo()
    local visitor = world:visitor():ask()
    await(server, "the hook", "return waiting")
    world:close_object(visitor.wire)
    assert.matches("status: closed", await(server, "its end", "return closed"))
  end)

  for what, case in pairs {
    ["fails"] = { "error 'boom'", "boom" },
    ["returns a response"] = { "return { status = 302 }",
      "on_response returned a table, expected nothing" },
    ["smuggles a field"] = { "response.headers.a = 'b\\r\\nc: d'",
      "cannot be sent" },
    ["sets Content-Length"] = { "response.headers['content-length'] = '1'",
      "that only the proxy sets" },
    ["sets a status that is none"] = { "response.status = 1000",
      "status: 1000 cannot be" },
    ["sets a status without a body"] = { "response.status = 204",
      "status: 204 cannot be" },
    ["sets a status that is no number"] = { "response.status = '200'",
      "status: expected a whole number, got string" },
    ["changes the request"] = { "request.path = '/'",
      "path cannot be changed any more" },
    ["sets headers at once"] = { "response.headers = {}",
      "headers cannot be set" },
    ["takes too long"] = { "reverst.sleep(1000)", "it took too long" },
  } do
    it("that " .. what .. " is logged, and the visitor gets 500", function()
      local server = start(([[on_response = function(request, response)
        if request.path == "/good" then return end
        %s
      end]]):format(case[1]), "hook_timeout = 0.05,")
      echo()
      fails(server, case[2], "on_response")
      assert.equal(200, world:get("/good").status)
    end)
  end
end)

describe("route", function()
  local function start_two(route, top)
    local server = lua_server.new(world, ([[
      return { %s route = %s, groups = {
        one = { hosts = { "one.test" }, authenticate = auth.insecure() },
        two = { hosts = { "two.test" }, authenticate = auth.insecure() },
      } }]]):format(top or "", route))
    for _, name in ipairs { "one", "two" } do
      world:connected_client { group = name, on_request = function(_, request)
        request:respond { body = name .. " " .. request:path() }
      end }
    end
    return server
  end

  it("names the group, or leaves it to the hosts, or answers", function()
    start_two [[function(request)
      assert(request.group == nil)
      if request.path:match "^/two" then
        return "two"
      elseif request.path == "/gone" then
        return { status = 410, body = "gone" }
      elseif request.path == "/changed" then
        request.path = "/new"
      end
    end]]
    assert.equal("two /two/x", world:get("/two/x", { host = "one.test" }):body())
    assert.equal("two /two", world:get("/two", { host = "none.test" }):body())
    assert.equal("one /", world:get("/", { host = "one.test" }):body())
    assert.equal("two /new", world:get("/changed", { host = "two.test" }):body())
    assert.equal(404, world:get("/", { host = "none.test" }).status)
    local answer = world:get("/gone", { host = "one.test" })
    assert.same({ 410, "gone" }, { answer.status, answer:body() })
  end)

  it("may wait, and is cancelled when the visitor leaves", function()
    local server = start_two [[function(request)
      local guard <close> = setmetatable({}, { __close = function()
        closed = (closed or 0) + 1
      end })
      waiting = true
      reverst.sleep(request.path == "/long" and 1000 or 0.01)
      return "one"
    end]]
    assert.equal("one /", world:get("/"):body())
    server:call "waiting = false"
    local visitor = world:visitor():ask { path = "/long" }
    await(server, "the hook", "return waiting")
    world:close_object(visitor.wire)
    world:run("its end", function() return server:call "return closed" == 2 end)
  end)

  it("that names no group is logged, and the visitor gets 404", function()
    local server = start_two "function() return 'three' end"
    assert.equal(404, world:get("/", { host = "one.test" }).status)
    local entry = server:logged "route_not_found"
    assert.equal("three", entry.group)
  end)

  for what, case in pairs {
    ["fails"] = { "error 'boom'", "boom" },
    ["returns a number"] = { "return 7",
      "route returned a number, expected the name of a group" },
    ["takes too long"] = { "reverst.sleep(1000)", "it took too long" },
    ["returns a name with a zero byte"] = { "return 'one\\0two'",
      "a byte of value zero" },
  } do
    it("that " .. what .. " is logged, and the visitor gets 500", function()
      local server = start_two(("function() %s end"):format(case[1]),
        "hook_timeout = '50ms',")
      fails(server, case[2], "route")
    end)
  end
end)
