-- A local HTTP/1.1 service as an upstream.  The service is a listener on the
-- same loop, whose connections the spec serves by hand.

local event = require "spec.event"
local origin = require "spec.origin"
local resolver = require "spec.resolver"
local stream = require "spec.stream"

describe("an origin", function()
  local loop, names, listener, service, served

  local function port_of(one)
    return one:address():match "%d+$"
  end

  local function open(options)
    options = options or {}
    options.address = options.address or listener:address()
    service = assert(origin.new(loop, options))
  end

  local function get(path)
    return service:request { method = "GET", path = path or "/" }
  end

  -- the next connection that comes
  local function accept()
    loop:wait(function()
      return listener:count() > 0
    end)
    served[#served + 1] = listener:accept()
    return served[#served]
  end

  -- what came since the last call, once it holds a head
  local function read_head(connection)
    loop:wait(function()
      return connection:received():find("\r\n\r\n", 1 + (served[connection] or 0), true)
    end)
    local head = connection:received():sub(1 + (served[connection] or 0))
    served[connection] = #connection:received()
    return head
  end

  local function answer(connection, body)
    connection:write("HTTP/1.1 200 OK\r\nContent-Length: " .. #body ..
      "\r\n\r\n" .. body)
  end

  local function finish(request)
    loop:wait(function()
      return request:is_done()
    end)
    return request:finish()
  end

  local function closed(connection)
    loop:wait(function()
      return connection:state().closed
    end)
  end

  before_each(function()
    loop = event.loop()
    names = resolver.new(loop)
    listener = stream.listen(loop, "127.0.0.1:0")
    served = {}
  end)

  after_each(function()
    if service then
      service:close()
      service = nil
    end
    listener:close()
    for _, connection in ipairs(served) do
      if not connection:state().closed then
        connection:abort()
      end
    end
    names:free()
    loop:dispatch()
    assert.equal(0, loop:live_streams())
    assert.is_true(loop:finish())
  end)

  it("answers a request", function()
    open()
    local request = get "/path?query"
    local connection = accept()
    local head = read_head(connection)
    assert.matches("^GET /path%?query HTTP/1.1\r\n", head)
    assert.matches("\r\n[Hh]ost: visitor.example\r\n", head)
    answer(connection, "hello")
    local result = finish(request)
    assert.equal(200, result.status)
    assert.equal("hello", result.body)
    assert.equal(1, result.tries)
  end)

  it("sends the host that it is told to", function()
    open { host = "inner.example:8080" }
    local request = get()
    local connection = accept()
    assert.matches("\r\n[Hh]ost: inner.example:8080\r\n", read_head(connection))
    answer(connection, "")
    finish(request)
  end)

  it("keeps a connection, and uses the one used last", function()
    open()
    local first, second = get "/1", get "/2"
    local one, two = accept(), accept()
    read_head(one)
    read_head(two)
    answer(one, "1")
    finish(first)
    answer(two, "2")
    finish(second)
    local third = get "/3"
    assert.matches("^GET /3 ", read_head(two))
    answer(two, "3")
    assert.equal("3", finish(third).body)
    assert.equal(0, listener:count())
  end)

  it("closes a connection that was idle for too long", function()
    open { idle_timeout = 20 }
    local request = get()
    local connection = accept()
    read_head(connection)
    answer(connection, "")
    finish(request)
    closed(connection)
  end)

  it("forgets a connection that the service closes", function()
    open()
    local request = get()
    local connection = accept()
    read_head(connection)
    answer(connection, "")
    finish(request)
    connection:close()
    closed(connection)
    request = get "/again"
    connection = accept()
    assert.matches("^GET /again ", read_head(connection))
    answer(connection, "fresh")
    local result = finish(request)
    assert.equal("fresh", result.body)
    assert.equal(1, result.tries)
  end)

  it("sends a request again that ran into a stale connection", function()
    open()
    local request = get()
    local stale = accept()
    read_head(stale)
    answer(stale, "")
    finish(request)
    request = service:request { method = "PUT", path = "/", body = "whole" }
    read_head(stale)
    stale:abort()
    local fresh = accept()
    assert.matches("^PUT / .*whole$", (function()
      loop:wait(function()
        return fresh:received():find "whole"
      end)
      return fresh:received()
    end)())
    answer(fresh, "done")
    local result = finish(request)
    assert.equal("done", result.body)
    assert.equal(2, result.tries)
  end)

  it("does so once", function()
    open()
    local request = get()
    local stale = accept()
    read_head(stale)
    answer(stale, "")
    finish(request)
    request = get()
    read_head(stale)
    stale:abort()
    local fresh = accept()
    read_head(fresh)
    fresh:abort()
    local result = finish(request)
    assert.is_nil(result.status)
    assert.equal("upstream_reset", result.failure)
    assert.equal(0, listener:count())
  end)

  it("does not send a POST again", function()
    open()
    local request = get()
    local stale = accept()
    read_head(stale)
    answer(stale, "")
    finish(request)
    request = service:request { method = "POST", path = "/", body = "pay" }
    read_head(stale)
    stale:abort()
    local result = finish(request)
    assert.equal("tunnel_lost", result.failure)
    assert.equal(0, listener:count())
  end)

  it("lets exchanges wait for one of few connections, in order", function()
    open { max_connections = 1 }
    local first, second, third = get "/1", get "/2", get "/3"
    local connection = accept()
    for i, request in ipairs { first, second, third } do
      assert.matches("^GET /" .. i, read_head(connection))
      answer(connection, tostring(i))
      assert.equal(tostring(i), finish(request).body)
    end
    assert.equal(0, listener:count())
  end)

  it("refuses what the queue cannot hold", function()
    open { max_connections = 1, max_queue = 2 }
    local requests = {}
    for i = 1, 3 do
      requests[i] = get("/" .. i)
      loop:poll()
    end
    local connection = accept()
    assert.equal("limit", finish(get "/4").failure)
    for i = 1, 3 do
      assert.matches("^GET /" .. i, read_head(connection))
      answer(connection, "")
      finish(requests[i])
    end
  end)

  it("lets go of an exchange that is cancelled while it waits", function()
    open { max_connections = 1 }
    local first, second, third = get "/1", get "/2", get "/3"
    local connection = accept()
    read_head(connection)
    second:cancel()
    answer(connection, "")
    finish(first)
    assert.matches("^GET /3", read_head(connection))
    answer(connection, "")
    finish(third)
  end)

  it("closes the connection of an exchange that is cancelled", function()
    open()
    local request = get()
    local connection = accept()
    read_head(connection)
    request:cancel()
    closed(connection)
  end)

  it("fails what is under way when it is closed", function()
    open { max_connections = 1 }
    local first, second = get "/1", get "/2"
    local connection = accept()
    read_head(connection)
    service:close()
    service = nil
    assert.equal("upstream_reset", finish(first).failure)
    assert.equal("refused", finish(second).failure)
    closed(connection)
  end)

  it("may be closed while it dials and resolves", function()
    open { address = "localhost:" .. port_of(listener) }
    local first = get()
    service:close()
    service = nil
    assert.equal("refused", finish(first).failure)
  end)

  it("says that it cannot be reached", function()
    open()
    listener:close()
    for _ = 1, 3 do
      local result = finish(get())
      assert.equal("origin_unreachable", result.failure)
    end
    assert.matches("^origin_unreachable .*refused", loop:last_log())
    listener = stream.listen(loop, "127.0.0.1:0")
  end)

  it("says that its name does not resolve", function()
    open { address = "no..such.name:80" }
    local result = finish(get())
    assert.equal("origin_unreachable", result.failure)
    assert.matches("reason=.*resolved$", loop:last_log())
  end)

  it("tries the next address of a name", function()
    -- localhost is 127.0.0.1 and then ::1
    local v6 = stream.listen(loop, "[::1]:0")
    listener:close()
    listener = v6
    open { address = "http://localhost:" .. port_of(v6) .. "/" }
    local request = get()
    local connection = accept()
    read_head(connection)
    answer(connection, "six")
    assert.equal("six", finish(request).body)
  end)

  it("is found by a port alone, and by the path of a socket", function()
    for _, address in ipairs { port_of(listener), ":" .. port_of(listener) } do
      open { address = address }
      local request = get()
      local connection = accept()
      read_head(connection)
      answer(connection, "port")
      assert.equal("port", finish(request).body)
      service:close()
    end
    local path = os.tmpname()
    os.remove(path)
    listener:close()
    listener = stream.listen(loop, "unix:" .. path)
    open { address = "unix:" .. path }
    local request = get()
    local connection = accept()
    read_head(connection)
    answer(connection, "path")
    assert.equal("path", finish(request).body)
  end)

  for _, address in ipairs { "", "0", "65536", "localhost", "https://a:1",
    "http://", "http://:80", "http://a/path", "a b:80", "user@host:80",
    "host:0", "unix:" } do
    it("is not " .. string.format("%q", address), function()
      local none, why = origin.new(loop, { address = address })
      assert.is_nil(none)
      assert.equal("REVERST_ERR_ADDRESS", why)
    end)
  end
end)
