-- auth.all: each of several has to accept.

local members = require "reverst.auth.members"
local strategy = require "reverst.auth.strategy"

local function intersection(name, list)
  local common
  for _, member in ipairs(list) do
    local some = members.schemes_of(member)
    if some and common then
      local both = {}
      for _, scheme in ipairs(some) do
        for _, other in ipairs(common) do
          both[#both + 1] = scheme == other and scheme or nil
        end
      end
      common = both
    else
      common = some or common
    end
  end
  if common and #common == 0 then
    strategy.fail(name, "nobody can satisfy members of different schemes; "
      .. "auth.any accepts either")
  end
  return common
end

-- later members win; labels are those of all
local function merge(into, result)
  for key, value in pairs(result) do
    if key == "labels" and type(value) == "table" then
      local labels = {}
      for _, of in ipairs { into.labels or {}, value } do
        for name, label in pairs(of) do
          labels[name] = label
        end
      end
      value = labels
    end
    into[key] = value
  end
end

--- Accepts whom all of its members accept, with what their tables say together.
---@param list reverst.Strategy[]
---@return reverst.Strategy
return function(list)
  local name = "auth.all"
  list = members.check(name, list)

  local function authenticate(registration)
    local merged, doubt = {}, nil
    for _, member in ipairs(list) do
      local result, reason = members.ask(member, registration)
      if result == false then
        return false, reason
      elseif type(result) == "table" then
        merge(merged, result)
      end
      doubt = doubt or result == nil and reason or nil
    end
    if doubt then
      return nil, doubt
    end
    return next(merged) and merged or true
  end

  return strategy.new {
    kind = ("all(%s)"):format(members.kinds(list)),
    schemes = intersection(name, list),
    fingerprint = members.fingerprint(name, list),
    authenticate = authenticate,
  }
end
