-- UDP sockets on loopback, both ends on one loop.

local event = require "spec.event"
local udp = require "spec.udp"

describe("a UDP socket", function()
  local loop, near, far

  local function open(near_address, far_address)
    near = assert(udp.open(loop, near_address or "127.0.0.1:0"))
    far = assert(udp.open(loop, far_address or "127.0.0.1:0"))
  end

  local function bytes_of(socket)
    local length = 0
    for _, datagram in ipairs(socket:received()) do
      length = length + #datagram.data
    end
    return length
  end

  -- the datagrams, batches taken apart
  local function datagrams_of(socket)
    local list = {}
    for _, batch in ipairs(socket:received()) do
      local size = batch.segment_size > 0 and batch.segment_size or #batch.data
      for at = 1, #batch.data, size do
        list[#list + 1] = batch.data:sub(at, at + size - 1)
      end
    end
    return list
  end

  local function wait_for_bytes(socket, length)
    loop:wait(function()
      return bytes_of(socket) >= length
    end)
    assert.equal(length, bytes_of(socket))
  end

  local function port_of(socket)
    return socket:address():match "%d+$"
  end

  before_each(function()
    loop = event.loop()
  end)

  after_each(function()
    near:close()
    far:close()
    loop:dispatch()
    assert.is_true(loop:finish())
  end)

  for _, host in ipairs { "127.0.0.1", "[::1]" } do
    it("tells both addresses at " .. host, function()
      open(host .. ":0", host .. ":0")
      near:send(far:address(), "hello")
      wait_for_bytes(far, 5)
      local datagram = far:received()[1]
      assert.equal("hello", datagram.data)
      assert.equal(near:address(), datagram.remote)
      assert.equal(far:address(), datagram["local"])
      assert.equal(0, datagram.segment_size)
      assert.equal(0, datagram.ecn)
    end)

    it("carries ECN marks at " .. host, function()
      open(host .. ":0", host .. ":0")
      for mark = 1, 3 do
        near:send(far:address(), "x", 0, mark)
        wait_for_bytes(far, mark)
        assert.equal(mark, far:received()[mark].ecn)
      end
    end)
  end

  it("bound to all addresses, tells which one was meant", function()
    open("127.0.0.1:0", ":0")
    near:send("127.0.0.2:" .. port_of(far), "four", 0, 2)
    wait_for_bytes(far, 4)
    local datagram = far:received()[1]
    assert.equal("127.0.0.2:" .. port_of(far), datagram["local"])
    assert.equal(near:address(), datagram.remote)
    assert.equal(2, datagram.ecn)
    far:send(datagram.remote, "back", 0, 1, datagram["local"])
    wait_for_bytes(near, 4)
    assert.equal("127.0.0.2:" .. port_of(far), near:received()[1].remote)
    assert.equal(1, near:received()[1].ecn)
  end)

  it("bound to all addresses, answers IPv6 from the right one", function()
    open("[::1]:0", ":0")
    near:send("[::1]:" .. port_of(far), "six", 0, 2)
    wait_for_bytes(far, 3)
    local datagram = far:received()[1]
    assert.equal("[::1]:" .. port_of(far), datagram["local"])
    assert.equal(2, datagram.ecn)
    far:send(datagram.remote, "back", 0, 2, datagram["local"])
    wait_for_bytes(near, 4)
    assert.equal("[::1]:" .. port_of(far), near:received()[1].remote)
    assert.equal(2, near:received()[1].ecn)
  end)

  it("bound to all IPv4 addresses, answers from the right one", function()
    open("127.0.0.1:0", "0.0.0.0:0")
    near:send("127.0.0.3:" .. port_of(far), "four")
    wait_for_bytes(far, 4)
    local datagram = far:received()[1]
    assert.equal("127.0.0.3:" .. port_of(far), datagram["local"])
    far:send(datagram.remote, "back", 0, 0, datagram["local"])
    wait_for_bytes(near, 4)
    assert.equal("127.0.0.3:" .. port_of(far), near:received()[1].remote)
  end)

  it("sends and receives batches of equal datagrams", function()
    open()
    local parts = {}
    for i = 1, 40 do
      parts[i] = string.rep(string.char(64 + i), 1200)
    end
    parts[41] = "the last one is shorter"
    local data = table.concat(parts)
    assert.equal(#data, near:send(far:address(), data, 1200))
    wait_for_bytes(far, #data)
    assert.same(parts, datagrams_of(far))
  end)

  it("splits what exceeds one system call", function()
    open()
    local parts = {}
    for i = 1, 150 do
      parts[i] = string.rep(string.char(i), 1200)
    end
    local data = table.concat(parts)
    assert.equal(#data, near:send(far:address(), data, 1200))
    wait_for_bytes(far, #data)
    assert.same(parts, datagrams_of(far))
  end)

  it("goes on with batches when one could not come from its address", function()
    open(nil, ":0")
    local to, data = near:address(), ("x"):rep(12000)
    assert.equal(12000, far:send(to, data, 1200, 0, "255.255.255.255:1"))
    assert.equal(12000, far:send(to, data, 1200))
    wait_for_bytes(near, 12000)
    assert.equal(1200, near:received()[1].segment_size)
    assert.equal(12000, #near:received()[1].data)
  end)

  it("sends single datagrams where batches are impossible", function()
    open()
    -- larger than the device's MTU allows for segments of a batch
    local data = string.rep("x", 66000)
    near:send(far:address(), data, 33000)
    wait_for_bytes(far, 66000)
    near:send(far:address(), "after", 0)
    wait_for_bytes(far, 66005)
  end)

  it("drops what no datagram can hold", function()
    open()
    near:send(far:address(), string.rep("x", 70000))
    near:send(far:address(), "next")
    wait_for_bytes(far, 4)
  end)

  it("takes an unreachable peer for a loss", function()
    open()
    local address = far:address()
    far:close()
    for _ = 1, 3 do
      assert.equal(4, near:send(address, "lost"))
    end
    loop:poll()
    far = assert(udp.open(loop, address))
    near:send(address, "found")
    wait_for_bytes(far, 5)
  end)

  it("names the address it cannot have", function()
    open()
    local second, why = udp.open(loop, far:address())
    assert.is_nil(second)
    assert.equal("REVERST_ERR_LISTEN", why)
    assert.matches(far:address(), loop:last_log(), 1, true)
  end)
end)

describe("a UDP socket whose buffer is full", function()
  local namespace = "unshare --net sh -c 'ip link set lo up && " ..
    "tc qdisc add dev lo root tbf rate 800mbit burst 64kb limit 200mb && %s' " ..
    ">/dev/null 2>&1"

  it("says so, keeps what was not sent, and tells when it goes on", function()
    if not os.execute(namespace:format "true") then
      pending "needs a network namespace, ip and tc"
      return
    end
    local program = os.getenv "REVERST_BIN_DIR" .. "/reverst-spec"
    assert.is_truthy(os.execute(namespace:format(
      program .. " spec/support/udp_blocked.lua")))
  end)
end)
