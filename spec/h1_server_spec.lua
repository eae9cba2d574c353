-- HTTP/1.1 towards visitors: connections, bodies, answers.

local scene = require "h1_scene"

local get, chunked_post, hello = scene.get, scene.chunked_post, scene.hello
local with, status_of, answer_to =
  scene.with, scene.status_of, scene.answer_to

describe("a visitor's connection", function()
  it("answers pipelined requests in order, one at a time", function()
    with({}, function(world)
      local second = get:gsub("/path", "/second")
      world:feed(get .. second)
      assert.equal(1, world:state().exchanges)
      assert.is_false(world:state().reading)
      world:respond(1, 200, {}, { length = 1, and_push = "1", and_end = true })
      assert.equal(2, world:state().exchanges)
      assert.is_true(world:state().reading)
      assert.equal("/second?q", world:exchange(2).request.path)
      world:respond(2, 200, {}, { length = 1, and_push = "2", and_end = true })
      assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1" ..
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2", world:output())
      assert.equal(2, world:state().ended)
      assert.is_nil(world:state().closed)
    end)
  end)

  it("answers a hundred pipelined requests with bodies", function()
    local one = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    local output = answer_to((one .. get .. chunked_post ..
      "1\r\na\r\n0\r\n\r\n"):rep(100))
    assert.equal(hello:rep(300), output)
  end)

  it("reads nothing more while pipelined bytes wait", function()
    with({}, function(world)
      world:feed(get:rep(2))
      for _ = 1, 100 do
        world:feed(("x"):rep(10000))
      end
      assert.equal(1000000, world:state().arriving)
    end)
  end)

  it("closes when the visitor asks for it", function()
    local output, state = answer_to(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n" .. get)
    assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n" ..
      "connection: close\r\n\r\nhello", output)
    assert.equal("linger", state.closed)
    assert.equal(1, state.ended)
  end)

  it("closes when the visitor's side ends between requests", function()
    with({ answer = "hello" }, function(world)
      world:feed(get)
      world:fin()
      assert.equal(hello, world:output())
      assert.equal("linger", world:state().closed)
    end)
  end)

  it("that is to close drops what follows, up to a bound", function()
    with({}, function(world)
      world:feed "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      world:feed(("x"):rep(3000000))
      assert.is_false(world:state().reading)
      assert.truthy(world:state().arriving > 1900000)
      world:respond(1, 200, {}, { length = 1, and_push = "1", and_end = true })
      assert.equal(200, status_of(world:output()))
      assert.equal("linger", world:state().closed)
    end)
  end)

  it("drains: an idle one closes at once, a busy one after its answer",
    function()
      with({}, function(world)
        assert.is_false(world:state().busy)
        world:drain()
        assert.equal("linger", world:state().closed)
      end)
      with({}, function(world)
        world:feed(get)
        assert.is_true(world:state().busy)
        world:drain()
        assert.is_nil(world:state().closed)
        world:respond(1, 204, {}, { no_body = true })
        assert.equal("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
          world:output())
        assert.equal("linger", world:state().closed)
      end)
    end)

  it("may be aborted at any time", function()
    with({}, function(world)
      world:feed(get)
      world:close()
      assert.is_true(world:exchange(1).cancelled)
      assert.equal("abort", world:state().closed)
    end)
  end)

  it("times out: silently while idle, with 408 within a head", function()
    with({}, function(world)
      world:advance(9.9)
      assert.is_nil(world:state().closed)
      world:advance(0.2)
      assert.equal("", world:output())
      assert.equal("linger", world:state().closed)
    end)
    with({ answer = "hello" }, function(world)
      world:feed(get)
      world:output()
      world:advance(74)
      assert.is_nil(world:state().closed)
      world:advance(2)
      assert.equal("", world:output())
      assert.equal("linger", world:state().closed)
    end)
    with({ answer = "hello" }, function(world)
      world:feed(get)
      world:output()
      world:advance(60)
      for i = 1, 11 do
        world:feed(get:sub(i, i))
        world:advance(1)
      end
      assert.equal(408, status_of(world:output()))
      assert.equal("linger", world:state().closed)
    end)
  end)

  it("times out with 408 within a body, but not while it waits for an answer",
    function()
      with({}, function(world)
        world:feed(chunked_post)
        world:advance(59)
        world:feed "1\r\na\r\n"
        world:advance(59)
        assert.equal("", world:output())
        world:advance(2)
        assert.equal(408, status_of(world:output()))
        assert.equal("timeout_request", world:state().reported_failure)
        assert.is_true(world:exchange(1).cancelled)
      end)
      with({}, function(world)
        world:feed(get)
        world:advance(3600)
        world:respond(1, 200, {}, { length = 1, and_push = "x", and_end = true })
        assert.equal(200, status_of(world:output()))
      end)
    end)

  it("times out with 504 when a body is not taken", function()
    with({}, function(world)
      world:feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" ..
        ("x"):rep(200000))
      world:advance(61)
      assert.equal(504, status_of(world:output()))
    end)
  end)

  it("is aborted when the visitor takes nothing of an answer", function()
    with({}, function(world)
      world:feed(get)
      world:window(10)
      world:respond(1, 200, {}, { length = 100, and_push = "x" })
      world:advance(59)
      world:window(1)
      world:advance(59)
      assert.is_nil(world:state().closed)
      world:advance(2)
      assert.equal("abort", world:state().closed)
      assert.equal("timeout_body", world:state().reported_failure)
      assert.is_true(world:exchange(1).cancelled)
    end)
  end)
