-- What policies have in common: how they are made, called and found by name.

local arguments = require "reverst.balance.arguments"
local text = require "reverst.base.text"

local policy = {}

local Policy = {}
Policy.__index = Policy
Policy.__name = "reverst.Policy"

function Policy.__call(self, tunnels, request)
  return self.choose(tunnels, request)
end

function Policy.__tostring(self)
  return "balance." .. self.kind
end

-- What it was made of gives its fingerprint; false: there is none, since a
-- function is among it.
function policy.new(kind, parts, choose)
  return setmetatable({
    kind = kind,
    fingerprint = parts and ("%s(%s)"):format(kind, table.concat(parts, ",")),
    choose = choose,
  }, Policy)
end

-- the same, for those that have another to fall back on
function policy.parts(policies, ...)
  local parts = { ... }
  for i = 1, select("#", ...) do
    parts[i] = tostring(parts[i])
  end
  for _, other in ipairs(policies) do
    local fingerprint = policy.fingerprint(other)
    if not fingerprint then
      return false
    end
    parts[#parts + 1] = fingerprint
  end
  return parts
end

policy.names = { "cookie", "fallback", "first", "header", "ip_hash",
  "least_conn", "query", "random", "random_choose", "round_robin", "uri_hash",
  "weighted_round_robin" }
-- those that need an argument
local usages = {
  cookie = 'balance.cookie "tunnel"',
  fallback = 'balance.fallback(policy, "round_robin")',
  header = 'balance.header "X-User"',
  query = 'balance.query "user"',
}

-- by name; filled by reverst.balance
policy.constructors = {}

-- balance.least_conn where balance.least_conn() was meant
local function constructor_name(value)
  for _, name in ipairs(policy.names) do
    if value == policy.constructors[name] then
      return name
    end
  end
end

local function is_callable(value)
  local metatable = getmetatable(value)
  return type(value) == "function"
    or type(metatable) == "table" and metatable.__call ~= nil
end

local function by_name(name)
  if usages[name] then
    return nil, ("%s needs an argument; write %s"):format(name, usages[name])
  elseif not policy.constructors[name] then
    return nil, ("unknown policy %s%s"):format(text.quoted(name),
      text.suggestion(name, policy.names))
  end
  return policy.constructors[name]()
end

--- The policy that is meant: by a name, a function or a policy.
---@param given any
---@return reverst.Policy|nil
---@return string|nil message
function policy.of(given)
  local constructor = constructor_name(given)
  if constructor then
    return nil, ("balance.%s makes a policy; write %s"):format(constructor,
      usages[constructor] or "balance." .. constructor .. "()")
  elseif is_callable(given) then
    return given
  elseif type(given) == "string" then
    return by_name(given)
  end
  return nil, ("expected the name of a policy or a function, got %s"):format(
    given == nil and "nil" or "a " .. type(given))
end

-- The same, where a wrong one is a mistake in the configuration's line that
-- called the function `name`.
function policy.check(name, given)
  local found, message = policy.of(given)
  if not found then
    arguments.fail(name, "%s", message)
  end
  return found
end

--- What a policy is called in the log: its kind, or "function".
---@param of reverst.Policy
---@return string
function policy.kind_of(of)
  return getmetatable(of) == Policy and of.kind or "function"
end

--- The same for policies that do the same; nil for functions, of which nobody
--- can tell.
---@param of reverst.Policy
---@return string|nil
function policy.fingerprint(of)
  return getmetatable(of) == Policy and of.fingerprint or nil
end

--- What a server calls: the policy without the table around it; nil for the one
--- that it has itself.
---@param of reverst.Policy|nil
---@return function|table|nil
function policy.as_function(of)
  if getmetatable(of) ~= Policy then
    return of
  end
  return of.kind ~= "round_robin" and of.choose or nil
end

return policy
