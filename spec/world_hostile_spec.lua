-- SPDX-License-Identifier: MIT
-- Those who mean harm, or nothing at all, in front of a server that works.
local World = require "world"

describe("a server on the public internet", function()
  local world, server, requests

  -- answers as long as anybody reads
  local function flow(request)
    local piece = ("x"):rep(60000)
    local function write_on()
      while request:write(piece) do end
    end
    request:start { headers = {} }
    request:on { writable = write_on }
    write_on()
  end

  local function serve(options)
    options = options or {}
    options.groups = { app = { "app.test" } }
    server = world:server(options)
    requests = 0
    world:connected_client {
      group = "app",
      on_request = function(_, request)
        if request:path() == "/sink" then
          return -- never read, never answered
        elseif request:path() == "/endless" then
          return flow(request)
        end
        requests = requests + 1
        request:respond { body = "PONG\n" }
      end,
    }
  end

  -- What a connection that sends those bytes gets; nil: nothing.
  local function answer_to(bytes)
    local visitor = world:visitor()
    visitor:expect()
    visitor.wire:send(bytes)
    local answer = visitor:await_end()
    return answer.status and answer, visitor
  end

  local function expect_well()
    assert.equal("PONG\n", world:get("/"):body())
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  -- Each must be refused and its connection closed: whatever comes behind it
  -- could be somebody else's request.
  local HEAD = "GET / HTTP/1.1\r\nHost: app.test\r\n"
  local POST = "POST / HTTP/1.1\r\nHost: app.test\r\n"
  local refused = {
    { "garbage", "\1\2\3\4 garbage\r\n\r\n" },
    { "TLS", "\22\3\1\2\0\1\0\1\252\3\3" .. ("x"):rep(300) .. "\r\n\r\n" },
    { "HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
    { "a version that is none", "GET / HTTP/1.9x\r\nHost: app.test\r\n\r\n" },
    { "no Host", "GET / HTTP/1.1\r\n\r\n" },
    { "two Hosts", HEAD .. "Host: app.test\r\n\r\n" },
    { "a Host with userinfo", "GET / HTTP/1.1\r\nHost: a@app.test\r\n\r\n" },
    { "a Host with blanks", "GET / HTTP/1.1\r\nHost: app.test b\r\n\r\n" },
    { "length with chunks", POST ..
      "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
    { "two lengths", POST .. "Content-Length: 4\r\nContent-Length: 5\r\n\r\nx" },
    { "a signed length", POST .. "Content-Length: +4\r\n\r\nbody" },
    { "a length with a blank", POST .. "Content-Length: 4 4\r\n\r\nbody" },
    { "a length beyond counting", POST ..
      "Content-Length: 99999999999999999999\r\n\r\n" },
    { "an obsolete fold", HEAD .. "X: a\r\n b\r\n\r\n" },
    { "a blank before the colon", HEAD .. "X : a\r\n\r\n" },
    { "a zero byte", HEAD .. "X: a\0b\r\n\r\n" },
    { "a bare CR", HEAD .. "X: a\rb\r\n\r\n" },
    { "a bare LF", "GET / HTTP/1.1\nHost: app.test\n\n" },
    { "a chunk size with junk", POST ..
      "Transfer-Encoding: chunked\r\n\r\n4x\r\nbody\r\n0\r\n\r\n" },
    { "a chunk size beyond counting", POST ..
      "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" },
    { "a chunk that is longer than it says", POST ..
      "Transfer-Encoding: chunked\r\n\r\n2\r\nbody\r\n0\r\n\r\n" },
  }
  for _, case in ipairs(refused) do
    it("refuses " .. case[1] .. " and closes", function()
      serve()
      local answer, visitor = answer_to(case[2])
      assert.equal(400, answer.status)
      assert.equal("close", answer:header("connection"))
      visitor:await_close()
      expect_well()
      assert.equal(1, requests)
    end)
  end

  it("refuses codings that it does not know", function()
    serve()
    local answer = answer_to(POST .. "Transfer-Encoding: gzip, chunked\r\n\r\n")
    assert.is_true(answer.status == 501 or answer.status == 400)
    answer = answer_to(POST .. "Transfer-Encoding: chunked, gzip\r\n\r\n")
    assert.is_true(answer.status == 501 or answer.status == 400)
    expect_well()
  end)

  it("refuses TRACE and CONNECT", function()
    serve()
    assert.equal(405, world:ask({ method = "TRACE" }).status)
    assert.equal(405, answer_to("CONNECT app.test:443 HTTP/1.1\r\n" ..
      "Host: app.test:443\r\n\r\n").status)
    expect_well()
  end)

  it("refuses heads, targets and fields that are too large", function()
    serve()
    assert.equal(431, answer_to(HEAD ..
      ("X-Padding: " .. ("x"):rep(1000) .. "\r\n"):rep(90)).status)
    assert.equal(431, answer_to(HEAD ..
      "X: " .. ("x"):rep(17000) .. "\r\n\r\n").status)
    assert.equal(431, answer_to(HEAD .. ("X: y\r\n"):rep(101) .. "\r\n").status)
    assert.equal(414, answer_to("GET /" .. ("x"):rep(17000) ..
      " HTTP/1.1\r\nHost: app.test\r\n\r\n").status)
    assert.equal(0, requests)
    expect_well()
  end)

  it("answers pipelined requests in order and drops none", function()
    serve()
    local visitor = world:visitor()
    visitor:expect()
    visitor.wire:send((HEAD .. "\r\n"):rep(50))
    for i = 1, 50 do
      local answer = visitor:read_answer()
      assert.equal("PONG\n", answer:body(), i)
      local rest = answer.rest
      visitor:expect()
      visitor.answer:feed(rest)
    end
    assert.equal(50, requests)
  end)

  it("reads a request that comes byte by byte", function()
    serve()
    local visitor = world:visitor()
    visitor:expect()
    local bytes = HEAD .. "\r\n"
    for i = 1, #bytes do
      visitor.wire:send(bytes:sub(i, i))
      world:turns(1)
    end
    assert.equal("PONG\n", visitor:read_answer():body())
  end)

  it("serves an HTTP/1.0 visitor and closes", function()
    serve()
    local visitor = world:visitor()
    visitor.wire:send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n")
    visitor:await_close()
    local bytes = visitor.wire:take()
    assert.matches("^HTTP/1%.1 200 ", bytes)
    assert.matches("\r\n\r\nPONG\n$", bytes)
  end)

  it("takes HTTP/1.0 without a host to be for the default host", function()
    for default, status in pairs { ["app.test:8080"] = 200, ["x.test"] = 404,
      [false] = 400 } do
      serve { default_host = default or nil }
      local visitor = world:visitor()
      visitor.wire:send("GET / HTTP/1.0\r\n\r\n")
      visitor:await_close()
      assert.matches("^HTTP/1%.1 " .. status, visitor.wire:take())
      -- and no other request
      visitor = world:visitor()
      visitor.wire:send("GET / HTTP/1.1\r\n\r\n")
      visitor:await_close()
      assert.matches("^HTTP/1%.1 400", visitor.wire:take())
      world:close()
      world = World.new()
    end
    local _, fault, log = world:server { default_host = "a b" }
    assert.equal("REVERST_ERR_INVALID", fault)
    assert.equal("http.default_host", log[1].option)
  end)

  it("takes few connections from one address, and goes on with those",
    function()
      serve { max_connections_per_address = 5 }
      local visitors = {}
      for i = 1, 8 do visitors[i] = world:visitor() end
      for i = 6, 8 do visitors[i]:await_close() end
      for i = 1, 5 do
        assert.equal("PONG\n", visitors[i]:ask():read_answer():body())
      end
      local entry = server:logged("connection_refused")
      assert.equal("max_connections_per_address", entry.limit)
      visitors[1].wire:close()
      world:run("room", function() return server:stats().connections == 4 end)
      expect_well()
    end)

  it("takes few connections at all, and goes on with those", function()
    serve { max_connections = 3 }
    local visitors = {}
    for i = 1, 5 do visitors[i] = world:visitor() end
    for i = 4, 5 do visitors[i]:await_close() end
    for i = 1, 3 do
      assert.equal("PONG\n", visitors[i]:ask():read_answer():body())
    end
    assert.equal("max_connections", server:logged("connection_refused").limit)
  end)

  it("is not troubled by connections that come and go at once", function()
    serve()
    for _ = 1, 10 do
      local visitors = {}
      for i = 1, 30 do
        visitors[i] = world:visitor()
        if i % 3 == 1 then
          visitors[i].wire:send("GET / HT")
        elseif i % 3 == 2 then
          visitors[i]:ask()
        end
      end
      world:turns(2)
      for i = 1, 30 do
        if i % 2 == 0 then
          visitors[i].wire:reset()
        else
          visitors[i].wire:close()
        end
      end
    end
    expect_well()
    world:run("their end", function() return server:stats().connections <= 1 end)
  end)

  it("refuses new exchanges while its memory is short", function()
    serve { memory_budget = 1024 * 1024 }
    expect_well()
    local stuck = {}
    for i = 1, 40 do
      stuck[i] = world:visitor()
      stuck[i].wire:send("POST /sink HTTP/1.1\r\nHost: app.test\r\n" ..
        "Content-Length: 1000000\r\n\r\n" .. ("x"):rep(600000))
    end
    local refusal = world:run("a refusal", function()
      local answer = world:get("/")
      return answer.status ~= 200 and answer
    end)
    assert.equal(503, refusal.status)
    assert.is_true(server:stats().buffered_bytes <= 8 * 1024 * 1024)
    for i = 1, 40 do stuck[i].wire:reset() end
    world:run("room", function() return server:stats().exchanges == 0 end)
    expect_well()
  end)

  it("makes room by breaking off downloads that nobody reads", function()
    serve { memory_budget = 1024 * 1024 }
    local stuck = {}
    for i = 1, 30 do
      stuck[i] = world:visitor { receive_buffer = 64 * 1024 }
      stuck[i]:ask { path = "/endless" }
      stuck[i].wire:rate(0)
    end
    world:run("a refusal", function()
      return world:get("/").status == 503
    end)
    -- windows do not grow while memory is short
    assert.is_true(server:stats().buffered_bytes <= 8 * 1024 * 1024)
    world:run("room", function()
      return world:get("/").status == 200
    end)
    for i = 1, 30 do stuck[i].wire:reset() end
    world:run("their end", function() return server:stats().exchanges == 0 end)
    expect_well()
  end)

  it("is not troubled by datagrams that are no QUIC", function()
    serve()
    local relay = world:relay()
    math.randomseed(7)
    for i = 1, 2000 do
      local bytes = {}
      for j = 1, math.random(1, 1400) do
        bytes[j] = string.char(math.random(0, 255))
      end
      -- long headers of version 1 among them, which look like a new client
      if i % 3 == 0 then
        bytes[1] = string.char(0xc0 | math.random(0, 63))
        bytes[2], bytes[3], bytes[4], bytes[5] = "\0", "\0", "\0", "\1"
      end
      relay:inject(table.concat(bytes))
      if i % 100 == 0 then
        world:turns(1)
      end
    end
    expect_well()
    assert.equal(1, server:stats().tunnels)
  end)

  it("lets go of heads, bodies and registrations that never come to an end",
    function()
      -- 10 s each: all of them at once
      local registrations = {}
      server = world:server { groups = {
        app = { "app.test" },
        slow = {
          hosts = { "slow.test" },
          authenticate = function(_, it) table.insert(registrations, it) end,
        },
      } }
      world:connected_client { group = "app", on_request = function(_, request)
        request:respond { body = "PONG\n" }
      end }
      local client = world:client { group = "slow", on_request = error }
      local silent = world:visitor()
      local slow = world:visitor()
      slow:expect()
      slow.wire:send("GET / HTTP/1.1\r\nHost: app")
      local after_one = world:visitor()
      after_one:ask():read_answer()
      after_one:expect()
      after_one.wire:send("GET / HT")

      local refusal = world:disconnect_of(client)
      assert.equal("timeout", refusal.reason)
      assert.equal(1, refusal.code)
      assert.is_true(refusal.refused)
      for _, visitor in ipairs { slow, after_one } do
        assert.equal(408, visitor:read_answer().status)
        assert.equal("close", visitor.answer:header("connection"))
        visitor:await_close()
      end
      silent:await_close()
      world:close_engine(client) -- it may have tried again
      for _, registration in ipairs(registrations) do
        registration:accept() -- too late, and harmless
      end
      assert.equal("PONG\n", world:get("/"):body())
      world:run("nobody", function() return server:stats().connections == 0 end)
    end)
end)
