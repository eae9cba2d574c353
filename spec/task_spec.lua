-- Lua code that the server calls: it may wait, and can hold nothing up.

local script = require "spec.script"

local millisecond, second = 1000000, 1000000000

local function run(code, options)
  local ended = script.run(options or {}, code)
  assert.equal(1, #ended)
  return ended[1]
end

local function fails(code, pattern, options)
  local result = run(code, options)
  assert.is_false(result.ok)
  assert.matches(pattern, result.text)
  return result.text
end

describe("a task", function()
  it("gets its arguments and gives its first result", function()
    assert.same({ number = 1, ok = true, text = "2" },
      run "local number = ...; return number + 1, 'more', 'and more'")
  end)

  it("may return nothing", function()
    assert.same({ number = 1, ok = true, text = "nil" }, run "return")
  end)

  it("waits without holding up another", function()
    local ended = script.run({},
      "require 'reverst'.sleep(0.05); return 'slow'",
      "require 'reverst'.sleep(0.01); return 'quick'",
      "return 'at once'")
    assert.same({ "at once", "quick", "slow" },
      { ended[1].text, ended[2].text, ended[3].text })
  end)

  it("waits within pcall and keeps what it holds", function()
    local result = run [[
      local reverst = require "reverst"
      local before = reverst.now()
      local ok, value = pcall(function()
        reverst.sleep(0.02)
        return "kept"
      end)
      return tostring(ok) .. value .. tostring(reverst.now() - before >= 0.015)
    ]]
    assert.equal("truekepttrue", result.text)
  end)

  it("cannot wait in a coroutine of its own", function()
    fails("coroutine.wrap(function() require 'reverst'.sleep(0) end)()",
      "cannot do so here")
  end)

  it("cannot wait in a sort comparator", function()
    fails([[table.sort({ 1, 2, 3 }, function()
      require 'reverst'.sleep(0)
    end)]], "cannot do so here")
  end)

  it("cannot yield by itself", function()
    fails("coroutine.yield()", "coroutine.yield outside a coroutine")
  end)

  it("may use coroutines of its own", function()
    local result = run [[
      local sum = 0
      for n in coroutine.wrap(function()
        for i = 1, 10 do coroutine.yield(i) end
      end) do
        sum = sum + n
      end
      return sum
    ]]
    assert.equal("55", result.text)
  end)

  it("fails when it waits for too long", function()
    fails("require 'reverst'.sleep(1000)", "it took too long",
      { task_timeout = 30 * millisecond })
  end)
end)

describe("an error in a task", function()
  it("names the line and the way there", function()
    local text = fails("local function inner() error 'boom' end\ninner()",
      "boom")
    assert.matches('%[string "local function inner%(%)', text)
    assert.matches("stack traceback:", text)
  end)

  it("may be nil", function()
    fails("error(nil)", "the error object is a nil value")
  end)

  it("may be a table", function()
    fails("error {}", "the error object is a table value")
  end)

  it("may be a table with __tostring", function()
    fails("error(setmetatable({}, { __tostring = function() return 'mine' end }))",
      "^mine")
  end)

  it("may be a table whose __tostring fails", function()
    fails("error(setmetatable({}, { __tostring = function() error 'no' end }))",
      "no")
  end)

  it("may come after it waited", function()
    fails("require 'reverst'.sleep(0.001) error 'late'", "late")
  end)

  it("may be a C stack overflow", function()
    fails("local function f() return f() + 1 end f()", "stack overflow",
      { task_budget = 20 * second, task_timeout = 60 * second })
  end)
end)

describe("a task that computes", function()
  it("lets others go on meanwhile", function()
    local ended = script.run({ task_budget = 20 * second }, [[
      local before, clock = os.clock(), os.clock
      while clock() - before < 0.3 do end
      return "busy"
    ]], "return 'short'")
    assert.same({ "short", "busy" }, { ended[1].text, ended[2].text })
  end)

  it("lets others go on from within pcall", function()
    local ended = script.run({ task_budget = 20 * second }, [[
      local before, clock = os.clock(), os.clock
      return pcall(function()
        while clock() - before < 0.3 do end
      end)
    ]], "return 'short'")
    assert.same({ "short", "true" }, { ended[1].text, ended[2].text })
  end)

  it("is counted over all of its turns", function()
    fails([[
      local sleep = require "reverst".sleep
      while true do
        local before = os.clock()
        while os.clock() - before < 0.01 do end
        sleep(0)
      end
    ]], "ran too long", { task_budget = 100 * millisecond })
  end)
end)

local function specify_endless_loops(budget)
  local loops = {
    ["in a task"] = "while true do end",
    ["of an empty body on one line"] = "::again:: goto again",
    ["in pcall"] = "pcall(function() while true do end end) return 'escaped'",
    ["around pcall"] = "while true do pcall(error) end",
    ["of pcalls that loop"] =
      "while true do pcall(function() while true do end end) end",
    ["of pcalls in pcalls"] = [[
      local function loop() while true do pcall(loop) end end
      while true do pcall(loop) end
    ]],
    ["in a message handler"] =
      "xpcall(error, function() while true do end end) return 'escaped'",
    ["in a coroutine"] =
      "coroutine.wrap(function() while true do end end)() return 'escaped'",
    ["of coroutines"] = [[
      while true do
        local c = coroutine.create(function() while true do end end)
        coroutine.resume(c)
      end
    ]],
    ["in a comparator"] =
      "table.sort({ 3, 2, 1 }, function() while true do end end)",
    ["in a metamethod"] = [[
      local t = setmetatable({}, { __index = function() while true do end end })
      return t.x
    ]],
    ["in __close"] = [[
      local t <close> = setmetatable({}, { __close = function()
        while true do end
      end })
    ]],
  }
  for name, code in pairs(loops) do
    it(name .. " is ended", function()
      assert.is_false(run(code, budget).ok)
    end)
  end

  it("leaves a task that runs beside it alone", function()
    local ended = script.run(budget, "while true do pcall(error) end",
      "require 'reverst'.sleep(0.2) local n = 0 for i = 1, 1e5 do n = n + 1 end "
      .. "return n")
    assert.same({ false, true }, { ended[1].ok, ended[2].ok })
    assert.equal("100000", ended[2].text)
  end)

  it("in a coroutine that is kept does not slow what uses it later", function()
    local ended = script.run(budget, [[
      kept = coroutine.wrap(function()
        pcall(function() while true do end end)
        while true do coroutine.yield "alive" end
      end)
      kept()
    ]], "require 'reverst'.sleep(0.3) return 'fine'")
    assert.is_false(ended[1].ok)
    assert.equal("fine", ended[2].text)
  end)
end

describe("an endless loop", function()
  specify_endless_loops { task_budget = 100 * millisecond }
end)

describe("in a program that needs the watchdog's signal, an endless loop",
  function()
  specify_endless_loops { task_budget = 100 * millisecond, takes_signal = true }
end)

describe("in a thread that blocks the watchdog's signal, an endless loop",
  function()
  specify_endless_loops { task_budget = 100 * millisecond,
    blocks_signal = true }
end)

describe("memory", function()
  local limit = { memory_limit = 8 * 1024 * 1024 }

  it("is limited: a table that grows is an error", function()
    fails("local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end",
      "not enough memory", limit)
  end)

  it("is limited: a huge text is an error", function()
    fails("return ('x'):rep(1e9)", "not enough memory", limit)
  end)

  it("may be caught, and is there again", function()
    local result = run([[
      local ok, message = pcall(function()
        local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end
      end)
      assert(not ok and message == "not enough memory")
      local t = {}
      for i = 1, 10000 do t[i] = "y" .. i end
      return #t
    ]], limit)
    assert.equal("10000", result.text)
  end)

  it("of one task is not missing in the next", function()
    local ended = script.run(limit,
      "local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end",
      [[
        local ok, text
        repeat -- until the first has ended
          require 'reverst'.sleep(0.05)
          ok, text = pcall(string.rep, 'y', 1e6)
        until ok
        return #text
      ]])
    assert.same({ false, true, "1000000" },
      { ended[1].ok, ended[2].ok, ended[2].text })
  end)

  it("is collected when garbage is all there is", function()
    local result = run(
      "for i = 1, 40 do local t = ('x'):rep(1e6) .. i end return 'done'",
      limit)
    assert.equal("done", result.text)
  end)

  it("that is in use is not looked through at the end of each task", function()
    local result = run([[
      local collections, ballast = 0, {}
      local function count()
        collections = collections + 1
        setmetatable({}, { __gc = count })
      end
      repeat
        ballast[#ballast + 1] = "some text " .. #ballast
      until collectgarbage "count" > 5000
      collectgarbage()
      collectgarbage "stop"
      setmetatable({}, { __gc = count })
      for _ = 1, 100 do
        require "reverst".spawn(function() end):wait()
      end
      return collections
    ]], limit)
    assert.is_true(tonumber(result.text) < 10)
  end)
end)

describe("a task that is ended while it waits", function()
  it("closes its variables", function()
    local ended = script.run_and_stop({}, [[
      closed = "nothing"
      local guard <close> = setmetatable({}, { __close = function()
        closed = "the guard"
      end })
      require "reverst".sleep(10)
    ]], [[
      local guard <close> = setmetatable({}, { __close = function()
        while true do end
      end })
      require "reverst".sleep(10)
    ]], [[
      local guard <close> = setmetatable({}, { __close = function()
        require "reverst".sleep(10)
      end })
      require "reverst".sleep(10)
    ]])
    assert.equal(3, #ended)
    for _, result in ipairs(ended) do
      assert.is_false(result.ok)
      assert.equal("it was cancelled", result.text)
    end
  end)

  -- three: which of them ends the others is not said
  local closes_all = [[
    local guard <close> = setmetatable({}, { __close = function()
      end_all()
    end })
    require "reverst".sleep(10)
  ]]

  it("may end all others by what it closes, and itself once more", function()
    local ended = script.run_and_stop({}, closes_all, closes_all, closes_all)
    assert.equal(3, #ended)
    for _, result in ipairs(ended) do
      assert.equal("it was cancelled", result.text)
    end
  end)

  it("may do so when it waited for too long", function()
    local ended = script.run({ task_timeout = 30 * millisecond },
      closes_all, closes_all, closes_all)
    local count = { ["it took too long"] = 0, ["it was cancelled"] = 0 }
    for _, result in ipairs(ended) do
      count[result.text] = count[result.text] + 1
    end
    assert.same({ ["it took too long"] = 1, ["it was cancelled"] = 2 }, count)
  end)
end)

describe("a task that runs too long", function()
  -- CPU seconds until it has ended
  local function duration(code)
    local start = os.clock()
    fails(code, "it ran too long", { task_budget = 100 * millisecond,
      memory_limit = 32 * 1024 * 1024 })
    return os.clock() - start
  end

  it("ends at once, however many pcalls it is in", function()
    assert.is_true(duration [[
      local function nest() pcall(nest) nest() end
      while true do pcall(nest) end
    ]] < 4)
  end)

  it("ends at once within coroutines of its own", function()
    assert.is_true(duration [[
      local function nest() pcall(nest) nest() end
      while true do pcall(coroutine.wrap(nest)) end
    ]] < 4)
  end)

  it("ends within the same time when it makes its error a text", function()
    assert.is_true(duration [[
      error(setmetatable({}, { __tostring = function() while true do end end }))
    ]] < 1)
  end)
end)

describe("options that a table makes up", function()
  it("are held until they were read", function()
    local result = run [[
      local options = setmetatable({}, { __index = function(_, key)
        collectgarbage()
        if key == "address" then return ("x"):rep(100) end
        if key == "group" then return ("g"):rep(100) end
        if key == "origin" then return ("o"):rep(10000) end
      end })
      local client, message = require "reverst".client(options)
      return not client and message ~= nil
    ]]
    assert.equal("true", result.text)
  end)
end)
