-- Cookies that bring a visitor back to the tunnel that he had before.  What is in
-- them is a keyed hash of the tunnel's identity: it cannot be made up, and says
-- nothing about the tunnel.

local arguments = require "reverst.balance.arguments"
local crypto = require "reverst.crypto"
local paths = require "reverst.base.paths"
local policy = require "reverst.balance.policy"
local rendezvous = require "reverst.balance.rendezvous"

local sticky = {}

local LABEL = "sticky cookie"
local TOKEN_BYTES = 18 -- of the hash; without padding in base64

-- what the server derives secrets with; nil: no server yet
local derive_secret

--- The server gives the key of all cookies whose options have none: the same
--- after a restart, as long as what it is derived from is the same.
---@param derive fun(label: string): string
function sticky.set_secret(derive)
  derive_secret = derive_secret or derive
end

local function default_key()
  return derive_secret and derive_secret(LABEL) or crypto.random(32)
end

local function token_of(key, group, name, tunnel)
  local message = ("%s\0%s\0%s"):format(group, name,
    rendezvous.identity(tunnel))
  local hash = crypto.hmac_sha256(key, message):sub(1, TOKEN_BYTES)
  return (crypto.base64_encode(hash):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

local function attributes_of(options)
  local attributes = "; Path=/; HttpOnly; SameSite=Lax"
  if options.max_age then
    attributes = attributes .. "; Max-Age=" .. options.max_age
  end
  return attributes
end

local function new_choice(name, options, key, fallback)
  local tokens = setmetatable({}, { __mode = "k" })
  local attributes = attributes_of(options)

  local function token(tunnel, request)
    key = key or default_key()
    local made = token_of(key, request.group, name, tunnel)
    tokens[tunnel] = made
    return made
  end

  local function issue(tunnel, request)
    local is_secure = options.secure
    if is_secure == nil then
      is_secure = request.scheme == "https"
    end
    request:add_response_header("set-cookie", ("%s=%s%s%s"):format(name,
      tokens[tunnel] or token(tunnel, request), attributes,
      is_secure and "; Secure" or ""))
  end

  return function(tunnels, request)
    local given = request.cookies[name]
    local found
    for i = 1, given and #tunnels or 0 do
      local tunnel = tunnels[i]
      if (tokens[tunnel] or token(tunnel, request)) == given
        and (not found or tunnel.active < found.active) then
        found = tunnel
      end
    end
    if not found then
      found = fallback(tunnels, request)
      if found then
        issue(found, request)
      end
    end
    return found
  end
end

local function cookie_key(options)
  if options.secret and options.secret_path then
    arguments.fail("balance.cookie",
      "secret and secret_path: only one of the two")
  end
  local key = options.secret
  if options.secret_path then
    local message
    key, message = paths.read(paths.resolve(options.secret_path))
    if not key then
      arguments.fail("balance.cookie", "secret_path: %s", message)
    end
  end
  if key and #key < 16 then
    arguments.fail("balance.cookie",
      "the secret is too short; it needs 16 bytes at least")
  end
  return key
end

---@class reverst.CookieOptions
---@field secret? string 16 bytes or more
---@field secret_path? string
---@field secure? boolean only over https; else as the request came
---@field max_age? integer seconds; else until the browser is closed
---@field fallback? string|reverst.Policy least_conn

--- The tunnel that the visitor had before, known by a cookie; who has none, or
--- whose tunnel is not there, goes by `fallback` and gets one. A tunnel with a
--- name is known again when it comes back. The cookie is signed with `secret`, or
--- the content of `secret_path`, or what the server derives from its own secret.
---@param name string
---@param options? reverst.CookieOptions
function sticky.cookie(name, options)
  local usage = 'balance.cookie "tunnel"'
  arguments.token("balance.cookie", name, usage)
  options = arguments.fields("balance.cookie", options, {
    secret = "string", secret_path = "string", secure = "boolean",
    max_age = "integer", fallback = "any",
  })
  local key = cookie_key(options)
  local fallback = policy.check("balance.cookie",
    options.fallback or "least_conn")
  local parts = policy.parts({ fallback }, name, options.secure, options.max_age,
    key and crypto.hex(crypto.hmac_sha256(key, "fingerprint")))
  return policy.new("cookie", parts, new_choice(name, options, key, fallback))
end

return sticky
