-- The engine: log entries, time and randomness.

local engines = require "spec.engine"

describe("an engine", function()
  local LEVELS = { trace = 1, debug = 2, info = 3, warn = 4, error = 5, off = 6 }

  it("hands on log entries from its level on", function()
    local engine = engines.new { log_level = LEVELS.info }
    assert.is_nil(engine:log(LEVELS.debug))
    assert.same({ level = LEVELS.info, event = "tried", text = 'a"b', nothing = "",
      number = 1 }, engine:log(LEVELS.info))
    engine:close()
  end)

  it("logs from info on when no level is given, and nothing when off", function()
    local engine = engines.new()
    assert.is_nil(engine:log(LEVELS.debug))
    assert.is_table(engine:log(LEVELS.info))
    engine:close()
    engine = engines.new { log_level = LEVELS.off }
    assert.is_nil(engine:log(LEVELS.error))
    engine:close()
  end)

  it("takes its time and its randomness from whoever made it", function()
    local a, b = engines.new { seed = 5 }, engines.new { seed = 5 }
    assert.equal(a:random(), b:random())
    assert.are_not.equal(a:random(), a:random())
    a:set_now(12345)
    assert.equal(12345, a:now())
    a:close()
    b:close()
  end)

  it("has the system's clock and randomness otherwise", function()
    local engine = engines.new { system = true }
    local first = engine:now()
    assert.is_true(first > 0)
    assert.is_true(engine:now() >= first)
    assert.are_not.equal(engine:random(), engine:random())
    engine:close()
  end)
end)
