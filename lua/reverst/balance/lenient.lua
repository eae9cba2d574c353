-- A policy that has another to fall back on.

local policy = require "reverst.balance.policy"

local lenient = {}

local function is_one_of(tunnels, wanted)
  for i = 1, #tunnels do
    if tunnels[i] == wanted then
      return true
    end
  end
  return false
end

-- at most one entry a minute
local function new_reporter()
  local silent_until = 0
  return function(group, problem)
    local now = os.time()
    if now >= silent_until then
      silent_until = now + 60
      require "reverst.log".warn("policy_fell_back", { group = group,
        error = problem })
    end
  end
end

--- As `first` says; as `other` says when that fails, or gives none of the
--- tunnels.  Such requests fail otherwise.
---@param first string|reverst.Policy
---@param other string|reverst.Policy
function lenient.fallback(first, other)
  first = policy.check("balance.fallback", first)
  other = policy.check("balance.fallback", other)
  local report = new_reporter()
  local parts = policy.parts { first, other }
  return policy.new("fallback", parts, function(tunnels, request)
    local ok, tunnel = pcall(first, tunnels, request)
    if ok and tunnel ~= nil and is_one_of(tunnels, tunnel) then
      return tunnel
    end
    report(request and request.group, ok and ("the policy returned %s"):format(
      tunnel == nil and 'nil (is "return" missing?)'
        or "what is not one of the tunnels") or tostring(tunnel))
    return other(tunnels, request)
  end)
end

return lenient
