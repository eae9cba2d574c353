-- Checks what the constructors of policies were given.  A mistake is an error of
-- the line of the configuration that made it.

local raise = require "reverst.base.raise"
local text = require "reverst.base.text"

local arguments = {}

--- Raises for a mistake in the use of a function.
---@param name string of the function that was called
function arguments.fail(name, message, ...)
  raise(name .. ": " .. message:format(...))
end

local function describe(value)
  return value == nil and "nil" or "a " .. type(value)
end

--- A text that is not empty; `usage` is how it is written.
---@param name string
---@param value any
---@param usage string
function arguments.text(name, value, usage)
  if type(value) ~= "string" or value == "" then
    arguments.fail(name, "expected a name, got %s; write %s",
      value == "" and "an empty text" or describe(value), usage)
  end
end

--- The same for the names of fields and cookies.
function arguments.token(name, value, usage)
  arguments.text(name, value, usage)
  if not text.is_token(value) then
    arguments.fail(name, "%s is not a name; write %s", text.quoted(value), usage)
  end
end

--- A whole number from 1 on; nil is the default.
function arguments.count(name, value, default, most)
  if value == nil then
    return default
  elseif math.type(value) ~= "integer" or value < 1 or value > most then
    arguments.fail(name, "expected a whole number, 1 to %d, got %s", most,
      type(value) == "number" and tostring(value) or describe(value))
  end
  return value
end

local function is_of_type(value, wanted)
  if wanted == "integer" then
    return math.type(value) == "integer" and value >= 0
  end
  return wanted == "any" or type(value) == wanted
end

local names = { boolean = "true or false", string = "a text",
  integer = "a whole number" }

--- A table of options, nil for none; `known` has the type of each.
---@param name string
---@param options table|nil
---@param known table<string, "boolean"|"string"|"integer"|"any">
---@return table
function arguments.fields(name, options, known)
  if options == nil then
    return {}
  elseif type(options) ~= "table" then
    arguments.fail(name, "expected a table of options, got a %s", type(options))
  end
  for _, key in ipairs(text.sorted_keys(options)) do
    local wanted = known[key]
    if not wanted then
      arguments.fail(name, "unknown option %s%s", text.quoted(key),
        text.suggestion(key, text.sorted_keys(known)))
    elseif not is_of_type(options[key], wanted) then
      arguments.fail(name, "%s: expected %s, got %s", key, names[wanted],
        describe(options[key]))
    end
  end
  return options
end

return arguments
