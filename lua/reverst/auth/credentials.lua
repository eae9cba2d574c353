-- What a client registers with.

local strategy = require "reverst.auth.strategy"

local credentials = {}

--- Opaque: nothing in it can be printed.
---@class reverst.Credentials
local Credentials = { __name = "reverst.Credentials" }

local fields = setmetatable({}, { __mode = "k" })

function Credentials.__tostring()
  return "credentials"
end

local function check(name, what, value)
  if type(value) ~= "string" or value == "" or value:find("\0", 1, true) then
    strategy.fail(name, "%s: expected a text that is not empty, got %s", what,
      value == nil and "nil (os.getenv of a variable that is not set is nil)"
        or type(value) == "string" and "one that is" or "a " .. type(value))
  end
end

local function new(values)
  local object = setmetatable({}, Credentials)
  fields[object] = values
  return object
end

--- For reverst.client { credentials = ... }.
---@param username string
---@param password string
---@return reverst.Credentials
function credentials.basic(username, password)
  local name = "auth.basic_credentials"
  check(name, "username", username)
  check(name, "password", password)
  if username:find(":", 1, true) then
    strategy.fail(name, "a username cannot have a colon")
  end
  return new { username = username, password = password }
end

--- For reverst.client { credentials = ... }.
---@param token string
---@return reverst.Credentials
function credentials.bearer(token)
  check("auth.bearer_credentials", "token", token)
  return new { token = token }
end

--- The options of a client that they stand for; nil: these are none.
---@param object any
---@return table<string, string>|nil
function credentials.fields(object)
  return fields[object]
end

return credentials
