-- What strategies have in common: how they are made, called, and complained
-- about.

local fingerprint = require "reverst.fingerprint"
local raise = require "reverst.base.raise"
local text = require "reverst.base.text"

local strategy = {
  --- The names of the functions that make strategies, by themselves.
  ---@type table<function, string>
  constructors = {},
}

local Strategy = {}
Strategy.__index = Strategy
Strategy.__name = "reverst.Strategy"

function Strategy.__call(self, registration)
  return self.authenticate(registration)
end

function Strategy.__tostring(self)
  return "auth." .. self.kind
end

--- Raises for a mistake in the use of a function.  What it says must never hold
--- a secret.
---@param name string "auth.basic"
---@param message string with the format of string.format
function strategy.fail(name, message, ...)
  raise(name .. ": "
    .. (select("#", ...) > 0 and message:format(...) or message))
end

--- What tells a strategy from another: its name and all that it was made of.
---@param name string
---@param parts string[]
---@return string
function strategy.fingerprint_of(name, parts)
  local pieces = { name }
  for _, part in ipairs(parts) do
    pieces[#pieces + 1] = ("%d:%s"):format(#part, part)
  end
  return fingerprint(table.concat(pieces, "\0"))
end

---@class reverst.StrategyFields
---@field kind string
---@field schemes? string[] whose registrations it may accept, in lower case; nil: any
---@field fingerprint? string
---@field authenticate fun(registration: reverst.Registration): any, any

---@param fields reverst.StrategyFields
---@return reverst.Strategy
function strategy.new(fields)
  return setmetatable(fields, Strategy)
end

--- Is it one of those that are made here?
function strategy.is_strategy(value)
  return getmetatable(value) == Strategy
end

--- The complaint about a function that makes strategies where a strategy was
--- meant; nil when it is none of these.
---@param value any
---@return string|nil
function strategy.not_called(value)
  local name = strategy.constructors[value]
  return name and ("%s was not called; write %s%s"):format(name, name,
    name == "auth.insecure" and "()" or " { ... }")
end

local function check_known(name, options, known)
  for _, key in ipairs(text.sorted_keys(options)) do
    local names = text.sorted_keys(known)
    local suggestion = text.suggestion(key, names)
    if not known[key] then
      strategy.fail(name, "unknown field %s%s",
        type(key) == "string" and text.quoted(key) or tostring(key),
        suggestion ~= "" and suggestion
          or "; there are " .. table.concat(names, ", "))
    end
  end
end

local checks = {}

function checks.text(value)
  if type(value) ~= "string" then
    return "expected a text, got a " .. type(value)
  elseif value == "" then
    return "it is empty"
  elseif value:find("\0", 1, true) then
    return "it has a byte of value zero"
  end
end

function checks.scheme(value)
  if not text.is_token(value) then
    return 'expected one word, such as "Bearer"'
  end
end

--- Checks the table that a constructor got: of each key its kind ("text",
--- "scheme"), or a function that gives what is wrong with a value.  Values are
--- never shown.
---@param name string
---@param options any
---@param known table<string, string|fun(value: any): string|nil>
function strategy.check(name, options, known)
  if type(options) ~= "table" then
    strategy.fail(name, "expected a table, got %s; write %s { ... }",
      type(options) == "nil" and "nil" or "a " .. type(options), name)
  end
  check_known(name, options, known)
  for _, key in ipairs(text.sorted_keys(options)) do
    local check = checks[known[key]] or known[key]
    local problem = check(options[key])
    if problem then
      strategy.fail(name, "%s: %s", key, problem)
    end
  end
end

return strategy
