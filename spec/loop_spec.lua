-- An engine on a libevent base.

local event = require "spec.event"

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
