-- auth.any: one of several has to accept.

local members = require "reverst.auth.members"
local strategy = require "reverst.auth.strategy"
local text = require "reverst.base.text"

local function contains(list, wanted)
  for _, value in ipairs(list) do
    if value == wanted then
      return true
    end
  end
  return false
end

-- of all members; nil when one takes any scheme
local function union(list)
  local schemes = {}
  for _, member in ipairs(list) do
    local some = members.schemes_of(member)
    if not some then
      return nil
    end
    for _, scheme in ipairs(some) do
      if not contains(schemes, scheme) then
        schemes[#schemes + 1] = scheme
      end
    end
  end
  return schemes
end

--- Accepts whom one of its members accepts.  Asked are those for the scheme of
--- the registration, one after another.
---@param list reverst.Strategy[]
---@return reverst.Strategy
return function(list)
  local name = "auth.any"
  list = members.check(name, list)
  local schemes = union(list)

  local function authenticate(registration)
    local reasons, cannot_tell = {}, false
    for _, member in ipairs(list) do
      local some = members.schemes_of(member)
      if not some or contains(some, registration.scheme) then
        local result, reason = members.ask(member, registration)
        if result then
          return result
        end
        cannot_tell = cannot_tell or result == nil
        reasons[#reasons + 1] = reason
      end
    end
    if #reasons == 0 then
      return false, ("expected %s credentials"):format(text.any_of(schemes))
    end
    -- not `a and b or c`: false is an answer, and nil another
    if cannot_tell then
      return nil, table.concat(reasons, "; ")
    end
    return false, table.concat(reasons, "; ")
  end

  return strategy.new {
    kind = ("any(%s)"):format(members.kinds(list)),
    schemes = schemes,
    fingerprint = members.fingerprint(name, list),
    authenticate = authenticate,
  }
end
