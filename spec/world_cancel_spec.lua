-- SPDX-License-Identifier: MIT
-- Those who leave early: visitors, applications, clients.
local World = require "world"
local handlers = require "handlers"

local MEGABYTE = 1024 * 1024

describe("a visitor who leaves", function()
  local world, request, complete, paths

  local function start(on_request, ask)
    world:server { groups = { app = { "app.test" } } }
    world:connected_client {
      group = "app",
      on_request = function(_, it)
        table.insert(paths, it:path())
        if it:path() == "/pong" then
          return it:respond { body = "PONG\n" }
        end
        request = it
        it:on { closed = function(_, whole) complete = whole end }
        if on_request then
          on_request(it)
        end
      end,
    }
    local visitor = world:visitor():ask(ask)
    world:run("the request", function() return request end)
    return visitor
  end

  local function expect_cancelled()
    world:run("the end of the request", function() return complete ~= nil end)
    assert.is_false(complete)
    assert.is_true(request:is_closed())
    -- the tunnel lives
    assert.equal("PONG\n", world:get("/pong"):body())
  end

  before_each(function()
    world = World.new()
    request, complete, paths = nil, nil, {}
  end)
  after_each(function() world:close() end)

  it("before the answer cancels the request", function()
    start().wire:close()
    expect_cancelled()
  end)

  it("by a reset cancels the request", function()
    start().wire:reset()
    expect_cancelled()
  end)

  it("by a half-close behind the request cancels it", function()
    start().wire:shut()
    expect_cancelled()
  end)

  it("with a pipelined request behind cancels both", function()
    local visitor = start()
    visitor.wire:send(World.request_bytes { path = "/second" })
    world:turns(5)
    visitor.wire:close()
    expect_cancelled()
    assert.equal("/", paths[1])
    assert.equal("/pong", paths[2])
  end)

  it("in the middle of a download cancels the request", function()
    local visitor = start(function(it)
      it:start {}
      handlers.produce(it, 100 * MEGABYTE, nil,
        { closed = function(_, whole) complete = whole end })
    end)
    visitor:await_body(100000)
    visitor.wire:close()
    expect_cancelled()
  end)

  it("in the middle of an upload cancels the request", function()
    world:server { groups = { app = { "app.test" } } }
    local fault
    world:connected_client {
      group = "app",
      on_request = function(_, it)
        if it:path() == "/pong" then
          return it:respond { body = "PONG\n" }
        end
        request = it
        it:on {
          readable = function() fault = select(2, it:read()) end,
          closed = function(_, whole) complete = whole end,
        }
      end,
    }
    local visitor = world:visitor()
    visitor.wire:send("POST / HTTP/1.1\r\nHost: app.test\r\n" ..
      "Content-Length: 1000\r\n\r\nhalf")
    world:run("the request", function() return request end)
    visitor.wire:close()
    expect_cancelled()
    assert.not_equal("", fault)
  end)

  it("is noticed by nobody else on the tunnel", function()
    local visitor = start()
    local other
    other = world:visitor():ask { path = "/other" }
    world:run("the other's request", function()
      return request:path() == "/other"
    end)
    visitor.wire:reset()
    world:turns(20)
    assert.is_false(request:is_closed())
    request:respond { body = "mine" }
    assert.equal("mine", other:read_answer():body())
  end)
end)

describe("an application", function()
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

  it("that breaks off before its head lets the visitor see 502", function()
    respond = function(request) request:abort() end
    local answer = world:get("/")
    assert.equal(502, answer.status)
    assert.matches("^%C+\n?$", answer:body())
  end)

  it("that breaks off a chunked body never lets it look whole", function()
    respond = function(request)
      request:start {}
      request:write("some of it")
    end
    local held
    local inner = respond
    respond = function(request)
      held = request
      inner(request)
    end
    local visitor = world:visitor():ask()
    visitor:await_body(10)
    held:abort()
    visitor:await_close()
    local answer = visitor:await_end()
    assert.equal(200, answer.status)
    assert.is_nil(answer.complete)
  end)

  it("that breaks off a counted body never lets it look whole", function()
    local held
    respond = function(request)
      held = request
      request:start { headers = { { "Content-Length", "100" } } }
      request:write("some of it")
    end
    local visitor = world:visitor():ask()
    visitor:await_body(10)
    held:abort()
    assert.is_nil(visitor:await_end().complete)
  end)

  it("that gives fewer bytes than it promised is treated alike", function()
    respond = function(request)
      request:start { headers = { { "Content-Length", "100" } } }
      request:write("too few")
      request:finish()
    end
    local answer = world:visitor():ask():await_end()
    assert.is_true(answer.status == 502 or not answer.complete)
  end)

  it("that gives more bytes than it promised is not a smuggler", function()
    respond = function(request)
      request:start { headers = { { "Content-Length", "3" } } }
      request:write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      request:finish()
    end
    local visitor = world:visitor():ask()
    local answer = visitor:await_end()
    assert.is_true(answer.status == 502 or answer.length <= 3)
    assert.equal("", answer.rest)
  end)

  it("that answers a visitor who has gone learns it", function()
    local held, faults = nil, {}
    respond = function(request) held = request end
    local visitor = world:visitor():ask()
    world:run("the request", function() return held end)
    held:on { closed = function()
      faults.closed = true
    end }
    visitor.wire:reset()
    world:run("on_closed", function() return faults.closed end)
    assert.has_error(function() held:respond {} end)
  end)
end)
