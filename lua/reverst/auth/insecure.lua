-- auth.insecure: said on purpose.

local strategy = require "reverst.auth.strategy"

--- Accepts everyone.
---@return reverst.Strategy
return function()
  return strategy.new {
    kind = "insecure",
    fingerprint = strategy.fingerprint_of("auth.insecure", {}),
    authenticate = function()
      return true
    end,
  }
end
