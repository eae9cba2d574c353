-- The pipe: bytes, back-pressure, the three ways to end, and replay.

local engines = require "spec.engine"
local pipes = require "spec.pipe"

local MARK, WINDOW = 65536, 65536

local function text_of(length, seed)
  local parts = {}
  for i = 1, length do
    parts[i] = string.char((i * 7 + i // 256 + (seed or 0) * 13) % 256)
  end
  return table.concat(parts)
end

local function take_all(pipe)
  local parts = {}
  for bytes in function() return pipe:take() end do
    parts[#parts + 1] = bytes
  end
  return table.concat(parts)
end

describe("a pipe", function()
  local engine, pipe

  local function expect(wanted)
    local seen = pipe:look()
    for key, value in pairs(wanted) do
      assert.same(value, seen[key], key)
    end
  end

  before_each(function()
    engine = engines.new()
    pipe = pipes.new(engine, MARK)
  end)

  after_each(function()
    pipe:close()
    engine:close()
  end)

  it("begins open and empty, and wants bytes", function()
    expect { state = "open", available = 0, wants = true, finished = false }
    assert.is_nil(pipe:take())
  end)

  it("gives bytes in order and wakes the other end", function()
    pipe:push "one "
    pipe:push_copy "two"
    assert.same({ 0, 2 }, { pipe:wakes() })
    assert.equal("one", pipe:take(3))
    assert.same({ 1, 0 }, { pipe:wakes() })
    assert.equal(" two", take_all(pipe))
    expect { pushed = 7, taken = 7, released = 7, available = 0 }
  end)

  it("wants no more at its mark, but refuses nothing", function()
    pipe:push_copy(text_of(MARK - 1))
    expect { wants = true }
    pipe:push_copy "x"
    expect { wants = false }
    assert.is_true(pipe:push_copy(text_of(100000)))
    pipe:take(100000)
    expect { wants = false }
    take_all(pipe)
    expect { wants = true, released = MARK + 100000 }
  end)

  it("is finished when it was ended and all was taken", function()
    pipe:push_copy "x"
    assert.is_true(pipe:finish())
    expect { state = "ended", finished = false, wants = false }
    pipe:take()
    expect { state = "ended", finished = true }
  end)

  it("carries trailers, of which it makes copies", function()
    pipe:finish { { "a", "1" }, { "b", "" }, { "a", "2" } }
    expect { trailers = { { "a", "1" }, { "b", "" }, { "a", "2" } } }
  end)

  it("has no trailers if there are none", function()
    pipe:finish {}
    assert.is_nil(pipe:look().trailers)
  end)

  it("takes nothing after its end", function()
    pipe:finish()
    assert.same({ nil, "REVERST_ERR_CLOSED" }, { pipe:push "x" })
    assert.same({ nil, "REVERST_ERR_CLOSED" }, { pipe:push_copy "x" })
    assert.is_true(pipe:finish { { "late", "1" } })
    assert.is_nil(pipe:look().trailers)
    expect { pushed = 0, finished = true }
  end)

  it("drops everything when it is aborted", function()
    pipe:push_copy(text_of(1000))
    pipe:take(10)
    pipe:wakes()
    pipe:abort(3)
    expect { state = "aborted", cause = 3, available = 0, released = 1000 }
    assert.same({ 0, 1 }, { pipe:wakes() })
    assert.is_nil(pipe:take())
    assert.same({ nil, "REVERST_ERR_CLOSED" }, { pipe:push "x" })
    assert.is_true(pipe:finish())
    expect { state = "aborted" }
    assert.equal(0, (engine:chunks()))
  end)

  it("keeps the first cause", function()
    pipe:abort(3)
    pipe:abort(4)
    expect { cause = 3 }
  end)

  it("can be aborted between its end and the last byte, not later", function()
    pipe:push_copy "x"
    pipe:finish()
    pipe:abort(3)
    expect { state = "aborted" }

    local other <close> = pipes.new(engine)
    other:push_copy "x"
    other:finish()
    other:take()
    other:abort(3)
    assert.is_true(other:look().finished)
  end)

  it("drops what is queued and what comes when it is stopped", function()
    pipe:push_copy(text_of(1000))
    pipe:take(10)
    pipe:wakes()
    pipe:stop()
    expect { state = "stopped", unwanted = true, available = 0, released = 1000,
      wants = false }
    assert.same({ 1, 0 }, { pipe:wakes() })
    assert.is_true(pipe:push_copy "more")
    assert.is_true(pipe:push "more")
    expect { pushed = 1008, released = 1008, taken = 10 }
    assert.same({ 2, 0 }, { pipe:wakes() })
    assert.is_true(pipe:finish())
    pipe:abort(3)
    expect { state = "stopped" }
    assert.equal(0, (engine:chunks()))
  end)

  it("stays as it is when stopped after it was aborted or finished", function()
    pipe:abort(3)
    pipe:stop()
    expect { state = "aborted" }
    local other <close> = pipes.new(engine)
    other:finish()
    other:stop()
    assert.equal("ended", other:look().state)
  end)

  it("rewinds nothing unless it was told to keep it", function()
    pipe:push_copy "x"
    pipe:take()
    assert.is_false(pipe:rewind())
    pipe:keep_replay()
    assert.is_false(pipe:rewind())
  end)

  describe("with a replay window", function()
    before_each(function()
      pipe:keep_replay()
    end)

    it("gives the same bytes again, in front of the others", function()
      pipe:push_copy "one two"
      assert.equal("on", pipe:take(2))
      assert.equal("e t", pipe:take(3))
      assert.is_true(pipe:rewind())
      expect { taken = 0, released = 5, available = 7 }
      pipe:push_copy " three"
      assert.equal("one two three", take_all(pipe))
      assert.is_true(pipe:rewind())
      assert.equal("one two three", take_all(pipe))
      expect { released = 13 }
    end)

    it("rewinds a pipe of which nothing was taken or pushed", function()
      assert.is_true(pipe:rewind())
      pipe:push_copy "x"
      assert.is_true(pipe:rewind())
      assert.equal("x", take_all(pipe))
    end)

    it("keeps exactly so much", function()
      pipe:push_copy(text_of(WINDOW))
      take_all(pipe)
      expect { replaying = true, replayable = WINDOW }
      pipe:push_copy "x"
      expect { replaying = true }
      pipe:take()
      expect { replaying = false, replayable = 0 }
      assert.is_false(pipe:rewind())
      assert.equal(0, (engine:chunks()))
    end)

    it("releases what it kept when the window is dropped", function()
      pipe:push_copy(text_of(1000))
      take_all(pipe)
      assert.equal(1, (engine:chunks()) + 1)
      pipe:drop_replay()
      expect { state = "open", replaying = false, replayable = 0 }
      assert.is_false(pipe:rewind())
    end)

    it("opens again after a stop, with all that came before and since", function()
      pipe:push_copy "one "
      pipe:take()
      pipe:push_copy "two "
      pipe:wakes()
      pipe:stop()
      expect { state = "stopped", unwanted = false, available = 0, wants = false,
        released = 4 }
      assert.is_nil(pipe:take())
      assert.same({ 1, 0 }, { pipe:wakes() })
      assert.is_true(pipe:push_copy "three ")
      assert.is_true(pipe:push "four")
      assert.is_true(pipe:rewind())
      expect { state = "open", wants = true, released = 4 }
      assert.equal(1, (pipe:wakes()))
      assert.equal("one two three four", take_all(pipe))
    end)

    it("remembers an end before the stop", function()
      pipe:push_copy "body"
      pipe:finish { { "t", "1" } }
      pipe:take(2)
      pipe:stop()
      expect { state = "stopped" }
      assert.is_true(pipe:rewind())
      expect { state = "ended", trailers = { { "t", "1" } } }
      assert.equal("body", take_all(pipe))
      expect { finished = true }
    end)

    it("remembers an end after the stop", function()
      pipe:push_copy "body"
      pipe:take()
      pipe:stop()
      pipe:finish { { "t", "1" } }
      assert.same({ nil, "REVERST_ERR_CLOSED" }, { pipe:push_copy "late" })
      assert.is_true(pipe:rewind())
      expect { state = "ended", trailers = { { "t", "1" } } }
      assert.equal("body", take_all(pipe))
    end)

    it("rewinds after everything was taken and ended", function()
      pipe:push_copy "body"
      pipe:finish()
      take_all(pipe)
      pipe:stop()
      expect { finished = true }
      assert.is_true(pipe:rewind())
      expect { state = "ended", finished = false }
      assert.equal("body", take_all(pipe))
    end)

    it("is lost when more comes after a stop than fits it", function()
      pipe:push_copy(text_of(1000))
      pipe:take()
      pipe:stop()
      pipe:push_copy(text_of(WINDOW - 1000))
      expect { unwanted = false }
      pipe:wakes()
      assert.is_true(pipe:push_copy "x")
      expect { state = "stopped", unwanted = true, released = WINDOW + 1,
        replaying = false }
      assert.is_true((pipe:wakes()) > 0)
      assert.is_false(pipe:rewind())
      assert.equal(0, (engine:chunks()))
    end)

    it("keeps what was queued above it when the stop came", function()
      pipe:push_copy(text_of(WINDOW + 5000))
      pipe:take(1000)
      pipe:stop()
      assert.is_true(pipe:rewind())
      assert.equal(text_of(WINDOW + 5000), take_all(pipe))
    end)

    it("makes a stop final when it is dropped", function()
      pipe:push_copy "x"
      pipe:stop()
      pipe:wakes()
      pipe:drop_replay()
      expect { state = "stopped", unwanted = true, released = 1 }
      assert.same({ 1, 0 }, { pipe:wakes() })
    end)

    it("is gone after an abort, stopped before or not", function()
      pipe:push_copy "x"
      pipe:stop()
      pipe:abort(3)
      expect { state = "aborted", replaying = false }
      assert.is_false(pipe:rewind())
      pipe:keep_replay()
      assert.is_false(pipe:rewind())
    end)
  end)

  -- A model in plain Lua of all that was ever pushed.
  local function play(seed)
    math.randomseed(seed)
    local it <close> = pipes.new(engine, MARK)
    local all, taken, released, ended = "", 0, 0, false
    local replaying, stopped = seed % 4 > 0, false
    if replaying then
      it:keep_replay()
    end
    for _ = 1, 120 do
      local action = math.random(12)
      if action <= 4 then
        local bytes = text_of(math.random(0, 6) == 0 and math.random(20000)
          or math.random(0, 500), math.random(100))
        local r, problem = it:push_copy(bytes)
        if ended then
          assert.equal("REVERST_ERR_CLOSED", problem)
        else
          assert.is_true(r)
          all = all .. bytes
          if stopped and #bytes > 0 and (not replaying or #all > WINDOW) then
            replaying, released = false, #all
          end
        end
      elseif action <= 9 then
        local max = math.random(0, 30000)
        local bytes = it:take(max)
        if stopped or max == 0 then
          assert.is_nil(bytes)
        elseif bytes then
          assert.is_true(#bytes >= 1 and #bytes <= max)
          assert.equal(all:sub(taken + 1, taken + #bytes), bytes)
          taken = taken + #bytes
          replaying = replaying and taken <= WINDOW
          released = math.max(released, taken)
        else
          assert.equal(#all, taken)
        end
      elseif action == 10 then
        if not (ended and taken == #all) then
          stopped = true
          released = replaying and released or #all
        end
        it:stop()
      elseif action == 11 then
        assert.equal(replaying, it:rewind())
        if replaying then
          taken, stopped = 0, false
        end
      elseif math.random(5) == 1 then
        assert.is_true(it:finish())
        ended = ended or not stopped or replaying
      end
      local seen = it:look()
      assert.equal(stopped and "stopped" or ended and "ended" or "open", seen.state)
      assert.equal(stopped and 0 or #all - taken, seen.available)
      assert.equal(#all, seen.pushed)
      assert.equal(released, seen.released)
      assert.equal(replaying, seen.replaying)
      assert.equal(not stopped and not ended and #all - taken < MARK, seen.wants)
    end
  end

  it("does what its model does", function()
    for seed = 1, 100 do
      play(seed)
      assert.equal(0, (engine:chunks()))
    end
  end)
end)