end)

describe("a request body", function()
  it("is read no further than the pipe wants", function()
    with({}, function(world)
      world:feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
      world:feed(("x"):rep(1000000))
      assert.is_false(world:state().reading)
      assert.truthy(world:exchange(1).available <= 65536 + 16384)
      assert.truthy(world:state().arriving > 800000)
      local total = 0
      repeat
        local got = #world:take(1, 50000)
        total = total + got
      until got == 0
      assert.equal(1000000, total)
      assert.is_true(world:exchange(1).whole)
      assert.is_true(world:state().reading)
    end)
  end)

  it("is dropped when nobody wants it, and the connection is kept", function()
    with({}, function(world)
      world:feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
      world:stop_body(1)
      world:respond(1, 413, {}, { length = 3, and_push = "big", and_end = true })
      assert.equal("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n" ..
        "\r\nbig", world:output())
      world:leave(1)
      world:feed(("x"):rep(500000) .. get)
      assert.equal(2, world:state().exchanges)
      assert.equal("/path?q", world:exchange(2).request.path)
    end)
  end)

  it("is dropped up to a bound, then the connection closes", function()
    with({}, function(world)
      world:feed("POST / HTTP/1.1\r\nHost: a\r\n" ..
        "Content-Length: 5000000\r\n\r\n")
      world:stop_body(1)
      world:feed(("x"):rep(2000000))
      assert.is_false(world:state().reading)
      assert.is_nil(world:state().closed)
      world:respond(1, 413, {}, { length = 0 })
      world:end_body(1)
      assert.equal(413, status_of(world:output()))
      assert.equal("linger", world:state().closed)
    end)
  end)

  it("that goes wrong after its answer gets no second one", function()
    local function check(act)
      with({}, function(world)
        world:feed(chunked_post)
        world:respond(1, 200, {}, { length = 0, and_end = true })
        assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
          world:output())
        assert.is_nil(world:state().closed)
        act(world)
        assert.equal("", world:output())
        assert.equal("linger", world:state().closed)
      end)
    end
    check(function(world) world:feed "zz\r\n" end)
    check(function(world) world:fin() end)
    check(function(world) world:advance(61) end)
  end)

  it("that breaks off under an early answer does not cut the answer", function()
    with({}, function(world)
      world:feed(chunked_post .. "5\r\nhello\r\n")
      world:respond(1, 200, {}, { length = 4, and_push = "ab" })
      world:fin()
      assert.equal("aborted", world:exchange(1).body)
      world:push(1, "cd")
      world:end_body(1)
      assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd",
        world:output())
      assert.equal("linger", world:state().closed)
    end)
  end)

  it("that is malformed under an early answer aborts it", function()
    with({}, function(world)
      world:feed(chunked_post)
      world:respond(1, 200, {}, { length = 4, and_push = "ab" })
      world:feed "zz\r\n"
      assert.equal("abort", world:state().closed)
      assert.is_true(world:exchange(1).cancelled)
    end)
  end)

  it("that was announced with Expect may follow 100, or the connection closes",
    function()
      local head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n" ..
        "Content-Length: 2\r\n\r\n"
      with({}, function(world)
        world:feed(head)
        assert.same({ "expect: 100-Continue", "content-length: 2" },
          world:exchange(1).request.fields)
        world:inform(1, 100)
        assert.equal("HTTP/1.1 100 Continue\r\n\r\n", world:output())
        world:feed "ab"
        assert.equal("ab", world:take(1))
        world:respond(1, 200, {}, { length = 0, and_end = true })
        assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
          world:output())
        assert.is_nil(world:state().closed)
      end)
      with({}, function(world)
        world:feed(head)
        world:respond(1, 403, {}, { length = 0, and_end = true })
        assert.equal("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n" ..
          "connection: close\r\n\r\n", world:output())
        assert.equal("linger", world:state().closed)
      end)
    end)
end)

