-- Who may join a group.  Each function here returns a strategy: something that
-- is called with a registration and returns true, or a table (see
-- reverst.Acceptance); false and a reason; or nil and why it cannot tell.  Who
-- is new is rejected by the latter, who is there already stays.  An error is as
-- good as nil.  A plain function serves as well: see auth/basic.lua.

local credentials = require "reverst.auth.credentials"
local strategy = require "reverst.auth.strategy"
local raise = require "reverst.base.raise"
local text = require "reverst.base.text"

---@class reverst.Registration
---@field group string
---@field peer string "203.0.113.9:40112"
---@field server_name string|nil
---@field scheme string|nil "basic", lower case
---@field credentials string|nil what follows the scheme
---@field name string|nil what the client calls itself (--name)
---@field weight integer|nil what it asks for (--weight)
---@field labels table<string, string> what it says of itself (--label)
---@field metadata table<string, string> all that it says

--- What may be returned instead of true: what the tunnel is called and how it
--- weighs, whatever its client says.
---@class reverst.Acceptance
---@field name? string up to 63 bytes
---@field weight? integer 1 to 65535
---@field labels? table<string, string>

---@alias reverst.Decision boolean|reverst.Acceptance|nil
---@alias reverst.Strategy fun(registration: reverst.Registration): reverst.Decision, string?

---@class reverst.auth
local auth = {
  basic = require "reverst.auth.basic",
  bearer = require "reverst.auth.bearer",
  external = require "reverst.auth.external",
  insecure = require "reverst.auth.insecure",
  any = require "reverst.auth.any",
  all = require "reverst.auth.all",
  basic_credentials = credentials.basic,
  bearer_credentials = credentials.bearer,
}

local names = text.sorted_keys(auth)
for name, constructor in pairs(auth) do
  strategy.constructors[constructor] = "auth." .. name
end

--- What a strategy is called in the log: its kind, or "function".
---@param of reverst.Strategy
---@return string
function auth.kind_of(of)
  return strategy.is_strategy(of) and of.kind or "function"
end

--- The same for strategies that do the same, in all states of a process; nil for
--- functions, of which nobody can tell.
---@param of reverst.Strategy
---@return string|nil
function auth.fingerprint(of)
  local fingerprint = type(of) == "table" and rawget(of, "fingerprint")
  return type(fingerprint) == "string" and fingerprint or nil
end

--- What is wrong with auth.basic where auth.basic { ... } was meant; else nil.
---@param value any
---@return string|nil
function auth.not_called(value)
  return strategy.not_called(value)
end

return setmetatable(auth, {
  __index = function(_, name)
    local suggestion = text.suggestion(name, names)
    raise(("auth.%s does not exist%s"):format(text.printable(name),
      suggestion ~= "" and suggestion
        or "; there are " .. table.concat(names, ", ")))
  end,
})
