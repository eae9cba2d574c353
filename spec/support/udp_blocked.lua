-- Run by udp_spec.lua in a network namespace whose loopback is slow: a socket
-- whose buffer is full.  Elsewhere loopback never holds a datagram back.

local event = require "spec.event"
local udp = require "spec.udp"

it("blocks and becomes writable", function()
  local loop = event.loop()
  local socket = assert(udp.open(loop, "127.0.0.1:0"))
  local data = string.rep("x", 1200 * 40)
  local result, sends = #data, 0
  while result == #data and sends < 10000 do
    result = socket:send("127.0.0.1:9", data, 1200)
    sends = sends + 1
  end
  if result ~= "REVERST_ERR_AGAIN" then
    assert.is_true(result < #data and result % 1200 == 0)
  end
  assert.equal(0, socket:writable())
  loop:wait(function()
    return socket:writable() > 0
  end)
  assert.equal(#data, socket:send("127.0.0.1:9", data, 1200))
  assert.equal(1, socket:writable())
  socket:close()
  assert.is_true(loop:finish())
end)
