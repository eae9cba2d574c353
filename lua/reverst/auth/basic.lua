-- auth.basic: one user with a password (RFC 7617).

local crypto = require "reverst.crypto"
local secret = require "reverst.auth.secret"
local strategy = require "reverst.auth.strategy"

local known = secret.fields "password"
known.username, known.scheme = "text", "scheme"

---@class reverst.BasicOptions
---@field username string
---@field password? string one of these four
---@field password_path? string a file, read again for each registration
---@field hashed_password? string hexadecimal SHA-256 of the password
---@field hashed_password_path? string a file with that
---@field scheme? string instead of Basic

--- Accepts one user.
---@param options reverst.BasicOptions
---@return reverst.Strategy
return function(options)
  local name = "auth.basic"
  strategy.check(name, options, known)
  local username = options.username
  if not username then
    strategy.fail(name, "no username")
  elseif username:find(":", 1, true) then
    strategy.fail(name, "a username cannot have a colon")
  end
  local scheme = (options.scheme or "basic"):lower()
  local is_password, parts = secret.matcher(name, options, "password")

  local function authenticate(registration)
    if registration.scheme ~= scheme then
      return false, ("expected %s credentials"):format(scheme)
    end
    local decoded = crypto.base64_decode(registration.credentials or "")
    if not decoded then
      return false, "the credentials are not base64"
    end
    local user, password = decoded:match "^([^:]*):(.*)$"
    if not user then
      return false, "the credentials have no colon"
    end
    local is_right, why = is_password(password)
    local is_user = crypto.equal(user, username)
    if is_right == nil then
      return nil, why
    elseif is_right and is_user then
      return true
    end
    return false, "wrong username or password"
  end

  return strategy.new {
    kind = "basic",
    schemes = { scheme },
    fingerprint = strategy.fingerprint_of(name,
      { scheme, username, table.unpack(parts) }),
    authenticate = authenticate,
  }
end
