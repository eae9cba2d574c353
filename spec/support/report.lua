-- busted output handler for bin/test: a line for each spec, everything about
-- those that failed, and a last line "N passed, N failed, N skipped".

local busted = require "busted"
local pretty = require "pl.pretty"
local base = require "busted.outputHandlers.base"

local function write(...)
  io.write(...)
  io.flush()
end

local function text_of(message)
  if message == nil then
    return "(no message)"
  end
  return type(message) == "string" and message or pretty.write(message)
end

local function write_problem(kind, problem)
  local trace = problem.trace or {}
  write("\n", kind, ": ", problem.name, "\n  ",
    trace.short_src or "?", ":", tostring(trace.currentline or "?"), "\n",
    text_of(problem.message), "\n")
  if problem.isError and trace.traceback then
    write(trace.traceback, "\n")
  end
end

return function()
  local handler = base()

  -- The name comes before the spec runs: after a crash it is the last word.
  handler.testStart = function(element)
    write(handler.getFullName(element), " ... ")
    return nil, true
  end

  handler.testEnd = function(element, _, status)
    local milliseconds = ((element.endtick or 0) - (element.starttick or 0)) * 1000
    local words = { success = "ok", pending = "skipped" }
    write(words[status] or status, string.format(" %.0f ms\n", milliseconds))
    return nil, true
  end

  handler.suiteEnd = function()
    for _, problem in ipairs(handler.failures) do
      write_problem("failed", problem)
    end
    for _, problem in ipairs(handler.errors) do
      write_problem("error", problem)
    end
    for _, pending in ipairs(handler.pendings) do
      write("\nskipped: ", pending.name,
        pending.message and ": " .. text_of(pending.message) or "", "\n")
    end
    write(string.format("\n%d passed, %d failed, %d skipped\n",
      handler.successesCount, handler.failuresCount + handler.errorsCount,
      handler.pendingsCount))
    return nil, true
  end

  busted.subscribe({ "test", "start" }, handler.testStart)
  busted.subscribe({ "test", "end" }, handler.testEnd)
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end
