-- Functions that are programs: their errors end it, with a traceback.

local core = require "reverst.core"
local lua_errors = require "reverst.base.lua_errors"

local script = {
  is_program = false, -- this process is one
}

-- without the lines that say how the program called it
local function traceback(message)
  if type(message) ~= "string" then
    local metatable = debug.getmetatable(message)
    message = metatable and metatable.__tostring and tostring(message)
      or ("the error object is a %s value"):format(type(message))
  end
  return (debug.traceback(lua_errors.helpful(message), 2):gsub("\n%s*%[C%]: in function 'xpcall'.*",
    ""))
end

--- Runs it as soon as what runs now returns.  It may wait.  When it returns a
--- number, that is the exit status and everything is stopped; else all that it
--- started goes on.
---@param name string what speaks, for errors
---@param run fun(): integer|nil
---@param status? integer the exit status where a signal ends it; 0 otherwise
function script.start(name, run, status)
  script.is_program = true
  core.run_script(function()
    local ok, result = xpcall(run, traceback)
    if ok then
      return result
    end
    io.stdout:flush()
    io.stderr:write(name, ": ", result, "\n")
    return 1
  end, status)
end

return script
