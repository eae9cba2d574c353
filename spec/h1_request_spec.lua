-- HTTP/1.1 towards visitors: what is read as a request, and what is not.

local scene = require "h1_scene"

local get, chunked_post, hello = scene.get, scene.chunked_post, scene.hello
local with, status_of, answer_to =
  scene.with, scene.status_of, scene.answer_to

describe("a visitor's request", function()
  it("becomes an exchange, with the fields that concern the connection removed",
    function()
      with({}, function(world)
        world:feed("GET /a?b=c HTTP/1.1\r\nHOST: Example.com:8080\r\n" ..
          "Accept:  text/html \r\nConnection: keep-alive, X-Drop\r\n" ..
          "X-Drop: 1\r\nUpgrade: websocket\r\nKeep-Alive: 5\r\n" ..
          "TE: trailers\r\nX-Empty:\r\nCookie: a=b\r\n\r\n")
        local exchange = world:exchange(1)
        assert.equal("GET", exchange.request.method)
        assert.equal("http", exchange.request.scheme)
        assert.equal("Example.com:8080", exchange.request.authority)
        assert.equal("/a?b=c", exchange.request.path)
        assert.is_true(exchange.request.no_body)
        assert.is_true(exchange.whole)
        assert.same({ "accept: text/html", "te: trailers", "x-empty: ",
          "cookie: a=b" }, exchange.request.fields)
      end)
    end)

  it("is the same however its bytes are cut", function()
    local bytes = "\r\nPOST /upload HTTP/1.1\r\nHost: example.com\r\n" ..
      "X-Long: " .. ("v"):rep(40) .. "\r\nTransfer-Encoding: Chunked\r\n" ..
      "Trailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n0006\r\n world\r\n" ..
      "0\r\nX-Sum: 12\r\n\r\n"
    local function check(world)
      local exchange = world:exchange(1)
      assert.equal("/upload", exchange.request.path)
      assert.same({ "x-long: " .. ("v"):rep(40), "trailer: X-Sum" },
        exchange.request.fields)
      assert.equal("hello world", world:take(1))
      assert.is_true(world:exchange(1).whole)
      assert.same({ "x-sum: 12" }, world:exchange(1).trailers)
      assert.equal("", world:output())
    end
    for cut = 1, #bytes - 1 do
      with({}, function(world)
        world:feed(bytes:sub(1, cut))
        world:feed(bytes:sub(cut + 1))
        check(world)
      end)
    end
    with({}, function(world)
      for i = 1, #bytes do
        world:feed(bytes:sub(i, i))
      end
      check(world)
    end)
  end)

  it("may have any method that is a token", function()
    for _, method in ipairs { "PROPFIND", "FOO", "get", "X-Y_Z!" } do
      with({}, function(world)
        world:feed(method .. " / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert.equal(method, world:exchange(1).request.method)
      end)
    end
  end)

  it("may name the authority in its target, which wins over Host", function()
    local cases = {
      { "http://b.example/x", "b.example", "/x" },
      { "HTTP://b.example:81", "b.example:81", "/" },
      { "https://b.example?q=/", "b.example", "/?q=/" },
      { "http://[::1]:80/", "[::1]:80", "/" },
    }
    for _, case in ipairs(cases) do
      with({}, function(world)
        world:feed("GET " .. case[1] .. " HTTP/1.1\r\nHost: a\r\n\r\n")
        local request = world:exchange(1).request
        assert.same({ case[2], case[3] }, { request.authority, request.path })
        assert.same({}, request.fields)
      end)
    end
    with({}, function(world)
      world:feed("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n")
      assert.equal("*", world:exchange(1).request.path)
    end)
  end)

  it("that asks for another protocol is served in this one", function()
    local fields = "Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\n" ..
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    assert.equal(hello:rep(4), (answer_to(
      "GET / HTTP/1.1\r\n" .. fields .. "\r\n" ..
      "POST / HTTP/1.1\r\n" .. fields .. "Content-Length: 2\r\n\r\nab" ..
      "POST / HTTP/1.1\r\n" .. fields ..
      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" .. get)))
  end)

  it("of HTTP/1.0 may lack Host where there is a default", function()
    local bytes = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert.equal(400, status_of((answer_to(bytes))))
    local output, state = answer_to(bytes,
      { answer = "hello", default_host = "fallback" })
    assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n" ..
      "connection: close\r\n\r\nhello", output)
    assert.equal("linger", state.closed)
  end)

  it("is never served when it is ambiguous or malformed", function()
    local host = "Host: a\r\n"
    local function post(fields, body)
      return "POST / HTTP/1.1\r\n" .. host .. fields .. "\r\n" .. (body or "")
    end
    local function chunks(body)
      return post("Transfer-Encoding: chunked\r\n", body)
    end
    local cases = {
      -- length against length
      { 400, post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") },
      { 400, post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n") },
      { 400, post("Content-Length: 1\r\nContent-Length: 2\r\n") },
      { 400, post("Content-Length: 1, 2\r\n") },
      { 400, post("Content-Length: +1\r\n") },
      { 400, post("Content-Length: -1\r\n") },
      { 400, post("Content-Length: 1 2\r\n") },
      { 400, post("Content-Length: 0x1\r\n") },
      { 400, post("Content-Length:\r\n") },
      { 400, post("Content-Length: 9223372036854775808\r\n") },
      { 400, post("Content-Length: 18446744073709551617\r\n") },
      -- transfer codings
      { 501, post("Transfer-Encoding: gzip\r\n") },
      { 501, post("Transfer-Encoding: gzip, chunked\r\n") },
      { 501, post("Transfer-Encoding: xchunked\r\n") },
      { 501, post("Transfer-Encoding: identity\r\n") },
      { 400, post("Transfer-Encoding: chunked, gzip\r\n") },
      { 400, post("Transfer-Encoding: chunked, chunked\r\n") },
      { 400, post("Transfer-Encoding: chunked, identity\r\n") },
      { 400, post("Transfer-Encoding:\r\n") },
      { 400, post("Transfer-Encoding: chunked\t\r\n") },
      { 400, post("Transfer-Encoding: ,chunked\r\n") },
      { 400, post(("Transfer-Encoding: chunked\r\n"):rep(2)) },
      { 400, post("Transfer-Encoding : chunked\r\n") },
      { 400, post("Transfer-Encoding\t: chunked\r\n") },
      { 400, post("Transfer-Encoding: \11chunked\r\n") },
      { 400, "POST / HTTP/1.0\r\n" .. host ..
        "Transfer-Encoding: chunked\r\n\r\n" },
      -- chunks
      { 400, chunks "x\r\n" },
      { 400, chunks "-1\r\n" },
      { 400, chunks "0x1\r\n" },
      { 400, chunks " 1\r\na\r\n" },
      { 400, chunks "1 \r\na\r\n" },
      { 400, chunks "1\na\r\n" },
      { 400, chunks "1\r\nab\r\n" },
      { 400, chunks "1\r\na\n0\r\n\r\n" },
      { 400, chunks "\r\n" },
      { 400, chunks "1\r\na\r0\r\n\r\n" },
      { 400, chunks "1;a\nb\r\na\r\n" },
      { 400, chunks "8000000000000000\r\n" },
      { 400, chunks "10000000000000000\r\n" },
      { 400, chunks("1;" .. ("e"):rep(2000) .. "\r\na\r\n") },
      { 400, chunks("1" .. (";"):rep(2000)) },
      { 400, chunks "0\r\nX: a\nY: b\r\n\r\n" },
      { 400, chunks "0\r\n X: a\r\n\r\n" },
      { 400, chunks "0\r\nX : a\r\n\r\n" },
      { 400, chunks "0\r\nContent-Length: 1\r\n\r\n" },
      { 400, chunks "0\r\nTransfer-Encoding: chunked\r\n\r\n" },
      { 431, chunks("0\r\n" .. ("X: a\r\n"):rep(101) .. "\r\n") },
      { 431, chunks("0\r\n" .. ("X: " .. ("a"):rep(9000) .. "\r\n"):rep(9)) },
      -- lines
      { 400, "GET / HTTP/1.1\n" .. host .. "\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost: a\n\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost: a\r\n\n" },
      { 400, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. "X: a\r\n b\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. "X: a\r\n\tb\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n X: a\r\n" .. host .. "\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. "X: a\0b\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. "X: a\1b\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. "X\0: a\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. "X Y: a\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. ": a\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\n" .. host .. "novalue\r\n\r\n" },
      { 400, "\r\n\r\nGET / HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "\nGET / HTTP/1.1\r\n" .. host .. "\r\n" },
      -- request line
      { 400, "GET / HTTP/1.2\r\n" .. host .. "\r\n" },
      { 400, "GET / HTTP/2.0\r\n" .. host .. "\r\n" },
      { 400, "GET / HTTP/0.9\r\n" .. host .. "\r\n" },
      { 400, "GET / http/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET / HTTP/1.1 \r\n" .. host .. "\r\n" },
      { 400, "GET  / HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET /  HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET /a b HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, " GET / HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET\t/ HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET /\r\n" .. host .. "\r\n" },
      { 400, "GET\r\n" },
      { 400, "G(T / HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET /a#b HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET /a\127b HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET /a\rb HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET path HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET * HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET ftp://a/ HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET http:///x HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "GET http://u:p@a/x HTTP/1.1\r\n" .. host .. "\r\n" },
      { 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
      { 400, "\22\3\1\2\0\1\0" },
      -- hosts
      { 400, "GET / HTTP/1.1\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n" },
      { 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" },
      { 400, "GET http://b/ HTTP/1.1\r\n\r\n" },
      -- methods
      { 405, "TRACE / HTTP/1.1\r\n" .. host .. "\r\n" },
      { 405, "CONNECT a:443 HTTP/1.1\r\n" .. host .. "\r\n" },
      -- sizes
      { 414, "GET /" .. ("a"):rep(16384) .. " HTTP/1.1\r\n" .. host .. "\r\n" },
      { 414, "GET /" .. ("a"):rep(20000) },
      { 400, ("G"):rep(17000) },
      { 431, "GET / HTTP/1.1\r\n" .. ("n"):rep(257) .. ": a\r\n" },
      { 431, "GET / HTTP/1.1\r\nX: " .. ("v"):rep(16385) },
      { 431, "GET / HTTP/1.1\r\n" .. host .. ("X: a\r\n"):rep(100) .. "\r\n" },
      { 431, "GET / HTTP/1.1\r\n" .. ("X: " .. ("a"):rep(9000) .. "\r\n"):rep(8) },
    }
    for i, case in ipairs(cases) do
      local label = i .. ": " .. case[2]:sub(1, 120)
      for _, step in ipairs { #case[2], 1 } do
        if step == 1 and #case[2] > 3000 then break end
        with({ answer = "hello" }, function(world)
          for at = 1, #case[2], step do
            world:feed(case[2]:sub(at, at + step - 1))
          end
          local output = world:output()
          assert.equal(case[1], status_of(output), label)
          assert.truthy(output:find("connection: close\r\n", 1, true), label)
          local length = tonumber(output:match "content%-length: (%d+)\r\n")
          assert.equal(length, #output:match "\r\n\r\n(.*)$", label)
          assert.equal("linger", world:state().closed, label)
        end)
      end
    end
  end)

  it("is taken at the very limits", function()
    local bytes = "GET /" .. ("a"):rep(16383) .. " HTTP/1.1\r\nHost: a\r\n" ..
      ("n"):rep(256) .. ": a\r\nX: " .. ("v"):rep(16384) .. "\r\n" ..
      ("y: z\r\n"):rep(97) .. "\r\n"
    assert.equal(hello, (answer_to(bytes)))
  end)

  it("gets 400 when the visitor's side ends within it", function()
    for _, bytes in ipairs { "G", "GET / HTTP/1.1\r\nHos", get:sub(1, -2),
        chunked_post, chunked_post .. "5\r\nhel",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na" } do
      with({}, function(world)
        world:feed(bytes)
        world:fin()
        assert.equal(400, status_of(world:output()))
        assert.equal("linger", world:state().closed)
        if world:state().exchanges > 0 then
          assert.is_true(world:exchange(1).cancelled)
        end
      end)
    end
  end)

  it("is cancelled when the visitor leaves after it", function()
    with({}, function(world)
      world:feed(get)
      world:fin()
      assert.is_true(world:exchange(1).cancelled)
      assert.equal("abort", world:state().closed)
      assert.equal(1, world:state().ended)
    end)
    with({}, function(world)
      world:feed(get)
      world:reset(104)
      assert.is_true(world:exchange(1).cancelled)
      assert.is_true(world:state().gone)
    end)
  end)

  it("is not cancelled by a half-close where that is allowed", function()
    with({ half_close = true }, function(world)
      world:feed(get)
      world:fin()
      assert.is_false(world:exchange(1).cancelled)
      world:respond(1, 200, {}, { length = 2, and_push = "ok", and_end = true })
      assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" ..
        "connection: close\r\n\r\nok", world:output())
      assert.equal("linger", world:state().closed)
    end)
  end)
end)
