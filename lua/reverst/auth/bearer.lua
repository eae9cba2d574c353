-- auth.bearer: who has the token (RFC 6750).

local secret = require "reverst.auth.secret"
local strategy = require "reverst.auth.strategy"

local known = secret.fields "token"
known.scheme = "scheme"

---@class reverst.BearerOptions
---@field token? string one of these four
---@field token_path? string a file, read again for each registration
---@field hashed_token? string hexadecimal SHA-256 of the token
---@field hashed_token_path? string a file with that
---@field scheme? string instead of Bearer

--- Accepts who has the token.
---@param options reverst.BearerOptions
---@return reverst.Strategy
return function(options)
  local name = "auth.bearer"
  strategy.check(name, options, known)
  local scheme = (options.scheme or "bearer"):lower()
  local is_token, parts = secret.matcher(name, options, "token")

  local function authenticate(registration)
    if registration.scheme ~= scheme then
      return false, ("expected a %s token"):format(scheme)
    end
    local is_right, why = is_token(registration.credentials or "")
    if is_right == nil then
      return nil, why
    elseif is_right then
      return true
    end
    return false, "wrong token"
  end

  return strategy.new {
    kind = "bearer",
    schemes = { scheme },
    fingerprint = strategy.fingerprint_of(name,
      { scheme, table.unpack(parts) }),
    authenticate = authenticate,
  }
end
