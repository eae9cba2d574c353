-- Timers: deadlines in a heap, moved lazily.

local timing = require "spec.timing"

-- What fires in a run, in order; `on_fired` may act on the timers meanwhile.
local function fired(timers, now, on_fired)
  local numbers = {}
  timers:run(function(number)
    numbers[#numbers + 1] = number
    if on_fired then
      on_fired(number)
    end
  end, now)
  return numbers
end

describe("timers", function()
  local timers

  before_each(function()
    timers = timing.timers()
  end)

  it("have nothing to say while none is set", function()
    assert.is_nil(timers:next())
    assert.same({}, fired(timers, 1000))
  end)

  it("fire at their deadline, earliest first, once", function()
    timers:set(1, 30)
    timers:set(2, 10)
    timers:set(3, 20)
    assert.equal(10, timers:next())
    assert.same({}, fired(timers, 9))
    assert.same({ 2, 3 }, fired(timers, 20))
    assert.same({ 1 }, fired(timers, 100))
    assert.same({}, fired(timers, 200))
    assert.equal(0, timers:count())
  end)

  it("fire in the order of deadlines, also when these were moved", function()
    timers:set(1, 10)
    timers:set(2, 20)
    timers:set(1, 30)
    assert.same({ 2, 1 }, fired(timers, 50))
  end)

  it("are moved later without touching the heap", function()
    timers:set(1, 10)
    timers:set(1, 50)
    assert.equal(10, timers:next())
    assert.same({}, fired(timers, 20))
    assert.equal(50, timers:next())
    assert.same({ 1 }, fired(timers, 50))
  end)

  it("are moved earlier at once", function()
    timers:set(1, 50)
    timers:set(2, 40)
    timers:set(1, 10)
    assert.equal(10, timers:next())
    assert.same({ 1 }, fired(timers, 10))
  end)

  it("set to never leave the heap when they come up", function()
    timers:set(1, 10)
    timers:set(1, nil)
    assert.equal(1, timers:count())
    assert.same({}, fired(timers, 10))
    assert.equal(0, timers:count())
    assert.is_nil(timers:next())
  end)

  it("set to never while they are not in the heap stay out", function()
    timers:set(1, nil)
    assert.equal(0, timers:count())
  end)

  it("do not fire once stopped by one that fires before", function()
    for number = 1, 5 do
      timers:set(number, number)
    end
    assert.same({ 1, 2, 5 }, fired(timers, 10, function(number)
      if number == 2 then
        timers:stop(3)
        timers:set(4, nil)
      end
    end))
    assert.is_nil(timers:next())
  end)

  it("moved later by one that fires before fire later", function()
    timers:set(1, 1)
    timers:set(2, 2)
    assert.same({ 1 }, fired(timers, 5, function()
      timers:set(2, 9)
    end))
    assert.equal(9, timers:next())
    assert.same({ 2 }, fired(timers, 9))
  end)

  it("set again by their own callback wait for the next run", function()
    timers:set(1, 5)
    local function again(number)
      timers:set(number, 1)
    end
    assert.same({ 1 }, fired(timers, 10, again))
    assert.equal(1, timers:next())
    assert.same({ 1 }, fired(timers, 10, again))
    timers:stop(1)
    assert.same({}, fired(timers, 10))
  end)

  it("set to a past time by a callback wait for the next run", function()
    timers:set(1, 5)
    assert.same({ 1 }, fired(timers, 10, function()
      timers:set(2, 3)
    end))
    assert.same({ 2 }, fired(timers, 10))
  end)

  it("have room for all, also while many are about to fire", function()
    for number = 1, 16 do
      timers:set(number, number)
    end
    local numbers = fired(timers, 100, function(number)
      if number == 1 then
        for other = 17, 32 do
          assert.is_true(timers:set(other, 150))
        end
        for other = 2, 16 do
          timers:set(other, 120)
        end
      end
    end)
    assert.same({ 1 }, numbers)
    assert.equal(15, #fired(timers, 120))
    assert.equal(16, #fired(timers, 150))
  end)

  it("do what a plain table of deadlines does", function()
    for seed = 1, 30 do
      math.randomseed(seed)
      local now, model = 0, {}
      local function change()
        local number = math.random(60)
        if math.random(4) == 1 then
          timers:stop(number)
          model[number] = nil
        else
          local deadline = math.random(5) > 1 and now + math.random(-5, 100) or nil
          deadline = deadline and math.max(deadline, 0)
          assert.is_true(timers:set(number, deadline))
          model[number] = deadline
        end
        return number
      end
      for _ = 1, 300 do
        for _ = 1, math.random(0, 5) do
          change()
        end
        now = now + math.random(0, 30)
        local earliest = math.huge
        for _, deadline in pairs(model) do
          earliest = math.min(earliest, deadline)
        end
        assert.is_true((timers:next() or math.huge) <= earliest)

        local due, changed, last = {}, {}, -1
        for number, deadline in pairs(model) do
          due[number] = deadline <= now or nil
        end
        timers:run(function(number)
          assert.is_true(due[number])
          assert.is_true(model[number] <= now)
          if not changed[number] then
            assert.is_true(model[number] >= last)
            last = model[number]
          end
          due[number], model[number] = nil, nil
          if math.random(3) == 1 then
            local other = change()
            changed[other] = true
            if not model[other] or model[other] > now then
              due[other] = nil
            end
          end
        end, now)
        assert.same({}, due)
      end
      for number = 1, 60 do
        timers:stop(number)
      end
      assert.equal(0, timers:count())
    end
  end)
end)
