-- HTTP/1.1 towards origins.

local h1 = require "spec.h1"

local function with(options, body)
  local world = h1.client(options)
  local fine, message = xpcall(body, debug.traceback, world)
  local left = world:finish()
  assert(fine, message)
  assert.equal(0, left)
end

local function request(changes)
  local head = { method = "GET", path = "/x", authority = "a:1",
    fields = {}, no_body = true }
  for key, value in pairs(changes or {}) do
    head[key] = value
  end
  return head
end

local get = "GET /x HTTP/1.1\r\nhost: a:1\r\n\r\n"
local ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

-- Answers one request with these bytes; body(world) looks at what came of it
local function answered(bytes, body, changes)
  with({}, function(world)
    world:connect()
    world:submit(request(changes))
    world:output()
    world:feed(bytes)
    body(world)
  end)
end

describe("a request to an origin", function()
  it("is written anew from its head", function()
    with({}, function(world)
      world:submit(request {
        fields = { { "cookie", "a=b" }, { "accept", "*/*" },
          { "cookie", "c=d" }, { "connection", "x-hop" }, { "x-hop", "1" },
          { "host", "other" }, { "te", "trailers" }, { "x-b", "2" },
          { "transfer-encoding", "chunked" }, { "content-length", "7" } },
      })
      assert.equal("", world:output())
      world:connect()
      assert.equal("GET /x HTTP/1.1\r\nhost: a:1\r\naccept: */*\r\n" ..
        "te: trailers\r\nx-b: 2\r\ncookie: a=b; c=d\r\n\r\n", world:output())
    end)
  end)

  it("without a body says so where one is usual", function()
    for method, line in pairs { GET = "", DELETE = "", HEAD = "",
        POST = "content-length: 0\r\n", PUT = "content-length: 0\r\n",
        PATCH = "content-length: 0\r\n" } do
      with({}, function(world)
        world:connect()
        world:submit(request { method = method })
        assert.equal(method .. " /x HTTP/1.1\r\nhost: a:1\r\n" .. line ..
          "\r\n", world:output())
      end)
    end
  end)

  it("sends its body as long as declared, or chunked with trailers", function()
    with({}, function(world)
      world:connect()
      local i = world:submit(request { method = "POST", no_body = false,
        length = 5 })
      world:push(i, "hel")
      world:push(i, "lo")
      world:end_body(i)
      assert.equal("POST /x HTTP/1.1\r\nhost: a:1\r\ncontent-length: 5\r\n" ..
        "\r\nhello", world:output())
      world:feed(ok)
      world:leave(i)
      i = world:submit(request { method = "POST", no_body = false })
      world:push(i, "hello")
      world:end_body(i, { { "x-sum", "5" } })
      assert.equal("POST /x HTTP/1.1\r\nhost: a:1\r\n" ..
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n" ..
        "0\r\nx-sum: 5\r\n\r\n", world:output())
    end)
  end)

  it("never looks whole when it is not", function()
    local function check(length, act)
      with({}, function(world)
        world:connect()
        local i = world:submit(request { method = "POST", no_body = false,
          length = length })
        world:push(i, "hello")
        act(world, i)
        assert.falsy(world:output():find("0\r\n\r\n", 40, true))
        assert.equal("abort", world:state().closed)
        assert.truthy(world:exchange(i).failure ~= "none")
      end)
    end
    local function finish(world, i) world:end_body(i) end
    local function cut(world, i) world:abort_body(i, "request_malformed") end
    check(6, finish)
    check(4, finish)
    check(6, cut)
    check(nil, cut)
    check(nil, function(world, i) world:end_body(i, { { "x", "a\nb" } }) end)
  end)

  it("that would inject a field is not written", function()
    local function check(changes)
      with({}, function(world)
        world:connect()
        local i = world:submit(request(changes))
        assert.equal("", world:output())
        assert.equal("request_malformed", world:exchange(i).failure)
      end)
    end
    check { path = "/ HTTP/1.1\r\nx: y" }
    check { path = "x" }
    check { path = "/a b" }
    check { method = "G T" }
    check { authority = "a\r\nx: y" }
    check { authority = "" }
    check { fields = { { "x", "a\r\nb: c" } } }
    check { fields = { { "x: y\r\nz", "a" } } }
  end)

  it("is closed when it is cancelled", function()
    with({}, function(world)
      world:connect()
      world:submit(request())
      world:cancel(1)
      assert.equal("abort", world:state().closed)
      assert.is_true(world:state().gone)
    end)
    answered("HTTP/1.1 200 OK\r\n\r\nabc", function(world)
      world:stop_body(1)
      assert.equal("abort", world:state().closed)
    end)
  end)

  it("is read no further from its pipe than the origin takes", function()
    with({}, function(world)
      world:connect()
      world:window(0)
      local i = world:submit(request { method = "POST", no_body = false })
      local pushed = 0
      while world:exchange(i).wants do
        world:push(i, ("x"):rep(10000))
        pushed = pushed + 10000
      end
      assert.truthy(pushed <= 65536 + 65536 + 30000)
      world:end_body(i)
      world:window(nil)
      assert.equal("0\r\n\r\n", world:output():sub(-5))
    end)
  end)
end)

