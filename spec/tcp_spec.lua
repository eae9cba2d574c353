-- Byte streams and listeners on loopback, both ends on one loop.

local event = require "spec.event"
local stream = require "spec.stream"

local function of_size(bytes)
  local line = {}
  for i = 1, bytes // 8 do
    line[i] = string.format("%07d\n", i)
  end
  return table.concat(line)
end

describe("a stream", function()
  local loop, listener, near, far

  -- near dialled, far accepted
  local function connect(address)
    listener = stream.listen(loop, address or "127.0.0.1:0")
    near = stream.connect(loop, listener:address())
    loop:wait(function()
      return near:state().connected and listener:count() > 0
    end)
    far = listener:accept()
    listener:close()
  end

  local function closed(...)
    for _, one in ipairs { ... } do
      loop:wait(function()
        return one:state().closed
      end)
    end
  end

  local function received(one, text)
    loop:wait(function()
      return #one:received() >= #text
    end)
    assert.is_true(one:received() == text)
  end

  before_each(function()
    loop = event.loop()
  end)

  after_each(function()
    loop:dispatch()
    assert.equal(0, loop:live_streams())
    assert.is_true(loop:finish())
  end)

  for _, address in ipairs { "127.0.0.1:0", "[::1]:0", ":0" } do
    it("carries bytes both ways at " .. address, function()
      connect(address)
      near:write "ping"
      received(far, "ping")
      far:write "pong"
      received(near, "pong")
      near:close()
      far:close()
      closed(near, far)
      assert.is_nil(near:state().error)
    end)
  end

  it("asks once per turn for what is to be sent", function()
    connect()
    local before = near:state().gathers
    near:write "a"
    near:write "b"
    near:touch()
    received(far, "ab")
    assert.equal(before + 1, near:state().gathers)
    near:abort()
    far:abort()
    closed(near, far)
  end)

  it("carries megabytes through a reader that pauses", function()
    local text = of_size(8 * 1024 * 1024)
    connect()
    far:pause_after(100000)
    near:write(text)
    near:shutdown()
    loop:wait(function()
      return far:state().received >= 100000
    end)
    for _ = 1, 20 do
      loop:poll()
    end
    local paused_at = far:state().received
    assert.is_true(paused_at < 200000)
    assert.is_true(near:state().sent < #text)
    for _ = 1, 5 do
      loop:poll()
    end
    assert.equal(paused_at, far:state().received)
    assert.is_false(far:state().ended)
    far:set_reading(true)
    loop:wait(function()
      return far:state().ended
    end)
    received(far, text)
    far:write "thanks"
    received(near, "thanks")
    near:close()
    far:close()
    closed(near, far)
  end)

  it("passes on a FIN behind all bytes, and half-closes", function()
    connect()
    far:set_reading(false)
    near:write "question"
    near:shutdown()
    for _ = 1, 10 do
      loop:poll()
    end
    assert.is_false(far:state().ended)
    assert.equal("", far:received())
    far:set_reading(true)
    loop:wait(function()
      return far:state().ended
    end)
    assert.equal("question", far:received())
    far:write "answer"
    received(near, "answer")
    far:close()
    near:close()
    closed(near, far)
  end)

  it("notices a reset while nothing is read", function()
    connect()
    far:set_reading(false)
    near:write "unread"
    loop:wait(function()
      return near:state().sent == 6
    end)
    near:abort()
    closed(near, far)
    assert.equal("ECONNRESET", far:state().error)
  end)

  it("notices a reset after the FIN", function()
    connect()
    near:shutdown()
    loop:wait(function()
      return far:state().ended
    end)
    near:abort()
    closed(near, far)
    assert.equal("EPIPE", far:state().error)
  end)

  it("delivers what came before a reset that a write runs into", function()
    connect()
    near:write "early answer"
    loop:wait(function()
      return near:state().sent == 12
    end)
    far:write(of_size(65536))
    near:abort()
    closed(near, far)
    assert.is_string(far:state().error)
    assert.equal("early answer", far:received())
  end)

  it("lingers until the peer has read the answer", function()
    connect()
    near:write(of_size(200000))
    far:write "refused"
    loop:wait(function()
      return far:state().sent == 7
    end)
    far:close()
    received(near, "refused")
    loop:wait(function()
      return near:state().ended
    end)
    assert.is_false(far:state().closed)
    near:close()
    closed(far, near)
    assert.is_nil(far:state().error)
    assert.equal(0, far:state().data_after_close)
  end)

  it("stops lingering at a peer that never stops sending", function()
    connect()
    far:close()
    near:write(string.rep("x", 16 * 1024 * 1024))
    closed(far, near)
    assert.is_nil(far:state().error)
    assert.is_string(near:state().error)
  end)

  it("may be closed by its user within a callback", function()
    connect()
    far:close_on_end()
    near:write "bye"
    near:shutdown()
    closed(far)
    assert.equal("bye", far:received())
    near:close()
    closed(near)
  end)

  it("tells why it cannot connect", function()
    listener = stream.listen(loop, "127.0.0.1:0")
    local address = listener:address()
    listener:close()
    near = stream.connect(loop, address)
    assert.is_false(near:state().closed)
    closed(near)
    assert.equal("ECONNREFUSED", near:state().error)
    near = stream.connect(loop, "unix:/nowhere/at/all")
    closed(near)
    assert.equal("ENOENT", near:state().error)
  end)

  it("gives up dialling in time", function()
    -- an address of the documentation range stays silent, or is unreachable
    near = stream.connect(loop, "192.0.2.1:9", 50)
    closed(near)
    assert.is_string(near:state().error)
    assert.is_false(near:state().connected)
  end)

  -- whatever the order of writes, pauses and turns: all bytes arrive, then FIN
  local function exercise(random)
    local sides = { near, far }
    local sent = { {}, {} }
    for _ = 1, 60 do
      local i, act = random(2), random(4)
      if act == 1 then
        local text = string.rep(string.char(random(32, 126)), random(100000))
        sent[i][#sent[i] + 1] = text
        sides[i]:write(text)
      elseif act == 2 then
        sides[i]:set_reading(random(2) == 1)
      else
        loop:poll()
      end
    end
    for _, side in ipairs(sides) do
      side:shutdown()
      side:set_reading(true)
    end
    loop:wait(function()
      return near:state().ended and far:state().ended
    end)
    assert.is_true(far:received() == table.concat(sent[1]))
    assert.is_true(near:received() == table.concat(sent[2]))
  end

  for seed = 1, 10 do
    it("keeps every byte in order, seed " .. seed, function()
      math.randomseed(seed)
      if seed % 2 == 0 then
        connect()
      else
        near, far = stream.pair(loop)
      end
      exercise(math.random)
      near:close()
      far:close()
      closed(near, far)
      assert.is_nil(near:state().error)
      assert.is_nil(far:state().error)
    end)
  end

  it("works over a pair of Unix sockets", function()
    local text = of_size(1024 * 1024)
    near, far = stream.pair(loop)
    near:write(text)
    near:close_on_end()
    received(far, text)
    far:close()
    closed(far, near)
  end)
end)

describe("a listener", function()
  local loop, path

  before_each(function()
    loop = event.loop()
    path = os.tmpname()
    os.remove(path)
  end)

  after_each(function()
    event.limit_descriptors(nil)
    loop:dispatch()
    assert.is_true(loop:finish())
    os.remove(path)
  end)

  local function is_there()
    return (os.rename(path, path))
  end

  it("names the address it cannot have", function()
    local first = stream.listen(loop, "127.0.0.1:0")
    local address = first:address()
    local second, why = stream.listen(loop, address)
    assert.is_nil(second)
    assert.equal("REVERST_ERR_LISTEN", why)
    assert.matches(address, loop:last_log(), 1, true)
    assert.matches("in use", loop:last_log(), 1, true)
    first:close()
  end)

  it("shows IPv4 peers of a dual-stack socket as IPv4", function()
    local listener = stream.listen(loop, ":0")
    local port = listener:address():match "%d+$"
    local near = stream.connect(loop, "127.0.0.1:" .. port)
    loop:wait(function()
      return listener:count() > 0
    end)
    assert.matches("^127%.0%.0%.1:%d+$", listener:peer())
    listener:close()
    near:abort()
  end)

  it("removes its Unix socket when it is closed", function()
    local listener = stream.listen(loop, "unix:" .. path)
    assert.is_truthy(is_there())
    listener:close()
    assert.is_nil(is_there())
  end)

  it("replaces a Unix socket that nobody listens on", function()
    local ok = os.execute("python3 -c 'import socket, sys; " ..
      "socket.socket(socket.AF_UNIX).bind(sys.argv[1])' " .. path)
    assert.is_truthy(ok)
    local listener = stream.listen(loop, "unix:" .. path)
    assert.is_truthy(listener)
    local second, why = stream.listen(loop, "unix:" .. path)
    assert.is_nil(second)
    assert.equal("REVERST_ERR_LISTEN", why)
    local near = stream.connect(loop, "unix:" .. path)
    loop:wait(function()
      return near:state().connected and listener:count() > 0
    end)
    listener:close()
    near:abort()
  end)

  it("leaves a file alone that is no socket", function()
    local file = assert(io.open(path, "w"))
    file:write "precious"
    file:close()
    local listener, why = stream.listen(loop, "unix:" .. path)
    assert.is_nil(listener)
    assert.equal("REVERST_ERR_LISTEN", why)
    assert.equal("precious", io.open(path):read "a")
  end)

  it("pauses when descriptors run out, says so once, goes on later", function()
    local listener = stream.listen(loop, "127.0.0.1:0")
    local peers = {}
    for i = 1, 20 do
      peers[i] = stream.connect(loop, listener:address())
    end
    local _, before = loop:last_log()
    event.limit_descriptors(3)
    loop:wait(function()
      return loop:last_log():find "accept_paused"
    end)
    for _ = 1, 10 do
      loop:poll()
    end
    local _, after = loop:last_log()
    assert.equal(before + 1, after)
    assert.equal(0, listener:count())
    event.limit_descriptors(nil)
    loop:wait(function()
      return listener:count() == 20
    end)
    for _, peer in ipairs(peers) do
      peer:abort()
    end
    listener:close()
  end)
end)
