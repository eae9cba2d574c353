-- Fetching from HTTP services.  The service is a listener on the same base,
-- whose connections the spec serves by hand.

local event = require "spec.event"
local fetch = require "spec.fetch"
local stream = require "spec.stream"

describe("a fetch", function()
  local loop, listener, fetcher, served, closed

  local function url(path)
    return "http://" .. listener:address() .. (path or "/")
  end

  local function open(options)
    fetcher = fetch.new(loop, options)
  end

  local function start(options)
    if type(options) ~= "table" then
      options = { url = url(options) }
    end
    options.url = options.url or url()
    return assert(fetcher:start(options))
  end

  local function accept()
    loop:wait(function()
      return listener:count() > 0
    end)
    served[#served + 1] = listener:accept()
    return served[#served]
  end

  -- what came since the last call, once it ends with this pattern
  local function read(connection, pattern)
    local from = 1 + (served[connection] or 0)
    loop:wait(function()
      return connection:received():sub(from):find(pattern or "\r\n\r\n")
    end)
    served[connection] = #connection:received()
    return connection:received():sub(from)
  end

  local function answer(connection, body, fields)
    connection:write("HTTP/1.1 200 OK\r\n" .. (fields or "")
      .. "Content-Length: " .. #body .. "\r\n\r\n" .. body)
  end

  local function finish(one)
    loop:wait(function()
      return one:is_done()
    end)
    return one:result()
  end

  local function close()
    fetcher:close()
    loop:wait(function()
      return fetcher:is_closed()
    end)
    closed = true
  end

  -- asks, and answers with exactly these bytes
  local function exchange(bytes, options)
    local one = start(options)
    local connection = accept()
    read(connection)
    connection:write(bytes)
    return finish(one), connection
  end

  before_each(function()
    loop = event.loop()
    listener = stream.listen(loop, "127.0.0.1:0")
    served, closed = {}, false
    open()
  end)

  after_each(function()
    if not closed then
      loop:wait(function() -- exchanges go at the end of a turn
        loop:poll()
        return true
      end)
      close()
    end
    listener:close()
    for _, connection in ipairs(served) do
      if not connection:state().closed then
        connection:abort()
      end
    end
    loop:dispatch()
    assert.equal(0, loop:live_streams())
    assert.is_true(loop:finish())
  end)

  it("brings status, fields and body", function()
    local one = start "/path?query#fragment"
    local connection = accept()
    local head = read(connection)
    assert.matches("^GET /path%?query HTTP/1.1\r\n", head)
    assert.matches("\r\nHost: " .. listener:address():gsub("%.", "%%.") .. "\r\n",
      (head:gsub("host:", "Host:")))
    assert.matches("\r\nuser%-agent: reverst/%d+%.%d+%.%d+\r\n", head)
    assert.is_nil(head:find "content%-length")
    assert.is_nil(head:find "accept%-encoding")
    answer(connection, "hello", "X-One: 1\r\nx-two:  2 \r\nX-One:\r\n")
    local result = finish(one)
    assert.same({ status = 200, body = "hello", terminated = true, headers = {
      { "x-one", "1" }, { "x-two", "2" }, { "x-one", "" },
      { "content-length", "5" } } }, result)
  end)

  it("sends method, fields and body", function()
    local one = start { method = "PUT", body = "some\0body", headers = {
      { "X-Name", "value" }, { "User-Agent", "me" }, { "Host", "evil" },
      { "Content-Length", "3" }, { "Transfer-Encoding", "chunked" },
      { "Connection", "close, x-other" }, { "Expect", "100-continue" } } }
    local connection = accept()
    local request = read(connection, "body$")
    assert.matches("^PUT / HTTP/1.1\r\n", request)
    assert.matches("\r\ncontent%-length: 9\r\n", request:lower())
    assert.matches("\r\nx%-name: value\r\n", request)
    assert.matches("\r\nuser%-agent: me\r\n", request)
    assert.matches("\r\n\r\nsome\0body$", request)
    for _, name in ipairs { "evil", "chunked", "connection:", "expect", "reverst" } do
      assert.is_nil(request:lower():find(name), name)
    end
    answer(connection, "")
    assert.equal("", finish(one).body)
  end)

  it("says that a POST without a body has none", function()
    local one = start { method = "POST" }
    local connection = accept()
    assert.matches("content%-length: 0\r\n", read(connection):lower())
    answer(connection, "")
    finish(one)
  end)

  it("keeps the connection, for others too", function()
    local first = start "/1"
    local connection = accept()
    read(connection)
    answer(connection, "1")
    finish(first)
    local second = start "/2"
    assert.matches("^GET /2 ", read(connection))
    answer(connection, "2")
    assert.equal("2", finish(second).body)
    assert.equal(0, listener:count())
  end)

  for name, case in pairs {
    ["chunks, and drops trailers"] = {
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 1\r\n\r\n", "abcdef" },
    ["informational answers before the real one"] = {
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
        .. "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok" },
    ["nothing at 204"] = { "HTTP/1.1 204 No Content\r\n\r\n", "", 204 },
    ["nothing at 304"] = {
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 304 },
    ["a redirect as it is"] = { "HTTP/1.1 302 Found\r\nLocation: http://else/\r\n"
      .. "Content-Length: 0\r\n\r\n", "", 302 },
    ["a failure as it is"] = {
      "HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops", "oops", 500 },
  } do
    it("understands " .. name, function()
      local result = exchange(case[1])
      assert.is_nil(result.message)
      assert.equal(case[3] or 200, result.status)
      assert.equal(case[2], result.body)
    end)
  end

  it("takes the length of an answer to HEAD for what it is", function()
    local result = exchange("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
      { method = "HEAD" })
    assert.equal(200, result.status)
    assert.equal("", result.body)
    assert.same({ { "content-length", "99999999" } }, result.headers)
  end)

  it("takes a body that ends with the connection", function()
    local one = start()
    local connection = accept()
    read(connection)
    connection:write "HTTP/1.1 200 OK\r\n\r\nall of it"
    connection:shutdown()
    assert.equal("all of it", finish(one).body)
  end)

  describe("with a bound on the body", function()
    it("takes one that just fits", function()
      local result = exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345",
        { max_body = 5 })
      assert.equal("12345", result.body)
    end)

    for name, bytes in pairs {
      announced = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
      chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "3\r\nabc\r\n3\r\ndef\r\n",
      endless = "HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(100000),
    } do
      it("refuses a larger one, " .. name, function()
        local result, connection = exchange(bytes, { max_body = 5 })
        assert.equal("REVERST_ERR_LIMIT", result.error)
        assert.equal(listener:address() .. ": its answer has more than 5 bytes",
          result.message)
        loop:wait(function()
          return connection:state().closed
        end)
      end)
    end
  end)

  it("brings a large body whole", function()
    local body = ("0123456789abcdef"):rep(65536)
    local one = start()
    local connection = accept()
    read(connection)
    answer(connection, body)
    assert.equal(body, finish(one).body)
  end)

  describe("that fails", function()
    it("says that nobody listens", function()
      local gone = url()
      listener:close()
      local result = finish(start { url = gone })
      assert.equal("REVERST_ERR_CONNECT", result.error)
      assert.matches("^127%.0%.0%.1:%d+: connection refused$", result.message)
      assert.equal(0, (select(3, fetcher:counts())), "it is not logged as well")
      listener = stream.listen(loop, "127.0.0.1:0")
    end)

    it("says that the name does not resolve", function()
      local result = finish(start { url = "http://no..such.name:81/" })
      assert.equal("REVERST_ERR_RESOLVE", result.error)
      assert.equal("no..such.name:81: the name cannot be resolved", result.message)
    end)

    it("says that no answer came in time", function()
      local one = start { timeout = 50 }
      local connection = accept()
      local result = finish(one)
      assert.equal("REVERST_ERR_TIMEOUT", result.error)
      assert.equal(listener:address() .. ": no answer within 50 ms", result.message)
      loop:wait(function()
        return connection:state().closed
      end)
    end)

    it("counts the body and the wait for a connection in the time", function()
      close()
      open { max_connections = 1 }
      closed = false
      local first = start { timeout = 100 }
      local second = start { timeout = 50 }
      local connection = accept()
      read(connection)
      connection:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
      assert.matches("within 50 ms", finish(second).message)
      assert.matches("within 100 ms", finish(first).message)
      assert.equal(0, listener:count())
    end)

    for name, case in pairs {
      ["an answer that is not HTTP"] = {
        "SSH-2.0-OpenSSH\r\n\r\n", "MALFORMED", "its answer is not valid HTTP" },
      ["two lengths"] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "MALFORMED", "its answer is not valid HTTP" },
      ["a switch of protocols"] = {
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "MALFORMED", "not valid HTTP" },
      ["a head without end"] = {
        "HTTP/1.1 200 OK\r\nX: " .. ("x"):rep(70000), "MALFORMED", "not valid HTTP" },
    } do
      it("tells " .. name, function()
        local result = exchange(case[1])
        assert.equal("REVERST_ERR_" .. case[2], result.error)
        assert.matches(case[3], result.message)
      end)
    end

    it("tells an answer that breaks off", function()
      local one = start()
      local connection = accept()
      read(connection)
      connection:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
      connection:shutdown()
      local result = finish(one)
      assert.equal("REVERST_ERR_CLOSED", result.error)
      assert.matches("it broke off its answer$", result.message)
    end)

    it("tells a connection that closes without an answer", function()
      local one = start()
      local connection = accept()
      read(connection)
      connection:shutdown()
      local result = finish(one)
      assert.equal("REVERST_ERR_CLOSED", result.error)
      assert.matches("it closed the connection without an answer$", result.message)
    end)
  end)

  it("waits so long for a connection, and no longer", function()
    local result = finish(start { url = "http://192.0.2.1:9/",
      connect_timeout = 50 })
    if result.error == "REVERST_ERR_TIMEOUT" then
      assert.equal("192.0.2.1:9: no connection within 50 ms", result.message)
    else -- a machine without a route tells at once
      assert.equal("REVERST_ERR_CONNECT", result.error)
    end
  end)

  it("replaces a kept connection that went stale, where it is safe", function()
    local first = start()
    local stale = accept()
    read(stale)
    answer(stale, "")
    finish(first)
    local second = start { method = "PUT", body = "again" }
    read(stale, "again$")
    stale:abort()
    local fresh = accept()
    assert.matches("again$", read(fresh, "again$"))
    answer(fresh, "done")
    assert.equal("done", finish(second).body)
  end)

  it("does not send a POST twice", function()
    local first = start()
    local stale = accept()
    read(stale)
    answer(stale, "")
    finish(first)
    local second = start { method = "POST", body = "pay" }
    read(stale, "pay$")
    stale:abort()
    local result = finish(second)
    assert.equal("REVERST_ERR_CLOSED", result.error)
    assert.matches("it closed the connection$", result.message)
    assert.equal(0, listener:count())
  end)

  it("is not done twice, nor after it was cancelled", function()
    local waits = start "/waits"
    waits:cancel()
    local runs = start "/runs"
    local connection = accept()
    read(connection)
    runs:cancel()
    loop:wait(function()
      return connection:state().closed
    end)
    assert.is_false(waits:is_done())
    assert.is_false(runs:is_done())
    assert.equal(0, (fetcher:counts()))
  end)

  it("leaves no dial behind that would fail the next one early", function()
    local first = start { url = "http://localhost:" .. listener:address():match "%d+$" }
    first:cancel()
    loop:poll()
    assert.equal(0, listener:count())
  end)

  it("ends when the fetcher is closed, and says nothing", function()
    local running = start "/1"
    local connection = accept()
    read(connection)
    local waiting = start "/2"
    close()
    assert.is_false(running:is_done())
    assert.is_false(waiting:is_done())
    loop:wait(function()
      return connection:state().closed
    end)
  end)

  it("may close the fetcher when it is done", function()
    local one = start { closes = true }
    local other = start "/other"
    local connection, second = accept(), accept()
    read(connection)
    read(second)
    answer(connection, "last")
    loop:wait(function()
      return fetcher:is_closed()
    end)
    closed = true
    assert.equal("last", one:result().body)
    assert.is_false(other:is_done())
  end)

  it("waits its turn when all connections are taken", function()
    close()
    open { max_connections = 2, max_waiting = 1 }
    closed = false
    local fetches = {}
    for i = 1, 3 do
      fetches[i] = start("/" .. i)
      loop:poll()
    end
    local result = finish(start "/4")
    assert.equal("REVERST_ERR_LIMIT", result.error)
    assert.matches("too many requests wait for it$", result.message)
    local one, two = accept(), accept()
    read(one)
    read(two)
    answer(one, "one")
    assert.equal("one", finish(fetches[1]).body)
    assert.matches("^GET /3 ", read(one))
    answer(one, "three")
    answer(two, "two")
    assert.equal("three", finish(fetches[3]).body)
    assert.equal("two", finish(fetches[2]).body)
  end)

  it("is one of a thousand at once", function()
    local fetches, open_connections = {}, {}
    for i = 1, 1000 do
      fetches[i] = start("/" .. i)
    end
    local seen = 0
    loop:wait(function()
      while listener:count() > 0 do
        local connection = listener:accept()
        served[#served + 1] = connection
        open_connections[#open_connections + 1] = connection
      end
      for _, connection in ipairs(open_connections) do
        local text = connection:received()
        local from = served[connection] or 1
        local _, stop, number = text:find("GET /(%d+) .-\r\n\r\n", from)
        if stop then
          served[connection] = stop + 1
          answer(connection, number)
          seen = seen + 1
        end
      end
      return seen == 1000 and fetches[1000]:is_done()
    end)
    assert.is_true(#open_connections <= 64)
    for i = 1, 1000 do
      assert.equal(tostring(i), finish(fetches[i]).body)
    end
  end)

  it("forgets origins that are not used, and refuses too many that are", function()
    close()
    open { max_origins = 2 }
    closed = false
    for port = 1, 5 do -- nobody listens there
      finish(start { url = "http://127.0.0.1:" .. port })
      assert.is_true(select(2, fetcher:counts()) <= 2)
    end
    local others = { stream.listen(loop, "127.0.0.1:0") }
    local one = start()
    local two = start { url = "http://" .. others[1]:address() }
    local result = finish(start { url = "http://127.0.0.1:9/" })
    assert.equal("REVERST_ERR_LIMIT", result.error)
    assert.equal("127.0.0.1:9: too many origins are in use", result.message)
    one:cancel()
    two:cancel()
    others[1]:close()
  end)

  it("asks a service at a socket", function()
    local path = os.tmpname()
    os.remove(path)
    listener:close()
    listener = stream.listen(loop, "unix:" .. path)
    local one = start { url = "http://unix:" .. path .. ":/inner?x=1" }
    local connection = accept()
    local head = read(connection)
    assert.matches("^GET /inner%?x=1 ", head)
    assert.matches("\r\nhost: localhost\r\n", head:lower())
    answer(connection, "socket")
    assert.equal("socket", finish(one).body)
  end)

  describe("refuses at once", function()
    for _, name in ipairs { "", "no name", "no:name", "x\r\nx-evil", "x\nevil" } do
      it(("a field %q"):format(name), function()
        local none, why = fetcher:start { url = url(),
          headers = { { name, "value" } } }
        assert.is_nil(none)
        assert.equal("REVERST_ERR_INVALID", why)
      end)
    end

    for _, value in ipairs { "a\r\nX-Evil: 1", "a\nb", "a\rb", "\127", " a", "a ",
      ("x"):rep(20000) } do
      it(("the value %q of a field"):format(value:sub(1, 20)), function()
        local none, why = fetcher:start { url = url(),
          headers = { { "x-name", value } } }
        assert.is_nil(none)
        assert.equal("REVERST_ERR_INVALID", why)
      end)
    end

    for _, method in ipairs { "", "GET /evil HTTP/1.1\r\nHost: x\r\n\r\nGET", "G T",
      "CONNECT" } do
      it(("the method %q"):format(method), function()
        local none, why = fetcher:start { url = url(), method = method }
        assert.is_nil(none)
        assert.equal("REVERST_ERR_INVALID", why)
      end)
    end

    it("more fields than there may be", function()
      local headers = {}
      for i = 1, 101 do
        headers[i] = { "x-" .. i, "1" }
      end
      assert.is_nil(fetcher:start { url = url(), headers = headers })
    end)
  end)
end)

describe("a URL", function()
  for text, parts in pairs {
    ["http://example.com"] = { "http://example.com:80", "example.com:80",
      "example.com", "/" },
    ["HTTPS://Example.COM:/"] = { "https://example.com:443", "example.com:443",
      "example.com", "/" },
    ["https://a:443?q#f"] = { "https://a:443", "a:443", "a", "/?q" },
    ["http://a:8080/x/../y?q=1?2#f?g"] = { "http://a:8080", "a:8080", "a:8080",
      "/x/../y?q=1?2" },
    ["http://[2001:DB8::1]/"] = { "http://[2001:db8::1]:80", "[2001:db8::1]:80",
      "[2001:db8::1]", "/" },
    ["https://[::1]:8443/a"] = { "https://[::1]:8443", "[::1]:8443", "[::1]:8443",
      "/a" },
    ["http://192.0.2.1:80/a%20b"] = { "http://192.0.2.1:80", "192.0.2.1:80",
      "192.0.2.1", "/a%20b" },
    ["http://unix:/run/x.sock"] = { "unix:/run/x.sock", "unix:/run/x.sock",
      "localhost", "/" },
    ["http://unix:/run/x.sock:/p:q?r#s"] = { "unix:/run/x.sock",
      "unix:/run/x.sock", "localhost", "/p:q?r" },
    ["http://unix:80/run"] = { "http://unix:80", "unix:80", "unix", "/run" },
  } do
    it("is " .. text, function()
      local url = assert(fetch.parse_url(text))
      assert.same(parts, { url.origin, url.label, url.authority, url.target })
    end)
  end

  for _, text in ipairs { "", "http:", "http://", "http:///path", "http://:80/",
    "example.com", "//example.com/", "ftp://example.com/", "http:/example.com",
    "http://user@example.com/", "http://user:password@example.com/",
    "http://example.com:0/", "http://example.com:65536/", "http://example.com:x/",
    "http://a b/", "http://a/b c", "http://a/\r\nX-Evil:1", "http://a\r\n/",
    "http://a/\127", "http://a/\1", "http://[::1", "http://::1/", "http://[fe80::1%eth0]/",
    "http://[::1]x/", "http://a\\b/", "http://a?\n", "http://unix:/x y:/",
    "http://unix:/run/x.sock:path", "https://unix:/run/x.sock:/", "http://a/\0b",
    "http://\0/", "http://unix:/" .. ("x"):rep(200),
    "http://a/" .. ("x"):rep(16384), " http://a/", "http://a/ " } do
    it(("is not %q"):format(text:sub(1, 60)), function()
      local none, why = fetch.parse_url(text)
      assert.is_nil(none)
      assert.equal("REVERST_ERR_ADDRESS", why)
    end)
  end
end)