describe("an origin's response", function()
  it("is the same however its bytes are cut", function()
    local bytes = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" ..
      "HTTP/1.1 200 Fine\r\nX-A: b\r\nConnection: x-hop\r\nX-Hop: 1\r\n" ..
      "Keep-Alive: 5\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n" ..
      "Set-Cookie: a\r\n\r\n"
    local function check(world)
      local early = world:informational(1)
      assert.equal(103, early.status)
      assert.same({ "link: </a>" }, early.fields)
      local exchange = world:exchange(1)
      assert.equal(200, exchange.response.status)
      assert.same({ "x-a: b" }, exchange.response.fields)
      assert.equal("hello world", world:take(1))
      exchange = world:exchange(1)
      assert.is_true(exchange.whole)
      assert.same({ "x-sum: 1" }, exchange.trailers)
      assert.equal(1, world:state().idle)
    end
    for cut = 1, #bytes do
      answered(bytes:sub(1, cut), function(world)
        world:feed(bytes:sub(cut + 1))
        check(world)
      end)
    end
    answered("", function(world)
      for i = 1, #bytes do
        world:feed(bytes:sub(i, i))
      end
      check(world)
    end)
  end)

  it("leaves the connection for the next request", function()
    with({}, function(world)
      world:connect()
      for i = 1, 5 do
        world:submit(request())
        assert.equal(get, world:output())
        world:feed(ok)
        assert.equal("hello", world:take(i))
        assert.is_true(world:exchange(i).whole)
        assert.equal(i, world:state().idle)
      end
    end)
  end)

  it("leaves no connection when it says so, or when more comes", function()
    local function check(bytes, later)
      answered(bytes, function(world)
        assert.equal("hello", world:take(1))
        assert.is_true(world:exchange(1).whole)
        if later then later(world) end
        assert.equal("abort", world:state().closed)
      end)
    end
    local function more(world) world:feed "x" end
    local function fin(world) world:fin() end
    check((ok:gsub("OK\r\n", "OK\r\nConnection: close\r\n")))
    check((ok:gsub("1.1", "1.0")))
    check(ok .. "x")
    check(ok, more)
    check(ok, fin)
  end)

  it("of HTTP/1.0 keeps the connection when it says so", function()
    answered("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n" ..
      "Connection: Keep-Alive\r\n\r\nhello", function(world)
        assert.equal(1, world:state().idle)
      end)
  end)

  it("may end with the connection", function()
    answered("HTTP/1.1 200 OK\r\n\r\nhel", function(world)
      world:feed "lo"
      assert.equal("hello", world:take(1))
      assert.equal("open", world:exchange(1).body)
      world:fin()
      assert.is_true(world:exchange(1).whole)
      assert.is_true(world:state().gone)
    end)
  end)

  it("has no body for HEAD, 204 and 304, whatever it declares", function()
    local function check(bytes, changes, length)
      answered(bytes, function(world)
        assert.is_true(world:exchange(1).whole)
        assert.is_true(world:exchange(1).response.no_body)
        assert.equal(length, world:exchange(1).response.length)
        assert.equal(1, world:state().idle)
      end, changes)
    end
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
      { method = "HEAD" }, 5)
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      { method = "HEAD" }, -1)
    check("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", {}, 5)
    check("HTTP/1.1 304 No\r\n\r\n", {}, -1)
    check("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", {}, 0)
  end)

  it("is refused when it is malformed or too large", function()
    local line = "HTTP/1.1 200 OK\r\n"
    for i, bytes in ipairs {
      "nonsense\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.2 200 OK\r\n\r\n",
      "HTTP/0.9 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/1.1 200 OK\n\n",
      "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      line .. "X: a\nY: b\r\n\r\n",
      line .. "X: a\r\n b\r\n\r\n",
      line .. "X : a\r\n\r\n",
      line .. "X: a\0\r\n\r\n",
      line .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      line .. "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      line .. "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
      line .. "Content-Length: x\r\n\r\n",
      line .. "Transfer-Encoding: gzip\r\n\r\n",
      line .. "Transfer-Encoding: gzip, chunked\r\n\r\n",
      line .. "Transfer-Encoding: chunked\t\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      line .. ("n"):rep(257) .. ": a\r\n\r\n",
      line .. "X: " .. ("v"):rep(16385),
      line .. ("X: a\r\n"):rep(101) .. "\r\n",
      line .. ("X: " .. ("a"):rep(9000) .. "\r\n"):rep(8),
      "HTTP/1.1 200 " .. ("o"):rep(70000),
      ("HTTP/1.1 103 Early\r\n\r\n"):rep(17),
    } do
      answered(bytes, function(world)
        assert.equal("origin_malformed", world:exchange(1).failure, i)
        assert.is_false(world:exchange(1).has_response, i)
        assert.equal("abort", world:state().closed, i)
      end)
    end
  end)

  it("that goes wrong in its body is broken off", function()
    local chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    local function check(bytes, cause, fin)
      answered(bytes, function(world)
        if fin then world:fin() end
        assert.is_true(world:exchange(1).has_response)
        assert.equal("aborted", world:exchange(1).body)
        assert.equal(cause, world:exchange(1).cause)
        assert.equal("abort", world:state().closed)
      end)
    end
    check(chunked .. "5\r\nhello\r\nzz\r\n", "origin_malformed")
    check(chunked .. "5\r\nhello0\r\n\r\n", "origin_malformed")
    check(chunked .. "0\r\nX : 1\r\n\r\n", "origin_malformed")
    check(chunked .. "0\r\nContent-Length: 1\r\n\r\n", "origin_malformed")
    check(chunked .. "0\r\n" .. ("X: 1\r\n"):rep(101) .. "\r\n",
      "origin_malformed")
    check(chunked .. "5\r\nhello\r\n", "upstream_reset", true)
    check(ok:sub(1, -2), "upstream_reset", true)
  end)

  it("may come before the request is complete: then nothing follows", function()
    answered(ok, function(world)
      assert.equal("hello", world:take(1))
      assert.is_true(world:exchange(1).whole)
      assert.equal("abort", world:state().closed)
      assert.equal("stopped", world:exchange(1).sending)
    end, { method = "POST", no_body = false, length = 100 })
  end)

  it("is read no further than the pipe wants", function()
    answered("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" ..
      ("x"):rep(1000000), function(world)
        assert.is_false(world:state().reading)
        assert.truthy(world:exchange(1).available <= 65536 + 16384)
        assert.truthy(world:state().arriving > 800000)
        local total = 0
        repeat
          local got = #world:take(1, 50000)
          total = total + got
        until got == 0
        assert.equal(1000000, total)
        assert.equal(1, world:state().idle)
      end)
  end)