describe("an answer", function()
  it("keeps its length, and is chunked without", function()
    with({}, function(world)
      world:feed(get)
      world:respond(1, 200, { { "content-length", "5" }, { "x-a", "b" },
        { "set-cookie", "a" }, { "set-cookie", "b" } }, { length = 5 })
      assert.equal("HTTP/1.1 200 OK\r\nx-a: b\r\nset-cookie: a\r\n" ..
        "set-cookie: b\r\ncontent-length: 5\r\n\r\n", world:output())
      world:push(1, "hel")
      assert.equal("hel", world:output())
      world:push(1, "lo")
      world:end_body(1)
      assert.equal("lo", world:output())
      world:feed(get)
      world:respond(2, 200)
      world:push(2, "hello")
      world:push(2, ("x"):rep(31))
      world:end_body(2)
      assert.equal("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" ..
        "5\r\nhello\r\n1f\r\n" .. ("x"):rep(31) .. "\r\n0\r\n\r\n",
        world:output())
    end)
  end)

  it("that is whole at once is sent with its head in one write", function()
    with({}, function(world)
      world:feed(get)
      local before = world:state().writes
      world:respond(1, 200, {}, { and_push = "hello", and_end = true })
      assert.equal(hello, world:output())
      assert.equal(before + 1, world:state().writes)
    end)
  end)

  it("of unknown length ends with the connection for HTTP/1.0", function()
    with({}, function(world)
      world:feed "GET / HTTP/1.0\r\nHost: a\r\n\r\n"
      world:inform(1, 103)
      world:respond(1, 200)
      world:push(1, "hello")
      world:end_body(1, { { "x-sum", "5" } })
      assert.equal("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
        world:output())
      assert.equal("linger", world:state().closed)
    end)
  end)

  it("may be preceded by informational heads and followed by trailers",
    function()
      with({}, function(world)
        world:feed(get)
        world:inform(1, 103, { { "link", "</a>" }, { "connection", "x" } })
        assert.equal("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
          world:output())
        world:inform(1, 102)
        world:respond(1, 200)
        world:push(1, "a")
        world:end_body(1, { { "x-sum", "1" } })
        assert.equal("HTTP/1.1 102 Processing\r\n\r\n" ..
          "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" ..
          "1\r\na\r\n0\r\nx-sum: 1\r\n\r\n", world:output())
      end)
    end)

  it("has no body for HEAD, 204 and 304, whatever comes", function()
    local function check(request, status, expected)
      with({}, function(world)
        world:feed(request)
        world:respond(1, status, {}, { length = 7, and_push = "unwanted" })
        assert.equal(expected .. "\r\n", world:output())
        world:feed(get)
        assert.equal(2, world:state().exchanges)
      end)
    end
    local head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
    check(head, 200, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n")
    check(get, 204, "HTTP/1.1 204 No Content\r\n")
    check(get, 304, "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n")
  end)

  it("never carries fields that concern the other connection", function()
    with({}, function(world)
      world:feed(get)
      world:respond(1, 200, { { "connection", "x-hop, close" },
        { "x-hop", "1" }, { "keep-alive", "1" }, { "upgrade", "h2c" },
        { "transfer-encoding", "chunked" }, { "content-length", "99" },
        { "x-end", "1" } }, { length = 0, and_end = true })
      assert.equal("HTTP/1.1 200 OK\r\nx-end: 1\r\ncontent-length: 0\r\n\r\n",
        world:output())
    end)
  end)

  it("with a field that would inject is not written", function()
    for _, field in ipairs { { "x", "a\r\nb: c" }, { "x\r\n", "a" },
        { "x", "a\0" }, { "x y", "a" }, { "x:", "a" } } do
      with({}, function(world)
        world:feed(get)
        world:respond(1, 200, { field }, { length = 0, and_end = true })
        assert.equal(502, status_of(world:output()))
      end)
      with({}, function(world)
        world:feed(get)
        world:respond(1, 200)
        world:push(1, "a")
        world:end_body(1, { field })
        assert.falsy(world:output():find("0\r\n", 60, true))
        assert.equal("abort", world:state().closed)
      end)
    end
  end)

  it("that breaks off, or is not as long as declared, is aborted", function()
    local function check(length, cause, act)
      with({}, function(world)
        world:feed(get)
        world:respond(1, 200, {}, { length = length })
        world:push(1, "hello")
        act(world)
        assert.falsy(world:output():find("0\r\n\r\n", 40, true))
        assert.equal("abort", world:state().closed)
        assert.equal(cause, world:state().reported_failure)
      end)
    end
    local function fail(world) world:fail(1, "upstream_reset") end
    local function finish(world) world:end_body(1) end
    check(nil, "upstream_reset", fail)
    check(10, "upstream_reset", fail)
    check(10, "origin_malformed", finish)
    check(3, "origin_malformed", finish)
    check(nil, "internal", function(world) world:leave(1) end)
  end)

  it("does not make memory grow when the visitor is slow", function()
    with({}, function(world)
      world:feed(get)
      world:window(100)
      world:respond(1, 200)
      local pushed = 0
      while world:exchange(1).wants do
        world:push(1, ("x"):rep(10000))
        pushed = pushed + 10000
      end
      assert.truthy(pushed <= 65536 + 65536 + 30000)
      assert.truthy(world:state().chunks <= 16)
      for _ = 1, 50 do
        world:window(5000)
        if world:exchange(1).wants then
          world:push(1, ("x"):rep(10000))
        end
      end
      assert.truthy(world:state().chunks <= 18)
      world:end_body(1)
      world:window(nil)
      assert.truthy(world:output():sub(-7) == "\r\n0\r\n\r\n")
      assert.is_nil(world:state().closed)
    end)
  end)

  it("of any size comes through whole, however little is taken at once",
    function()
      with({}, function(world)
        world:feed(get)
        world:respond(1, 200, {}, { length = 300000 })
        local body = {}
        for i = 1, 300 do
          body[i] = ("%04d"):format(i):rep(250)
          world:push(1, body[i])
        end
        world:end_body(1)
        local whole = world:output()
        assert.equal(table.concat(body), whole:match "\r\n\r\n(.*)$")
        world:feed(get)
        world:window(0)
        world:respond(2, 200, {}, { and_push = ("y"):rep(900), and_end = true })
        for _ = 1, 999 do
          world:window(1)
        end
        assert.equal(("y"):rep(900), world:output():match "\r\n\r\n(.*)$")
      end)
    end)
end)

describe("a request that fails", function()
  it("is answered by one line with the request's id", function()
    local cases = {
      { "no_group", 404 }, { "no_tunnel", 503 }, { "refused", 502 },
      { "timeout_head", 504 }, { "target_too_long", 414, true },
      { "internal", 500, true }, { "draining", 503, true },
    }
    for _, case in ipairs(cases) do
      with({}, function(world)
        world:feed(get)
        local id = world:exchange(1).id
        assert.equal(32, #id)
        world:fail(1, case[1])
        local output = world:output()
        assert.equal(case[2], status_of(output))
        local body = output:match "\r\n\r\n(.*)$"
        assert.truthy(body:match("^[^\r\n]+ %(request " .. id .. "%)\n$"))
        assert.equal(#body, tonumber(output:match "content%-length: (%d+)"))
        assert.equal(case[2] == 503,
          output:find("\r\nretry-after: 5\r\n", 1, true) ~= nil)
        assert.equal(case[3] or false,
          output:find("\r\nconnection: close\r\n", 1, true) ~= nil)
        assert.equal(case[3] and "linger" or nil, world:state().closed)
        assert.equal(id, world:state().reported_id)
      end)
    end
  end)

  it("with HEAD is answered without a body", function()
    with({}, function(world)
      world:feed "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
      world:fail(1, "no_tunnel")
      assert.equal("\r\n\r\n", world:output():sub(-4))
      world:feed(get)
      assert.equal(2, world:state().exchanges)
    end)
  end)

  it("because nobody takes it is answered with 500", function()
    assert.equal(500, status_of((answer_to(get, { ignores = true }))))
  end)

  it("tells which methods are allowed", function()
    assert.truthy(answer_to("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
      :find("\r\nallow: GET, ", 1, true))
  end)
end)

describe("random bytes in place of a visitor", function()
  local seed = tonumber(os.getenv "REVERST_SEED") or 20240611
  local parts = {
    get, chunked_post, "5\r\nhello\r\n", "0\r\n\r\n", "\r\n", "\n", "\r", "\0",
    "GET / HTTP/1.1\r\n", "Host: a\r\n", "Content-Length: 4\r\n", "abcd",
    "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", " ", ":", ";",
    "HTTP/1.0\r\n", "POST / ", "Expect: 100-continue\r\n", "0\r\nX: y\r\n\r\n",
  }

  it("never break anything (seed " .. seed .. ")", function()
    math.randomseed(seed)
    for _ = 1, 400 do
      with({ answer = "hello" }, function(world)
        for _ = 1, math.random(1, 20) do
          local part = parts[math.random(#parts)]
          if math.random(10) == 1 then
            local at = math.random(#part)
            part = part:sub(1, at - 1) .. string.char(math.random(0, 255)) ..
              part:sub(at + 1)
          end
          local cut = math.random(0, #part)
          world:feed(part:sub(1, cut))
          world:feed(part:sub(cut + 1))
          if math.random(20) == 1 then world:advance(20) end
          if math.random(30) == 1 then world:window(math.random(0, 200)) end
        end
        if math.random(3) == 1 then world:fin() end
      end)
    end
  end)
end)
