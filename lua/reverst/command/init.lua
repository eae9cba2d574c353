-- What the commands of the host share: reading their arguments, and telling
-- people what is wrong.

local arguments = require "reverst.config.arguments"
local core = require "reverst.core"

local command = {}

command.success, command.failure, command.usage = 0, 1, 2

--- Writes lines to standard error.
function command.complain(name, problems)
  for _, problem in ipairs(problems) do
    io.stderr:write(name, ": ", problem, "\n")
  end
end

--- Reads a command line.  Gives what arguments.parse and arguments.values do;
--- or nil and the exit status, after everything was said, with the words that
--- are no flags where the line was understood so far.
---@param self { name: string, usage: string, rows: table[], most: number,
--- stops_at_first?: boolean }
---@param list string[]
function command.read(self, list)
  local parsed, problems = arguments.parse(self.rows, list,
    self.stops_at_first)
  local values
  if parsed and parsed.help then
    io.stdout:write(self.usage, "\n\n", arguments.describe(self.rows), "\n")
    return nil, command.success
  elseif parsed and parsed.version then
    io.stdout:write("reverst ", core.version, "\n")
    return nil, command.success
  elseif parsed then
    values, problems = arguments.values(self.rows, parsed)
    if #parsed.positional > self.most then
      table.insert(problems, 1, ("unexpected argument %q"):format(
        parsed.positional[self.most + 1]))
    end
  end
  if #problems > 0 then
    command.complain(self.name, problems)
    io.stderr:write("Try ", self.name, " --help\n")
    return nil, command.usage, parsed and parsed.positional
  end
  return values, parsed
end

return command
