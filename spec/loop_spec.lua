-- An engine on a libevent base.

local event = require "spec.event"
local stream = require "spec.stream"
local udp = require "spec.udp"

describe("a loop", function()
  local loop

  before_each(function()
    loop = event.loop()
  end)

  after_each(function()
    assert.is_true(loop:finish())
  end)

  it("does not keep an empty base from returning", function()
    loop:dispatch()
  end)

  it("fires a timer that was set outside of a turn, never early", function()
    for _, milliseconds in ipairs { 0, 1, 20 } do
      local late = loop:time_timer(milliseconds)
      assert.is_true(late >= 0, "early by " .. -late)
      assert.is_true(late < 1000, "late by " .. late)
    end
  end)

  it("runs three rounds of a job and lets others go first then", function()
    local first, all = loop:run_job(20)
    assert.equal(3, first)
    assert.equal(20, all)
  end)
end)

describe("a base that does not use epoll", function()
  it("is refused", function()
    assert.equal("REVERST_ERR_SYSTEM", event.try_base_without_epoll())
  end)
end)

describe("a loop that never ran", function()
  it("is freed with what was closed on it", function()
    local loop = event.loop()
    local socket = assert(udp.open(loop, "127.0.0.1:0"))
    local listener = assert(stream.listen(loop, "127.0.0.1:0"))
    local one = stream.connect(loop, listener:address())
    one:abort()
    socket:close()
    listener:close()
    loop:free()
    assert.is_true(one:state().closed)
  end)
end)
