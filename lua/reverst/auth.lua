-- Who may join a group.  Each function here returns a strategy: something that
-- is called with a registration and returns true, or false and a reason.  An
-- error rejects, too.  A plain function serves as well: see basic.

local crypto = require "reverst.crypto"
local paths = require "reverst.paths"
local text = require "reverst.text"

---@class reverst.Registration
---@field group string
---@field peer string "203.0.113.9:40112"
---@field server_name string|nil
---@field scheme string|nil "basic", lower case
---@field credentials string|nil what follows the scheme
---@field metadata table<string, string>

---@alias reverst.Strategy fun(registration: reverst.Registration): boolean, string?

---@class reverst.auth
local auth = {}

local Strategy = {}
Strategy.__index = Strategy

function Strategy.__call(strategy, registration)
  return strategy.authenticate(registration)
end

local function new_strategy(kind, authenticate)
  return setmetatable({ kind = kind, authenticate = authenticate }, Strategy)
end

-- errors point to the line of the configuration that called auth.xxx
local function fail(name, ...)
  error(name .. ": " .. string.format(...), 4)
end

local function check_fields(name, options, known)
  if type(options) ~= "table" then
    fail(name, "expected a table, got %s; write %s { ... }",
      type(options) == "nil" and "nil" or "a " .. type(options), name)
  end
  for _, key in ipairs(text.sorted_keys(options)) do
    local is_known = false
    for _, field in ipairs(known) do
      is_known = is_known or field == key
    end
    if not is_known then
      fail(name, "unknown field %s%s", text.quoted(key),
        text.suggestion(key, known))
    elseif type(options[key]) ~= "string" or options[key] == "" then
      fail(name, "%s: expected a text that is not empty", key)
    end
  end
end

local function read_secret(path)
  local content, message = paths.read(path)
  if not content then
    return nil, message
  end
  content = content:match "^%s*(.-)%s*$"
  if content == "" then
    return nil, path .. ": it is empty"
  end
  return content
end

-- A function that gives the secret.  A file is read each time, so that it may
-- be exchanged while the server runs.
local function secret_source(name, options, key)
  local path_key = key .. "_path"
  if options[key] and options[path_key] then
    fail(name, "%s and %s: only one of the two", key, path_key)
  elseif options[path_key] then
    local path = paths.resolve(options[path_key])
    local secret, message = read_secret(path)
    if not secret then
      fail(name, "%s: %s", path_key, message)
    end
    return function()
      return assert(read_secret(path))
    end
  elseif not options[key] then
    fail(name, "no %s (os.getenv of a variable that is not set is nil)", key)
  end
  return function()
    return options[key]
  end
end

--- Accepts one user. `password_path` names a file instead of `password`.
---@param options { username: string, password?: string, password_path?: string, scheme?: string }
---@return reverst.Strategy
function auth.basic(options)
  local name = "auth.basic"
  check_fields(name, options, { "username", "password", "password_path",
    "scheme" })
  if not options.username then
    error(name .. ": no username", 2)
  elseif options.username:find(":", 1, true) then
    error(name .. ": a username cannot have a colon", 2)
  end
  local scheme = (options.scheme or "basic"):lower()
  local password = secret_source(name, options, "password")
  return new_strategy("basic", function(registration)
    if registration.scheme ~= scheme then
      return false, ("expected %s credentials"):format(scheme)
    end
    local given = crypto.base64_decode(registration.credentials or "")
    if not given then
      return false, "the credentials are not base64"
    end
    if crypto.equal(given, options.username .. ":" .. password()) then
      return true
    end
    return false, "wrong username or password"
  end)
end

--- Accepts who has the token. `token_path` names a file instead of `token`.
---@param options { token?: string, token_path?: string, scheme?: string }
---@return reverst.Strategy
function auth.bearer(options)
  local name = "auth.bearer"
  check_fields(name, options, { "token", "token_path", "scheme" })
  local scheme = (options.scheme or "bearer"):lower()
  local token = secret_source(name, options, "token")
  return new_strategy("bearer", function(registration)
    if registration.scheme ~= scheme then
      return false, ("expected a %s token"):format(scheme)
    elseif crypto.equal(registration.credentials or "", token()) then
      return true
    end
    return false, "wrong token"
  end)
end

--- Accepts everyone.
---@return reverst.Strategy
function auth.insecure()
  return new_strategy("insecure", function()
    return true
  end)
end

--- What a strategy is called in the log: its kind, or "function".
---@param strategy reverst.Strategy
---@return string
function auth.kind_of(strategy)
  return getmetatable(strategy) == Strategy and strategy.kind or "function"
end

return setmetatable(auth, {
  __index = function(_, name)
    error(("auth.%s does not exist%s"):format(text.printable(name),
      text.suggestion(name, { "basic", "bearer", "insecure" })), 2)
  end,
})