end)

describe("a connection to an origin that is lost", function()
  local function failure_of(act, options)
    local failure
    with(options or {}, function(world)
      failure = act(world)
    end)
    return failure
  end

  it("before it was there means that the origin cannot be reached", function()
    assert.equal("origin_unreachable", failure_of(function(world)
      world:submit(request())
      world:reset(111)
      return world:exchange(1).failure
    end))
  end)

  it("before anything was written means that the request was refused",
    function()
      assert.equal("refused", failure_of(function(world)
        world:connect()
        world:window(0)
        world:submit(request())
        world:reset(104)
        return world:exchange(1).failure
      end))
    end)

  it("when it was kept, means that an idempotent request may be repeated",
    function()
      for _, how in ipairs { "fin", "reset" } do
        assert.equal("tunnel_lost", failure_of(function(world)
          world:connect()
          world:submit(request())
          world:feed(ok)
          world:submit(request())
          world[how](world, 104)
          return world:exchange(2).failure
        end))
      end
    end)

  it("when it was new, or within an answer, fails the request", function()
    for _, bytes in ipairs { "", "H", ok:sub(1, 30) } do
      assert.equal("upstream_reset", failure_of(function(world)
        world:connect()
        world:submit(request())
        world:feed(bytes)
        world:fin()
        return world:exchange(1).failure
      end))
    end
    assert.equal("upstream_reset", failure_of(function(world)
      world:connect()
      world:submit(request())
      world:feed(ok)
      world:submit(request())
      world:feed "HTTP"
      world:reset(104)
      return world:exchange(2).failure
    end))
  end)

  it("by our own closing fails what is under way", function()
    assert.equal("upstream_reset", failure_of(function(world)
      world:connect()
      world:submit(request())
      world:close()
      return world:exchange(1).failure
    end))
  end)

  it("by a timeout says which", function()
    assert.equal("timeout_head", failure_of(function(world)
      world:connect()
      world:submit(request())
      world:advance(4)
      assert.equal("none", world:exchange(1).failure)
      world:advance(2)
      return world:exchange(1).failure
    end, { response_timeout = 5 }))
    assert.equal("timeout_body", failure_of(function(world)
      world:connect()
      world:submit(request())
      world:feed(ok:sub(1, -2))
      world:advance(59)
      world:advance(2)
      return world:exchange(1).cause
    end))
    assert.equal("none", failure_of(function(world)
      world:connect()
      world:submit(request())
      world:advance(100000)
      return world:exchange(1).failure
    end))
  end)
end)

