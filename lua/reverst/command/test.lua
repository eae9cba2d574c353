-- reverst test: busted, with the project's modules, in a task that may wait.

local command = require "reverst.command"
local core = require "reverst.core"
local script = require "reverst.base.script"

local test = {
  name = "reverst test",
  rows = {},
  usage = [[
usage: reverst test [FLAGS] [DIRECTORY|FILE...]

Runs specs: those in the files given, or the files *_spec.lua in spec/ and the
folders given.  They may require what config.lua may, and reverst.testing; and
they may wait (reverst.sleep, reverst.http).  Exit status 1: some failed.

The flags are those of busted, among them:
  -C, --directory DIR       as if started there: what specs require is found in
                            the folder where it was started
      --filter PATTERN      only those whose names match
  -t, --tags TAGS           only those with one of these #tags
      --shuffle             in another order each time
  -o, --output NAME         TAP, junit, gtest, plainTerminal, utfTerminal, or a
                            file that is one
  -l, --list                name them, and run none
  -v, --verbose             more about errors
  -h, --help                show this
  -V, --version             show the version]],
}

local function is_given(list, short, long)
  for _, word in ipairs(list) do
    if word == "--" then
      return false
    elseif word == short or word == long then
      return true
    end
  end
  return false
end

-- busted wants to exit in the midst of everything
local function catch_exit()
  local exit = {}
  require "busted.compatibility".exit = function(status)
    exit.status = status == 0 and command.success or command.failure
    error(exit, 0)
  end
  return exit
end

-- The chunk's name is what busted calls itself in messages.
local function run_busted()
  local runner = require "busted.runner"
  assert(load([[
    local runner = ...
    runner { standalone = false }
    return true]], "@reverst test", "t"))(runner)
end

-- Of a folder that cannot be read, in our own words; nil: it is another error.
-- Busted takes slashes away at the end of names, also of "/".
local function folder_problem(message)
  local folder, why = tostring(message):match(
    "^pl/dir%.lua:%d+: cannot open (.-): ([^:]+)$")
  if folder == "" then
    return "/ is too much to look for specs in; name a folder of it"
  end
  return folder and ("%s: %s"):format(folder, why)
end

function test.run(list)
  if is_given(list, "-h", "--help") then
    io.stdout:write(test.usage, "\n")
    return command.success
  elseif is_given(list, "-V", "--version") then
    io.stdout:write("reverst ", core.version, "\n")
    return command.success
  end
  core.set_log_level "error"
  _G.arg = table.move(list, 1, #list, 1, { [0] = test.name })
  require "reverst.busted"
  local exit = catch_exit()
  script.start(test.name, function()
    local problem
    local ok, message = xpcall(run_busted, function(message)
      problem = folder_problem(message)
      return message == exit and message or debug.traceback(message, 2)
    end)
    io.stdout:flush()
    if problem then
      command.complain(test.name, { problem })
      return command.failure
    elseif not ok and message ~= exit then
      error(message, 0)
    end
    return ok and command.success or exit.status
  end, command.failure)
end

return test
