-- A registration, as `authenticate` sees it: what the client says of itself
-- has fields of its own, and a field that there is not is a mistake.

local text = require "reverst.base.text"

local registration = {}

local fields = { "group", "peer", "server_name", "scheme", "credentials",
  "metadata", "name", "weight", "labels" }

local is_field = {}
for _, name in ipairs(fields) do
  is_field[name] = true
end

--- Why there is no such field; nil when there is.
---@param name any
---@return string|nil
function registration.unknown(name)
  if is_field[name] then
    return nil
  end
  local suggestion = text.suggestion(name, fields)
  return ("a registration has no field %s%s"):format(text.quoted(name),
    suggestion ~= "" and suggestion or ", only " .. text.any_of(fields))
end

local strict = {
  __index = function(_, name)
    local problem = registration.unknown(name)
    if problem then
      error(problem, 2)
    end
  end,
  __newindex = function(self, name, value)
    local problem = registration.unknown(name)
    if problem then
      error(problem, 2)
    end
    rawset(self, name, value)
  end,
}

-- as the server weighs: what makes no sense counts for nothing
local function weight_of(metadata)
  local digits = (metadata["Reverst-Weight"] or ""):match "^%d+$"
  local weight = digits and math.tointeger(tonumber(digits))
  return weight and weight >= 1 and weight <= 65535 and weight or nil
end

--- Completes the table that authenticate is to be called with.
---@param given table its fields, but for name, weight and labels
---@return reverst.Registration the same table
function registration.of(given)
  local metadata, labels = given.metadata, {}
  for key, value in pairs(metadata) do
    local label = key:match "^Reverst%-Label%-(.+)$"
    if label then
      labels[label] = value
    end
  end
  given.labels = labels
  given.name = metadata["Reverst-Name"]
  given.weight = weight_of(metadata)
  return setmetatable(given, strict)
end

--- For the server, which knows only the fields that it was told.
---@param authenticate reverst.Strategy
---@return fun(given: table): any, any
function registration.with(authenticate)
  return function(given)
    return authenticate(registration.of(given))
  end
end

return registration
