-- Tasks that scripts start themselves.

local script = require "spec.script"

local millisecond = 1000000

-- the first to end is the script: what it returned, and the log
local function run(code, options)
  local ended, log = script.run(options or {},
    'local reverst = require "reverst"\n' .. code)
  assert.equal(1, #ended)
  return ended[1], log
end

local function gives(wanted, code, options)
  local result, log = run(code, options)
  assert.equal(wanted, result.text)
  assert.is_true(result.ok)
  assert.same({}, log)
end

local function fails(pattern, code, options)
  local result = run(code, options)
  assert.is_false(result.ok)
  assert.matches(pattern, result.text)
end

describe("a spawned task", function()
  it("gets its arguments and gives all its results", function()
    gives("true 5 1 nil x nil", [[
      local task = reverst.spawn(function(...) return ... end, 1, nil, "x", nil)
      local results = table.pack(task:wait())
      return ("%s %d %s %s %s %s"):format(results[1], results.n,
        results[2], tostring(results[3]), results[4], tostring(results[5]))
    ]])
  end)

  it("runs beside who spawned it, and beside others", function()
    gives("first, a waits, b waits, b, a", [[
      local said = {}
      local function worker(name, seconds)
        table.insert(said, name .. " waits")
        reverst.sleep(seconds)
        table.insert(said, name)
      end
      local a = reverst.spawn(worker, "a", 0.03)
      local b = reverst.spawn(worker, "b", 0.01)
      table.insert(said, "first")
      a:wait()
      b:wait()
      return table.concat(said, ", ")
    ]])
  end)

  it("may be something that can be called", function()
    gives("called", [[
      local object = setmetatable({}, { __call = function() return "called" end })
      return select(2, reverst.spawn(object):wait())
    ]])
    fails("spawn: expected a function, got a nil", "reverst.spawn(nil)")
  end)

  it("may be waited for when it is over, again and by several", function()
    gives("one one one", [[
      local task = reverst.spawn(function() reverst.sleep(0.01) return "one" end)
      local other = reverst.spawn(function() return select(2, task:wait()) end)
      local _, first = task:wait()
      local _, second = other:wait()
      local _, third = task:wait()
      return first .. " " .. second .. " " .. third
    ]])
  end)

  it("goes on when its handle is collected", function()
    gives("done", [[
      reverst.spawn(function() reverst.sleep(0.01) done = "done" end)
      collectgarbage()
      collectgarbage()
      reverst.sleep(0.1)
      return done
    ]])
  end)

  it("fails where nobody waits, and the log says where", function()
    local result, log = run [[
      local function inner() error "boom" end
      local task = reverst.spawn(inner)
      reverst.sleep(0.01)
      local ok, message = task:wait()
      return tostring(ok) .. message
    ]]
    assert.matches("^nil.*boom", result.text)
    assert.equal(1, #log)
    assert.equal("task_failed", log[1].event)
    assert.matches("boom\nstack traceback:.*%]:2: in", log[1].text)
  end)

  it("tells who waits why it failed, and the log nothing", function()
    local result, log = run [[
      local ok, message = reverst.spawn(error, "boom"):wait()
      return tostring(ok) .. message
    ]]
    assert.matches("^nil.*boom\nstack traceback:", result.text)
    assert.same({}, log)
  end)

  it("cannot wait for itself", function()
    gives("true", [[
      local task
      task = reverst.spawn(function() return task:wait() end)
      local ok, message = task:wait()
      return message:find "cannot wait for itself" ~= nil
    ]])
  end)

  it("cannot wait for those who wait for it", function()
    gives("true", [[
      local a, b
      a = reverst.spawn(function() return b:wait() end)
      b = reverst.spawn(function() reverst.sleep(0.01) return a:wait() end)
      local _, _, message = a:wait()
      return message:find "wait for each other" ~= nil
    ]])
  end)

  it("has no deadline", function()
    local _, log = script.run({ task_timeout = 20 * millisecond,
      keep_running = true }, [[
      local reverst = require "reverst"
      reverst.spawn(function()
        reverst.sleep(0.1)
        require "reverst.log".info "late"
      end)
    ]])
    assert.equal("late", log[1].event)
  end)

  it("may compute as long as it waits in between", function()
    gives("true", [[
      local function compute(seconds)
        local before = os.clock()
        while os.clock() - before < seconds do end
      end
      return (reverst.spawn(function()
        for _ = 1, 4 do compute(0.05) reverst.sleep(0) end
      end):wait())
    ]], { task_budget = 150 * millisecond })
    gives("true", [[
      local ok, message = reverst.spawn(function()
        while true do end
      end):wait()
      return not ok and message:find "ran too long" ~= nil
    ]], { task_budget = 100 * millisecond })
  end)

  it("is one of ten thousand at most, and costs little", function()
    gives("true", [[
      local tasks = {}
      collectgarbage()
      local before = collectgarbage "count"
      for i = 1, 10000 do
        tasks[i] = reverst.spawn(reverst.sleep, 3600)
      end
      reverst.sleep(0)
      local bytes = (collectgarbage "count" - before) * 1024 / 10000
      assert(bytes < 3000, bytes)
      local ok, message = pcall(reverst.spawn, function() end)
      assert(not ok and message:find "10000 spawned tasks already", message)
      for _, task in ipairs(tasks) do task:cancel() end
      return (reverst.spawn(function() end):wait())
    ]])
  end)
end)

describe("a spawned task that is cancelled", function()
  it("ends at once, closes what it holds, and says so to who waits", function()
    gives("closed it was cancelled", [[
      local task = reverst.spawn(function()
        local guard <close> = setmetatable({}, { __close = function()
          state = "closed"
        end })
        reverst.sleep(100)
      end)
      reverst.sleep(0)
      task:cancel()
      task:cancel()
      local ok, message = task:wait()
      return state .. " " .. message
    ]])
  end)

  it("may not have begun", function()
    gives("nil", [[
      local task = reverst.spawn(function() begun = true end)
      task:cancel()
      reverst.sleep(0.01)
      return begun
    ]])
  end)

  it("may be the one that runs: it ends when it waits", function()
    gives("on", [[
      local task
      task = reverst.spawn(function()
        task:cancel()
        going = "on"
        reverst.sleep(0)
        going = "too far"
      end)
      reverst.sleep(0.02)
      return going
    ]])
  end)

  it("may wait for another, which goes on", function()
    gives("true true it was cancelled", [[
      local other = reverst.spawn(function() reverst.sleep(0.02) return true end)
      local task = reverst.spawn(function() other:wait() end)
      reverst.sleep(0)
      task:cancel()
      local ok, value = other:wait()
      return ("%s %s %s"):format(ok, value, (select(2, task:wait())))
    ]])
  end)

  it("may be over", function()
    gives("7", [[
      local task = reverst.spawn(function() return 7 end)
      task:wait()
      task:cancel()
      return (select(2, task:wait()))
    ]])
  end)

  it("wakes who waited, though he is ended before he goes on", function()
    gives("it was cancelled", [[
      local other = reverst.spawn(reverst.sleep, 100)
      local waiter = reverst.spawn(function() other:wait() end)
      reverst.sleep(0)
      other:cancel()
      waiter:cancel()
      return (select(2, waiter:wait()))
    ]])
  end)
end)

describe("an engine that stops", function()
  it("ends spawned tasks, and takes no more from what they close", function()
    local ended, log = script.run_and_stop({}, [[
      local reverst = require "reverst"
      local function spawn_more()
        local guard <close> = setmetatable({}, { __close = function()
          reverst.spawn(spawn_more)
        end })
        reverst.sleep(10)
      end
      reverst.spawn(spawn_more)
      reverst.sleep(10)
    ]], "require 'reverst'.sleep(0)")
    assert.equal(2, #ended)
    assert.same({}, log)
  end)

  it("does so from within a task", function()
    local ended = script.run({}, [[
      local reverst = require "reverst"
      local a = reverst.spawn(function() reverst.sleep(100) end)
      local b = reverst.spawn(function() a:wait() end)
      reverst.sleep(0)
      end_all()
      return "ended"
    ]])
    assert.same({ number = 1, ok = false, text = "it was cancelled" }, ended[1])
  end)

  it("drains: the background ends, the tasks of others go on", function()
    local ended, log = script.run({}, [[
      local reverst = require "reverst"
      local mine = reverst.spawn(function() reverst.sleep(0.02) return "mine" end)
      reverst.sleep(0)
      require "reverst.core".stop(0)
      local late = reverst.spawn(function() return "late" end)
      return select(2, mine:wait()) .. select(2, late:wait())
    ]])
    assert.equal("minelate", ended[1].text)
    assert.same({}, log)
  end)
end)
