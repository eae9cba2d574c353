-- SPDX-License-Identifier: MIT
-- Bodies, trailers and heads of all kinds, both ways through a tunnel.
local World = require "world"
local handlers = require "handlers"

local MEGABYTE = 1024 * 1024

describe("a body", function()
  local world

  local function serve(routes)
    world:server { groups = { app = { "app.test" } } }
    return world:connected_client {
      group = "app", on_request = handlers.router(routes),
    }
  end

  local function checksum_of_answer(request)
    local length, sum = 0, World.checksum("")
    request.on_body = function(piece)
      length, sum = length + #piece, World.checksum(piece, sum)
    end
    local answer = world:ask(request)
    return length, sum, answer
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("of 10 MB comes down whole, chunked", function()
    serve { ["/"] = function(request)
      request:start {}
      handlers.produce(request, 10 * MEGABYTE)
    end }
    local length, sum, answer = checksum_of_answer { path = "/" }
    assert.equal(10 * MEGABYTE, length)
    assert.equal(handlers.checksum_of(10 * MEGABYTE), sum)
    assert.equal("chunked", answer:header("transfer-encoding"))
  end)

  it("of 10 MB comes down whole with its Content-Length", function()
    serve { ["/"] = function(request)
      request:start { headers = { { "Content-Length", 10 * MEGABYTE } } }
      handlers.produce(request, 10 * MEGABYTE)
    end }
    local length, sum, answer = checksum_of_answer { path = "/" }
    assert.equal(10 * MEGABYTE, length)
    assert.equal(handlers.checksum_of(10 * MEGABYTE), sum)
    assert.equal(tostring(10 * MEGABYTE), answer:header("content-length"))
    assert.is_nil(answer:header("transfer-encoding"))
  end)

  it("given at once comes down whole, however large", function()
    local body = handlers.block:rep(100)
    serve { ["/"] = function(request) request:respond { body = body } end }
    assert.equal(body, world:get("/"):body())
  end)

  local function sum_up(request)
    handlers.consume(request, function(length, sum)
      request:respond { body = length .. " " .. sum }
    end)
  end

  it("of 10 MB goes up whole, chunked and with Content-Length", function()
    serve { ["/"] = sum_up }
    local body = handlers.block:rep(10 * MEGABYTE // #handlers.block)
    local expected = #body .. " " .. World.checksum(body)
    assert.equal(expected, world:ask({ method = "POST", body = body }):body())
    local chunks = {}
    for from = 1, #body, 60000 do
      chunks[#chunks + 1] = body:sub(from, from + 59999)
    end
    assert.equal(expected,
      world:ask({ method = "POST", chunks = chunks }):body())
  end)

  it("says its length to the application where the visitor did", function()
    local lengths = {}
    serve { ["/"] = function(request)
      table.insert(lengths, request:header("content-length") or "none")
      sum_up(request)
    end }
    world:ask { method = "POST", body = "12345" }
    world:ask { method = "POST", chunks = { "123", "45" } }
    world:ask { method = "POST", body = "" }
    assert.same({ "5", "none", "0" }, lengths)
  end)

  it("goes both ways at once", function()
    serve { ["/"] = function(request)
      request:start {}
      local pending
      local function echo()
        while true do
          pending = pending or request:read()
          if not pending then
            return
          elseif pending == "" then
            return request:finish()
          elseif not request:write(pending) then
            return
          end
          pending = nil
        end
      end
      request:on { readable = echo, writable = echo }
      echo()
    end }
    local body = handlers.block:rep(500)
    local length, sum = checksum_of_answer { method = "POST", body = body }
    assert.equal(#body, length)
    assert.equal(World.checksum(body), sum)
  end)

  it("is streamed: its first bytes come before the last are there", function()
    local request
    serve { ["/"] = function(it)
      request = it
      request:start { headers = { { "Content-Type", "text/event-stream" } } }
      request:write("data: 1\n\n")
    end }
    local visitor = world:visitor():ask()
    visitor:await_body(9)
    assert.equal("data: 1\n\n", visitor.answer:body())
    assert.is_nil(visitor.answer.complete)
    for i = 2, 20 do
      request:write("data: " .. i .. "\n\n")
      visitor:await_body(visitor.answer.length + 9)
    end
    request:finish()
    assert.matches("data: 20\n\n$", visitor:read_answer():body())
  end)

  it("has its head delivered before any byte of it", function()
    local request
    serve { ["/"] = function(it)
      request = it
      request:start { status = 201 }
    end }
    local visitor = world:visitor():ask()
    assert.equal(201, visitor:await_head().status)
    request:finish()
    assert.equal("", visitor:read_answer():body())
  end)

  it("is uploaded as it comes, before it is complete", function()
    local seen = ""
    serve { ["/"] = function(request)
      request:on { readable = function()
        local piece = request:read()
        while piece and piece ~= "" do
          seen = seen .. piece
          piece = request:read()
        end
        if piece then
          request:respond { body = seen }
        end
      end }
    end }
    local visitor = world:visitor()
    visitor:expect("POST")
    visitor.wire:send("POST / HTTP/1.1\r\nHost: app.test\r\n" ..
      "Content-Length: 10\r\n\r\n12345")
    world:run("the first half", function() return seen == "12345" end)
    visitor.wire:send("67890")
    assert.equal("1234567890", visitor:read_answer():body())
  end)

  it("may be answered before it was uploaded; the rest is no next request",
    function()
      serve {
        ["/"] = function(request)
          request:respond { status = 413, body = "too much" }
        end,
        ["/next"] = function(request) request:respond { body = "next" } end,
      }
      local visitor = world:visitor()
      visitor:ask { method = "POST", body = ("GET /x HTTP/1.1\r\n\r\n"):rep(50000) }
      local answer = visitor:read_answer()
      assert.equal(413, answer.status)
      assert.equal("too much", answer:body())
      world:run("the upload's end", function()
        return visitor.wire:ended() or visitor.wire:unsent() == 0
      end)
      assert.equal("next", world:get("/next"):body())
    end)

  it("may be answered at once by an endless download while it goes up",
    function()
      local progress
      serve { ["/"] = function(request)
        request:start {}
        progress = handlers.produce(request, MEGABYTE)
      end }
      local body = handlers.block:rep(30)
      local length, sum = checksum_of_answer { method = "POST", body = body }
      assert.equal(MEGABYTE, progress.written)
      assert.equal(MEGABYTE, length)
      assert.equal(handlers.checksum_of(MEGABYTE), sum)
    end)
end)

describe("an answer", function()
  local world, respond

  before_each(function()
    world = World.new()
    world:server { groups = { app = { "app.test" } } }
    world:connected_client {
      group = "app",
      on_request = function(_, request) respond(request) end,
    }
  end)
  after_each(function() world:close() end)

  -- Two requests on one connection: what is behind the first would show.
  local function ask_twice(request)
    local visitor = world:visitor()
    local first = visitor:ask(request):read_answer()
    assert.equal("", first.rest)
    local second = visitor:ask(request):read_answer()
    assert.equal(first.status, second.status)
    return first
  end

  it("to HEAD has fields and no body", function()
    respond = function(request) request:respond { body = "12345" } end
    local answer = ask_twice { method = "HEAD" }
    assert.equal(200, answer.status)
    assert.equal("5", answer:header("content-length"))
    assert.equal("", answer:body())
  end)

  it("to HEAD has no body where one was streamed", function()
    respond = function(request)
      request:start { headers = { { "Content-Length", "1000" } } }
      request:finish()
    end
    local answer = ask_twice { method = "HEAD" }
    assert.equal("1000", answer:header("content-length"))
  end)

  it("204 has neither body nor length", function()
    respond = function(request) request:respond { status = 204 } end
    local answer = ask_twice {}
    assert.equal(204, answer.status)
    assert.is_nil(answer:header("content-length"))
    assert.is_nil(answer:header("transfer-encoding"))
  end)

  it("304 keeps the length of what it stands for", function()
    respond = function(request)
      request:start { status = 304, headers = {
        { "Content-Length", "77" }, { "ETag", '"x"' },
      } }
      request:finish()
    end
    local answer = ask_twice {}
    assert.equal(304, answer.status)
    assert.equal('"x"', answer:header("etag"))
  end)

  it("without a body says so and keeps the connection", function()
    respond = function(request) request:respond {} end
    assert.equal("0", ask_twice({}):header("content-length"))
  end)

  it("keeps any status that an application gives", function()
    for _, status in ipairs { 200, 206, 299, 302, 404, 418, 451, 500, 599 } do
      respond = function(request)
        request:respond { status = status, body = "x" }
      end
      assert.equal(status, world:get("/").status)
    end
  end)

  it("carries trailers", function()
    respond = function(request)
      request:start { headers = { { "Trailer", "X-Sum" } } }
      request:write("body")
      request:finish { { "X-Sum", "42" }, { "X-Two", "2" } }
    end
    local answer = world:get("/", { headers = { { "TE", "trailers" } } })
    assert.equal("body", answer:body())
    assert.equal("42", World.value(answer.trailers, "x-sum"))
    assert.equal("2", World.value(answer.trailers, "x-two"))
  end)

  it("is refused by the library, and may be given anew, when it is invalid",
    function()
      local faults = {}
      respond = function(request)
        for _, bad in ipairs {
          { status = 99 }, { status = 600 }, { status = 101 },
          { headers = { { "bad name", "x" } } },
          { headers = { { "x", "a\r\nb: c" } } },
        } do
          local _, fault = request:respond(bad)
          table.insert(faults, fault)
        end
        request:respond { body = "good" }
      end
      assert.equal("good", world:get("/"):body())
      for i = 1, 5 do
        assert.equal("REVERST_ERR_INVALID", faults[i], i)
      end
    end)

  it("is given once", function()
    local second
    respond = function(request)
      request:respond { body = "first" }
      second = select(2, request:respond { body = "second" })
    end
    assert.equal("first", world:get("/"):body())
    assert.equal("REVERST_ERR_CLOSED", second)
  end)

  it("tells the application when it was delivered", function()
    local complete
    respond = function(request)
      request:on { closed = function(_, it) complete = it end }
      request:respond { body = "x" }
    end
    world:get("/")
    world:run("on_closed", function() return complete ~= nil end)
    assert.is_true(complete)
  end)
end)
