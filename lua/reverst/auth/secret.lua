-- A secret that a strategy compares with: a text or a file, as it is or hashed.

local crypto = require "reverst.crypto"
local file = require "reverst.file"
local paths = require "reverst.base.paths"
local sources = require "reverst.base.sources"
local strategy = require "reverst.auth.strategy"
local text = require "reverst.base.text"

local secret = {}

--- The fields that a secret called `key` may be given by, for strategy.check.
---@param key string "password", "token"
function secret.fields(key)
  return { [key] = "text", [key .. "_path"] = "text", ["hashed_" .. key] = "text",
    ["hashed_" .. key .. "_path"] = "text" }
end

local hash_of_nothing = crypto.hex(crypto.sha256 "")

local function check_hash(digits)
  if not digits:match "^%x+$" or #digits ~= 64 then
    return nil, ("expected the 64 hexadecimal digits of a SHA-256, got %d "
      .. "characters; printf %%s SECRET | sha256sum makes them"):format(#digits)
  end
  digits = digits:lower()
  if digits == hash_of_nothing then
    return nil, "it is the hash of an empty text (a variable that is not set?)"
  end
  return digits
end

-- the secret, or its hash, in a text; or nil and why there is none
local function take(content, is_hashed)
  if not is_hashed then
    return content
  end
  -- sha256sum writes a name behind it
  return check_hash(content:match "^(%x+)%s+%*?%-$" or content)
end

local function read(path, is_hashed)
  if path:match "^k8s://" then
    return nil, path .. ": secrets of Kubernetes are read from files; mount it "
      .. "as a volume, and name its file"
  end
  local content, message = file.read(path)
  if not content then
    return nil, message
  end
  content = content:match "^%s*(.-)%s*$"
  if content == "" then
    return nil, path .. ": it is empty"
  end
  content, message = take(content, is_hashed)
  return content, message and path .. ": " .. message
end

-- the one field that was given
local function find_given(name, options, key)
  local given = {}
  for _, field in ipairs(text.sorted_keys(secret.fields(key))) do
    if options[field] ~= nil then
      given[#given + 1] = field
    end
  end
  if #given > 1 then
    strategy.fail(name, "%s: only one of them", table.concat(given, " and "))
  elseif #given == 0 then
    strategy.fail(name, "no %s (os.getenv of a variable that is not set is nil)",
      key)
  end
  return given[1]
end

local function new_comparison(is_hashed)
  return function(given, expected)
    if is_hashed then
      given = crypto.hex(crypto.sha256(given))
    end
    return crypto.equal(given, expected)
  end
end

--- A function that compares what was given with the secret, in constant time:
--- true, false, or nil and why it cannot tell.  A file is read each time, so that
--- it may be exchanged while the server runs.  Also what the secret is now, for
--- the fingerprint.
---@param name string
---@param options table
---@param key string
---@return fun(given: string): boolean|nil, string|nil
---@return string[] parts
function secret.matcher(name, options, key)
  local field = find_given(name, options, key)
  local is_hashed = field:match "^hashed_" ~= nil
  local equals = new_comparison(is_hashed)
  if not field:match "_path$" then
    local expected, message = take(options[field], is_hashed)
    if not expected then
      strategy.fail(name, "%s: %s", field, message)
    end
    return function(given)
      return equals(given, expected)
    end, { field, expected }
  end
  local path = options[field]:match "^k8s://" and options[field]
    or paths.resolve(options[field])
  sources.add_secret(path)
  local now, message = read(path, is_hashed)
  if not now then
    strategy.fail(name, "%s: %s", field, message)
  end
  return function(given)
    local expected, why = read(path, is_hashed)
    if not expected then
      return nil, ("%s: %s: %s"):format(name, field, why)
    end
    return equals(given, expected)
  end, { field, path, now }
end

return secret
