-- reverst import groups.yml: a groups file of the Go original as config.lua.

local command = require "reverst.command"
local options = require "reverst.config.options"
local paths = require "reverst.base.paths"
local read = require "reverst.import.read"
local text = require "reverst.base.text"
local write = require "reverst.import.write"
local yaml = require "reverst.import.yaml"

local import = {
  name = "reverst import",
  rows = options.import,
  most = 1,
  usage = [[
usage: reverst import [FLAGS] groups.yml > config.lua

Prints the configuration that is equivalent to a groups file of the Go
original.  What differs, or is ignored, is said in comments and on standard
error, with line and column.  Status 1: something could not be carried over;
nothing is printed when the file itself is wrong.  - is standard input.
Passwords and tokens are printed as they are.]],
}

local function read_file(path)
  if path ~= "-" then
    return paths.read(path)
  end
  return io.read "a"
end

local function say(path, remark)
  io.stderr:write(("%s:%d:%d: %s\n"):format(text.printable(path), remark.line,
    remark.column, text.printable(remark.message)))
end

-- the worst kind of remark there is
local function worst_of(remarks)
  local worst = "note"
  for _, remark in ipairs(remarks) do
    if remark.kind == "problem" or worst == "note" then
      worst = remark.kind
    end
  end
  return worst
end

local function convert(path, content, groups_only)
  local root, problem, second = yaml.read(content)
  if problem then
    say(path, problem)
    return command.failure
  end
  local groups, remarks = read.groups(root)
  if second then
    table.insert(remarks, { kind = "note", line = second.line,
      column = second.column,
      message = "the original reads the first document only" })
  end
  for _, remark in ipairs(remarks) do
    say(path, remark)
  end
  local worst = worst_of(remarks)
  if worst == "problem" then
    return command.failure
  end
  io.stdout:write(write.config(groups, path, groups_only))
  return worst == "lost" and command.failure or command.success
end

function import.run(list)
  local values, parsed = command.read(import, list)
  if not values then
    return parsed
  end
  local path = parsed.positional[1]
  if not path then
    command.complain(import.name, { "which file? reverst import groups.yml" })
    return command.usage
  end
  local content, message = read_file(path)
  if not content then
    command.complain(import.name, { message })
    return command.failure
  end
  return convert(path, content, values.groups_only == true)
end

return import
