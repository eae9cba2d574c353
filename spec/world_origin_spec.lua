-- SPDX-License-Identifier: MIT
-- A client in front of a local HTTP service whose bytes a spec writes.
local World = require "world"
local handlers = require "handlers"

describe("a client in front of an origin", function()
  local world, server, client, origin, heads

  -- An origin whose answers are `on_request(wire, head, origin)`.
  local function serve(on_request, options)
    heads = {}
    origin = world:origin(function(wire, head, it)
      table.insert(heads, head)
      on_request(wire, head, it)
    end)
    server = world:server { groups = { app = { "app.test" } } }
    options = options or {}
    options.group, options.origin = "app", options.origin or origin.address
    client = world:connected_client(options)
  end

  -- Answers each request with those bytes.
  local function say(bytes)
    return function(wire) wire:send(bytes) end
  end

  local PONG = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nPONG\n"

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("brings its answers to visitors", function()
    serve(say(PONG))
    local answer = world:get("/path?query")
    assert.equal(200, answer.status)
    assert.equal("PONG\n", answer:body())
    assert.matches("^GET /path%?query HTTP/1%.1\r\n", heads[1])
    assert.matches("\r\n[Hh]ost: app%.test\r\n", heads[1])
    assert.matches("\r\n[Xx]%-[Ff]orwarded%-[Ff]or: 127%.0%.0%.1\r\n", heads[1])
  end)

  for _, form in ipairs {
    function(port) return port end,
    function(port) return ":" .. port end,
    function(port) return "http://127.0.0.1:" .. port end,
  } do
    it("is given it as " .. form("PORT"), function()
      serve(say(PONG), { origin = "127.0.0.1:1" })
      local port = origin.address:match("%d+$")
      world:connected_client { group = "app", origin = form(port) }
      assert.equal("PONG\n", world:get("/"):body())
    end)
  end

  it("keeps its connection for further requests", function()
    serve(say(PONG))
    for _ = 1, 10 do
      assert.equal("PONG\n", world:get("/"):body())
    end
    assert.equal(10, origin.requests)
    assert.equal(1, origin.connections)
  end)

  it("takes a new connection when the origin closed the kept one", function()
    serve(say(PONG))
    world:get("/")
    for _ = 1, 3 do
      origin.wires[#origin.wires]:close()
      assert.equal("PONG\n", world:get("/"):body())
    end
    assert.equal(0, server:stats().failures)
  end)

  it("takes a new connection when the kept one ends with the request",
    function()
      local count = 0
      serve(function(wire)
        count = count + 1
        if count == 2 then
          wire:close()
        else
          wire:send(PONG)
        end
      end)
      world:get("/")
      assert.equal("PONG\n", world:get("/"):body())
      assert.equal(3, count)
    end)

  it("does not ask twice for what may not be repeated", function()
    local count = 0
    serve(function(wire)
      count = count + 1
      if count == 2 then
        wire:close()
      else
        wire:send(PONG)
      end
    end)
    world:get("/")
    assert.equal(502, world:ask({ method = "POST", path = "/" }).status)
    assert.equal(2, count)
  end)

  it("closes with an origin that says so", function()
    serve(function(wire)
      wire:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody")
      wire:shut()
    end)
    for i = 1, 2 do
      local answer = world:get("/")
      assert.equal("body", answer:body())
      assert.equal(i, origin.connections)
    end
  end)

  it("opens several connections for several requests at once", function()
    local wires = {}
    serve(function(wire) table.insert(wires, wire) end)
    local visitors = {}
    for i = 1, 5 do visitors[i] = world:visitor():ask() end
    world:run("five requests", function() return #wires == 5 end)
    assert.equal(5, origin.connections)
    for _, wire in ipairs(wires) do wire:send(PONG) end
    for i = 1, 5 do assert.equal("PONG\n", visitors[i]:read_answer():body()) end
  end)

  it("says 502 when it cannot be reached", function()
    serve(say(PONG))
    origin.listener:close()
    local answer = world:get("/")
    assert.equal(502, answer.status)
    assert.is_truthy(answer:header("content-length"))
    assert.is_true(client:is_connected())
  end)

  it("finds it again when it is back", function()
    serve(say(PONG))
    origin.listener:close()
    assert.equal(502, world:get("/").status)
    local wires = require "spec.world_wire"
    local again = wires.listen(world.c, { on_accept = function(_, wire, on)
      on.on_data = function()
        wire:take()
        wire:send(PONG)
      end
      on.on_end = function() wire:close() end
    end }, origin.address)
    assert.equal("PONG\n", world:get("/"):body())
    again:close()
  end)

  it("drops fields for one hop that the origin sent", function()
    serve(say("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\n" ..
      "Keep-Alive: timeout=5\r\nX-Hop: 1\r\nX-Kept: 1\r\n" ..
      "Content-Length: 1\r\n\r\nx"))
    local answer = world:get("/")
    assert.is_nil(answer:header("x-hop"))
    assert.is_nil(answer:header("keep-alive"))
    assert.equal("1", answer:header("x-kept"))
  end)

  it("passes chunked bodies with trailers", function()
    serve(say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" ..
      "Trailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n"))
    local answer = world:get("/")
    assert.equal("body", answer:body())
    assert.equal("42", World.value(answer.trailers, "x-sum"))
  end)

  it("passes 1xx answers on, 103 among them", function()
    serve(say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" ..
      "HTTP/1.1 102 Processing\r\n\r\n" .. PONG))
    local answer = world:get("/")
    assert.equal("PONG\n", answer:body())
    assert.equal(103, answer.informational[1].status)
    assert.equal("</a.css>", World.value(answer.informational[1].headers, "link"))
    assert.equal(102, answer.informational[2].status)
    assert.equal(2, #answer.informational)
  end)

  it("lets the origin decide about 100 Continue", function()
    serve(function(wire, head)
      if head:match("100%-continue") then
        wire:send("HTTP/1.1 100 Continue\r\n\r\n")
      end
      wire:send(PONG)
    end)
    local visitor = world:visitor()
    visitor:expect("POST")
    visitor.wire:send("POST / HTTP/1.1\r\nHost: app.test\r\n" ..
      "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    world:run("100", function()
      return visitor:look() or visitor.answer.informational[1]
    end)
    assert.equal(100, visitor.answer.informational[1].status)
    visitor.wire:send("body")
    assert.equal("PONG\n", visitor:read_answer():body())
  end)

  it("passes answers to HEAD, 204 and 304 without a body", function()
    serve(function(wire, head)
      if head:match("^HEAD") then
        wire:send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
      elseif head:match("^GET /204") then
        wire:send("HTTP/1.1 204 No Content\r\n\r\n")
      else
        wire:send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n")
      end
    end)
    for _ = 1, 2 do
      assert.equal("500",
        world:ask({ method = "HEAD" }):header("content-length"))
      assert.equal(204, world:get("/204").status)
      assert.equal('"x"', world:get("/304"):header("etag"))
    end
    assert.equal(1, origin.connections)
  end)

  it("streams: an event comes before the next one is there", function()
    local wire
    serve(function(it)
      wire = it
      wire:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    end)
    local visitor = world:visitor():ask()
    visitor:await_head()
    for i = 1, 5 do
      wire:send("3\r\n" .. i .. "\n\n\r\n")
      visitor:await_body(3 * i)
    end
    wire:send("0\r\n\r\n")
    assert.equal("1\n\n2\n\n3\n\n4\n\n5\n\n", visitor:read_answer():body())
  end)

  it("waits for one that is slow, byte by byte", function()
    local wire
    serve(function(it) wire = it end)
    local visitor = world:visitor():ask()
    world:run("the request", function() return wire end)
    for i = 1, #PONG do
      wire:send(PONG:sub(i, i))
      world:turns(1)
    end
    assert.equal("PONG\n", visitor:read_answer():body())
  end)

  it("brings large bodies both ways, whole", function()
    local body = handlers.block:rep(700) -- 4 MB
    local seen = {}
    local echoed
    origin = world:origin(nil, function(wire, on)
      on.on_data = function()
        seen[#seen + 1] = wire:take()
        if not echoed and #table.concat(seen) > #body then
          seen = { table.concat(seen) }
          local received = seen[1]:match("\r\n\r\n(.*)$")
          if #received == #body then
            echoed = true
            wire:send("HTTP/1.1 200 OK\r\nContent-Length: " .. #received ..
              "\r\n\r\n" .. received)
          end
        end
      end
      on.on_end = function() wire:close() end
    end)
    server = world:server { groups = { app = { "app.test" } } }
    world:connected_client { group = "app", origin = origin.address }
    local answer = world:ask { method = "POST", body = body }
    assert.equal(World.checksum(body), World.checksum(answer:body()))
  end)

  it("learns of a visitor who leaves by a closed connection", function()
    local closed
    origin = world:origin(nil, function(wire, on)
      on.on_data = function() on.request = wire:take() end
      on.on_end = function()
        closed = true
        wire:close()
      end
      origin.on = on
    end)
    world:server { groups = { app = { "app.test" } } }
    world:connected_client { group = "app", origin = origin.address }
    local visitor = world:visitor():ask()
    world:run("the request", function() return origin.on and origin.on.request end)
    visitor.wire:close()
    world:run("the origin's loss", function() return closed end)
  end)

  -- What is no answer at all: the visitor sees 502, and the tunnel lives.
  local malformed = {
    ["garbage"] = "garbage\r\n\r\n",
    ["another protocol"] = "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ["a status of two digits"] = "HTTP/1.1 20 OK\r\n\r\n",
    ["two lengths"] =
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ["length and chunks"] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" ..
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ["a negative length"] = "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ["a field without a name"] = "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    ["a field with a zero byte"] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    ["an endless head"] = "HTTP/1.1 200 OK\r\n" ..
      ("X-Padding: " .. ("x"):rep(1000) .. "\r\n"):rep(200),
    ["too many fields"] = "HTTP/1.1 200 OK\r\n" .. ("X: 1\r\n"):rep(500) ..
      "Content-Length: 0\r\n\r\n",
    ["a field that is too long"] = "HTTP/1.1 200 OK\r\nX: " ..
      ("x"):rep(20000) .. "\r\nContent-Length: 0\r\n\r\n",
    ["nothing at all"] = "",
    ["half a head"] = "HTTP/1.1 200 OK\r\nContent-",
    ["an unasked upgrade"] = "HTTP/1.1 101 Switching Protocols\r\n" ..
      "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  }
  for name, bytes in pairs(malformed) do
    it("makes " .. name .. " a 502", function()
      serve(function(wire, head)
        if head:match("^GET /pong") then
          return wire:send(PONG)
        end
        wire:send(bytes)
        wire:shut()
      end)
      assert.equal(502, world:get("/").status)
      assert.equal("PONG\n", world:get("/pong"):body())
    end)
  end

  local broken_bodies = {
    ["a short body"] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    ["a body without its last chunk"] =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ["a bad chunk"] =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
  }
  for name, bytes in pairs(broken_bodies) do
    it("never makes " .. name .. " look whole", function()
      serve(function(wire, head)
        if head:match("^GET /pong") then
          return wire:send(PONG)
        end
        wire:send(bytes)
        wire:shut()
      end)
      local answer = world:visitor():ask():await_end()
      assert.is_true(answer.status == 502 or not answer.complete)
      assert.equal("PONG\n", world:get("/pong"):body())
    end)
  end

  it("lets a reset in the middle of an answer be seen", function()
    local wire
    serve(function(it, head)
      if head:match("^GET /pong") then
        return it:send(PONG)
      end
      wire = it
      wire:send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    end)
    local visitor = world:visitor():ask()
    visitor:await_body(4)
    wire:reset()
    local answer = visitor:await_end()
    assert.is_nil(answer.complete)
    assert.equal("half", answer:body())
    assert.equal("PONG\n", world:get("/pong"):body())
  end)

  it("makes a reset before the answer a 502", function()
    serve(function(wire) wire:reset() end)
    assert.equal(502, world:get("/").status)
  end)

  it("does not mistake bytes behind an answer for the next one", function()
    serve(say(PONG .. "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    local visitor = world:visitor()
    for _ = 1, 3 do
      assert.equal("PONG\n", visitor:ask():read_answer():body())
    end
  end)

  it("survives an origin that answers before it was asked everything",
    function()
      serve(function(wire)
        wire:send("HTTP/1.1 413 Too Large\r\nConnection: close\r\n" ..
          "Content-Length: 3\r\n\r\nbig")
        wire:shut()
      end)
      local answer = world:ask { method = "POST", body = handlers.block:rep(300) }
      assert.equal(413, answer.status)
      assert.equal("big", answer:body())
    end)
end)
