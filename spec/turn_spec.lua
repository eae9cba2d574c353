-- A turn: jobs in phases, in at most three rounds.

local timing = require "spec.timing"

describe("a turn", function()
  local turn

  -- The jobs that ran, in order; actions[number] runs with its job.
  local function run(actions)
    local ran = {}
    turn:run(function(number)
      ran[#ran + 1] = number
      if actions and actions[number] then
        actions[number]()
      end
    end)
    return ran
  end

  before_each(function()
    turn = timing.turn()
  end)

  it("is asked for once, by the first job", function()
    assert.equal(0, turn:requested())
    turn:add(1, "write")
    turn:add(2, "process")
    assert.equal(1, turn:requested())
    assert.is_false(turn:idle())
    run()
    assert.is_true(turn:idle())
    assert.equal(1, turn:requested())
    turn:add(1, "write")
    assert.equal(2, turn:requested())
  end)

  it("runs the phases in order, and the jobs of each as they came", function()
    turn:add(1, "free")
    turn:add(2, "write")
    turn:add(3, "process")
    turn:add(4, "script")
    turn:add(5, "process")
    assert.same({ 3, 5, 4, 2, 1 }, run())
    assert.same({}, run())
  end)

  it("runs a job once, where it was put first", function()
    turn:add(1, "write")
    turn:add(2, "process")
    turn:add(1, "process")
    assert.same({ 2, 1 }, run())
  end)

  it("does not run what was removed, also by another job", function()
    turn:add(1, "process")
    turn:add(2, "process")
    turn:add(3, "write")
    turn:add(4, "process")
    turn:remove(4)
    turn:remove(4)
    assert.same({ 1 }, run {
      [1] = function()
        turn:remove(2)
        turn:remove(3)
      end,
    })
    assert.is_true(turn:idle())
  end)

  it("runs work for a later phase in the same round", function()
    turn:add(1, "process")
    turn:add(9, "free")
    assert.same({ 1, 2, 9 }, run {
      [1] = function()
        turn:add(2, "write")
      end,
    })
  end)

  it("runs work for a phase that is over or under way in the next round", function()
    turn:add(1, "write")
    turn:add(9, "free")
    assert.same({ 1, 9, 2, 3 }, run {
      [1] = function()
        turn:add(3, "write")
        turn:add(2, "process")
      end,
    })
    assert.equal(1, turn:requested())
  end)

  it("makes three rounds, and then asks for another turn", function()
    local function again()
      turn:add(1, "process")
    end
    turn:add(1, "process")
    assert.same({ 1, 1, 1 }, run { again })
    assert.is_false(turn:idle())
    assert.equal(2, turn:requested())
    assert.same({ 1 }, run())
    assert.is_true(turn:idle())
  end)
end)
