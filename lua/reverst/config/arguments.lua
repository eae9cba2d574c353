-- A command line, by a table of options: its flags, the environment, --help.

local check = require "reverst.config.check"
local options = require "reverst.config.options"
local text = require "reverst.base.text"

local arguments = {}

local common = {
  { flag = "help", short = "h", type = "switch", help = "show this" },
  { flag = "version", short = "V", type = "switch", help = "show the version" },
}

-- rows by "--flag" and "-f", and the names of all flags
local function index_of(rows)
  local index, names = {}, {}
  for _, list in ipairs { rows, common } do
    for _, row in ipairs(list) do
      for _, flag in ipairs { row.flag, table.unpack(row.aliases or {}) } do
        index["--" .. flag] = row
        names[#names + 1] = "--" .. flag
      end
      if row.short then
        index["-" .. row.short] = row
      end
    end
  end
  return index, names
end

-- the flag in an argument, and the value that is written with it
local function split_flag(argument)
  local flag, value = argument:match "^(%-%-[^=]+)=(.*)$"
  if flag then
    return flag, value
  elseif argument:match "^%-[^-]." then
    return argument:sub(1, 2), argument:sub(3)
  end
  return argument
end

-- "a,b" is a and b; an empty text between commas is left as it is, to be
-- complained about
local function split_list(value, list)
  for part in (value .. ","):gmatch "([^,]*)," do
    list[#list + 1] = part
  end
  return list
end

-- a later flag wins over an earlier one, or joins it
local function give(parsed, row, flag, value)
  if row.many then
    local list = parsed.given[row.key] or {}
    value = row.commas and split_list(value, list)
      or table.move({ value }, 1, 1, #list + 1, list)
  end
  parsed.given[row.key] = value
  parsed.flags[row.key] = flag
end

--- What a command line says.
---@param rows table[]
---@param list string[]
---@param stops_at_first? boolean what follows the first argument that is no flag
--- is none, either
---@return table parsed with given (raw values by key), flags (as they were written, by
--- key), positional, help and version; or nil
---@return string[]|nil problems
function arguments.parse(rows, list, stops_at_first)
  local index, names = index_of(rows)
  local parsed = { given = {}, flags = {}, positional = {} }
  local problems = {}
  local i, only_positional = 1, false
  while i <= #list do
    local argument = list[i]
    local flag, value = split_flag(argument)
    local row = index[flag]
    if only_positional or argument == "-" or not argument:match "^%-" then
      table.insert(parsed.positional, argument)
      only_positional = only_positional or stops_at_first
    elseif argument == "--" then
      only_positional = true
    elseif not row then
      table.insert(problems, ("unknown flag %s%s"):format(
        text.printable(flag), text.suggestion(flag, names)))
    elseif not row.key then
      parsed[row.flag] = true
    else
      if row.type == "switch" then
        value = value or "true"
      elseif not value then
        i = i + 1
        value = list[i]
      end
      if value then
        give(parsed, row, flag, value)
      else
        table.insert(problems, ("%s: its value is missing: %s %s"):format(
          flag, flag, row.argument))
      end
    end
    i = i + 1
  end
  if #problems > 0 and not parsed.help then
    return nil, problems
  end
  return parsed
end

--- Checks what flags and the environment say.  A flag wins.
---@param rows table[]
---@param parsed table as parse gave it
---@param getenv? fun(name: string): string|nil
---@return table values by key; where each was found ("-k") is in parsed.places
---@return string[] problems
function arguments.values(rows, parsed, getenv)
  local values, problems = {}, {}
  parsed.places = {}
  for _, row in ipairs(rows) do
    local variable = options.variable(row)
    local value, place = parsed.given[row.key], parsed.flags[row.key]
    if value == nil and variable then
      value, place = (getenv or os.getenv)(variable), variable
      if value == "" then
        value = nil
      elseif value and row.many then
        value = split_list(value, {})
      end
    end
    if row.type == "count" and value and value:match "^%d+$" then
      value = math.tointeger(tonumber(value)) or value
    end
    if value ~= nil then
      local checked, message = check.value(row, value)
      values[row.key] = checked
      parsed.places[row.key] = place
      if message then
        problems[#problems + 1] = place .. ": " .. message
      end
    end
  end
  return values, problems
end

--- Fills in what was not given.
function arguments.add_defaults(rows, values)
  for _, row in ipairs(rows) do
    if values[row.key] == nil and row.default ~= nil then
      values[row.key] = check.value(row, row.default)
    end
  end
end

local function flag_column(row)
  return ("  %s --%s%s"):format(row.short and "-" .. row.short .. "," or "   ",
    row.flag, row.argument and " " .. row.argument or "")
end

--- The flags of a table, two lines each.
---@param rows table[]
---@return string
function arguments.describe(rows)
  local lines = {}
  local function add(left, right)
    lines[#lines + 1] = ("%-34s %s"):format(left, right)
  end
  for _, row in ipairs(rows) do
    if row.flag then
      add(flag_column(row), row.help)
      local more = options.variable(row)
      if row.default then
        more = ("%s, default %s"):format(more, row.default)
      elseif row.required then
        more = more .. ", required"
      end
      add("", more)
    end
  end
  for _, row in ipairs(common) do
    add(flag_column(row), row.help)
  end
  return table.concat(lines, "\n")
end

return arguments
