-- How long a client waits before it dials again.

local backoff = require "spec.backoff"
local engines = require "spec.engine"

local SECOND = 1000000000

describe("a client that lost its server", function()
  local engine, waits

  before_each(function()
    engine = engines.new { seed = 7 }
    engine:set_now(1000 * SECOND)
    waits = backoff.new(engine)
  end)
  after_each(function() engine:close() end)

  -- the longest and the shortest wait of many clients after so many failures
  local function range(failures)
    local least, most = math.huge, 0
    for _ = 1, 300 do
      local one = backoff.new(engine)
      for _ = 2, failures do
        one:next()
      end
      local wait = one:next()
      least, most = math.min(least, wait), math.max(most, wait)
    end
    return least, most
  end

  local function connect_for(seconds)
    waits:connected()
    engine:set_now(engine:now() + seconds * SECOND)
  end

  it("waits up to twice as long each time, and a minute at most", function()
    for failures, ceiling in ipairs { 1, 2, 4, 8, 16, 32, 60, 60, 60 } do
      local least, most = range(failures)
      assert.is_true(most < ceiling * SECOND, failures)
      -- all of the range is used: clients of one server do not come together
      assert.is_true(most > 0.9 * ceiling * SECOND, failures)
      assert.is_true(least < 0.1 * ceiling * SECOND, failures)
    end
  end)

  it("never waits longer than a minute, however long it lasts", function()
    for _ = 1, 1000 do
      assert.is_true(waits:next() < 60 * SECOND)
    end
  end)

  it("dials at once after some seconds of a tunnel", function()
    connect_for(5)
    assert.equal(0, waits:next())
  end)

  it("dials at once after a tunnel that had a request", function()
    connect_for(0.1)
    waits:served()
    assert.equal(0, waits:next())
  end)

  it("does not dial at once after a tunnel that did nothing", function()
    local sum = 0
    for _ = 1, 20 do
      connect_for(1)
      sum = sum + waits:next()
    end
    assert.is_true(sum > 20 * SECOND)
  end)

  it("begins anew after a minute of a tunnel, and not before", function()
    local function second_wait(seconds)
      local sum = 0
      for _ = 1, 100 do
        waits = backoff.new(engine)
        for _ = 1, 8 do
          waits:next()
        end
        connect_for(seconds)
        assert.equal(0, waits:next())
        sum = sum + waits:next()
      end
      return sum / 100
    end
    assert.is_true(second_wait(60) < SECOND)
    assert.is_true(second_wait(59) > 20 * SECOND)
  end)
end)
