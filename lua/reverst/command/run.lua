-- reverst run script.lua: a script with the project's modules.

local arguments = require "reverst.config.arguments"
local command = require "reverst.command"
local core = require "reverst.core"
local lua_errors = require "reverst.base.lua_errors"
local options = require "reverst.config.options"
local paths = require "reverst.base.paths"
local script = require "reverst.base.script"

local run = {
  name = "reverst run",
  rows = options.run,
  most = math.huge,
  stops_at_first = true,
  usage = [[
usage: reverst run [FLAGS] script.lua [ARGUMENTS...]

Runs a script in Lua.  It may require what config.lua may, and modules beside
it; it may wait (reverst.sleep, reverst.http) and start servers and clients.  It
ends when the script and all that it started have ended; SIGTERM and SIGINT
drain.  `arg` is as in lua(1), - is standard input, and the first line of the
script may be

  #!/usr/bin/env -S reverst run]],
}

-- as in lua(1): 0 is the script, what stands before it is below
local function argument_table(positional)
  local list = { [-2] = "reverst", [-1] = "run", [0] = positional[1] }
  return table.move(positional, 2, #positional, 1, list)
end

local function load_script(path)
  if path == "-" then
    return loadfile()
  end
  local compiled, message = loadfile(path)
  if not compiled then
    return nil, lua_errors.explain(paths.read(path) or "", message)
  end
  local folder = paths.folder_of(path)
  package.path = (folder == "" and "./" or folder) .. "?.lua;" .. package.path
  return compiled, message
end

function run.run(list)
  local values, parsed = command.read(run, list)
  if not values then
    return parsed
  end
  local path = parsed.positional[1]
  if not path then
    command.complain(run.name, { "which script? reverst run script.lua" })
    return command.usage
  end
  arguments.add_defaults(run.rows, values)
  core.set_log_level(values["log.level"])
  core.set_log_format(values["log.format"])
  local compiled, message = load_script(path)
  if not compiled then
    command.complain(run.name, { message })
    return command.failure
  end
  _G.arg = argument_table(parsed.positional)
  script.start(run.name, function()
    -- its results mean nothing, as in lua(1)
    compiled(table.unpack(_G.arg))
  end)
end

return run