describe("random bytes in place of an origin", function()
  local seed = tonumber(os.getenv "REVERST_SEED") or 20240611
  local parts = {
    ok, "HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 x\r\n\r\n", "\r\n", "\n", "\0",
    "Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\n", "abc",
    "5\r\nhello\r\n", "0\r\n\r\n", "HTTP/1.0 ", "204 No\r\n", "X: y\r\n", " ",
  }

  it("never break anything (seed " .. seed .. ")", function()
    math.randomseed(seed)
    for _ = 1, 400 do
      with({}, function(world)
        world:connect()
        local i = world:submit(request { method = "POST", no_body = false })
        for _ = 1, math.random(1, 12) do
          local part = parts[math.random(#parts)]
          if math.random(10) == 1 then
            local at = math.random(#part)
            part = part:sub(1, at - 1) .. string.char(math.random(0, 255)) ..
              part:sub(at + 1)
          end
          local cut = math.random(0, #part)
          world:feed(part:sub(1, cut))
          world:feed(part:sub(cut + 1))
          if math.random(10) == 1 then world:push(i, "data") end
          if math.random(20) == 1 then world:end_body(i) end
          if math.random(20) == 1 then world:cancel(i) end
          if math.random(20) == 1 then world:advance(50) end
        end
        if math.random(3) == 1 then world:fin() end
        if math.random(3) == 1 then world:take(i) end
      end)
    end
  end)
end)
