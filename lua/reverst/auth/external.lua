-- auth.external: asks an HTTP service, by one GET for each registration.

local duration = require "reverst.base.duration"
local paths = require "reverst.base.paths"
local strategy = require "reverst.auth.strategy"
local text = require "reverst.base.text"

---@class reverst.ExternalOptions
---@field endpoint string "https://auth.example.com/tunnels"
---@field scheme? string whose registrations it is asked about; default "Bearer", "*": any
---@field timeout? reverst.Duration default "5s"
---@field headers? table<string, string> more of the request
---@field ca_path? string PEM file with the roots to trust; default: the system's

local ours = { authorization = true, ["x-forwarded-for"] = true,
  ["x-reverst-tunnel-group"] = true }

-- an endpoint may hold a password: it is never shown
local function check_endpoint(value)
  local example = '"https://auth.example.com/tunnels"'
  if type(value) ~= "string" then
    return "expected a URL, such as " .. example
  end
  local scheme, rest = value:match "^(%a+)://(.+)$"
  scheme = scheme and scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then
    return "a URL begins with http:// or https://, such as " .. example
  elseif rest:match "^[^/?#]*@" then
    return "user and password in a URL are not understood; put them into "
      .. "headers"
  elseif rest:find("#", 1, true) then
    return "a URL to ask has no part behind a #"
  elseif value:find "[%s%c\127-\255]" then
    return "a URL has no white space, and only ASCII"
  elseif rest:match "^[/?:]" then
    return "the URL names no host; write it as " .. example
  end
  local port = not rest:match "^unix:"
    and rest:gsub("^%[[^%]/?]*%]", ""):match "^[^/?]*:([^/?]*)"
  if port and not (port:match "^%d+$" and tonumber(port) >= 1
    and tonumber(port) <= 65535) then
    return "its port is not a number from 1 to 65535"
  end
end

local function check_timeout(value)
  local nanoseconds, message = duration.parse(value)
  return not nanoseconds and message or nil
end

-- values may be secrets
local function check_headers(value)
  if type(value) ~= "table" then
    return 'expected a table, such as { ["x-api-key"] = "..." }'
  end
  for _, key in ipairs(text.sorted_keys(value)) do
    if not text.is_token(key) then
      return ("%s is not the name of a header"):format(
        type(key) == "string" and text.quoted(key) or tostring(key))
    elseif ours[key:lower()] then
      return key .. " is set by the server"
    elseif type(value[key]) ~= "string" or value[key]:find "%c" then
      return key .. ": expected a text of one line (os.getenv of a variable "
        .. "that is not set is nil)"
    elseif value[key]:find "^ " or value[key]:find " $" then
      return key .. ": it begins or ends with a blank"
    end
  end
end

local known = {
  endpoint = check_endpoint, scheme = "scheme", timeout = check_timeout,
  headers = check_headers, ca_path = "text",
}

local function address_of(peer)
  return peer:match "^%[(.*)%]:%d+$" or peer:match "^(.*):%d+$" or peer
end

-- The scheme as its configuration writes it, or else as the client did: some
-- services compare it with its case.
local function written_scheme(scheme, registration)
  if scheme ~= "*" then
    return scheme
  end
  local given = (registration.metadata or {}).Authorization
  return given and given:match "^%s*(%S+)" or registration.scheme
end

local function headers_for(options, registration)
  local headers = {}
  for name, value in pairs(options.headers) do
    headers[name] = value
  end
  headers.authorization = written_scheme(options.scheme, registration) .. " "
    .. registration.credentials
  headers["x-reverst-tunnel-group"] = registration.group
  headers["x-forwarded-for"] = address_of(registration.peer)
  return headers
end

-- 401, 403 and 431 say no, as does a request that cannot be made of what the
-- client sent; anything else says that the service is not what it should be, or
-- not well
local function judge(response, message, code)
  local status = response and response.status
  if not response and code == "REVERST_ERR_ADDRESS" then
    return nil, "auth.external: the endpoint is not a URL" -- it is not shown
  elseif not response and code == "REVERST_ERR_INVALID" then
    return false, "the credentials do not fit into a request"
  elseif not response then
    return nil, "auth.external: " .. message
  elseif status >= 200 and status <= 299 then
    return true
  elseif status == 401 or status == 403 or status == 431 then
    return false, ("the service answered %d"):format(status)
  end
  return nil, ("auth.external: the service answered %d"):format(status)
end

local function fingerprint_of(options)
  local parts = { options.endpoint, options.scheme, options.ca_path or "" }
  for _, key in ipairs(text.sorted_keys(options.headers)) do
    parts[#parts + 1] = key
    parts[#parts + 1] = options.headers[key]
  end
  return strategy.fingerprint_of("auth.external", parts)
end

local function copy(of)
  local new = {}
  for key, value in pairs(of or {}) do
    new[key] = value
  end
  return new
end

--- Accepts whom a service accepts: GET of the endpoint with `Authorization:
--- <scheme> <credentials>`, X-Reverst-Tunnel-Group and X-Forwarded-For.  2xx
--- accepts, 401, 403 and 431 reject; with anything else nobody can tell, which
--- rejects newcomers and leaves tunnels alone.
---@param options reverst.ExternalOptions
---@return reverst.Strategy
return function(options)
  local name = "auth.external"
  strategy.check(name, options, known)
  if not options.endpoint then
    strategy.fail(name, "no endpoint; write endpoint = "
      .. '"https://auth.example.com/tunnels"')
  end
  local settings = {
    endpoint = options.endpoint, scheme = options.scheme or "Bearer",
    headers = copy(options.headers),
    timeout = duration.parse(options.timeout or "5s") / 1e9,
    ca_path = options.ca_path and paths.resolve(options.ca_path),
  }
  local scheme = settings.scheme ~= "*" and settings.scheme:lower() or nil

  local function authenticate(registration)
    if not registration.credentials
      or scheme and registration.scheme ~= scheme then
      return false, ("expected %s credentials"):format(scheme or "any")
    elseif not registration.credentials:match "^[^%c ]"
      or registration.credentials:find "%c" or registration.credentials:find " $"
      or not text.is_token(registration.scheme) then
      return false, "the credentials are malformed"
    end
    -- here, since it needs an engine, and reverst check does without
    local http = require "reverst.http"
    return judge(http.get(settings.endpoint, {
      headers = headers_for(settings, registration),
      timeout = settings.timeout, ca_path = settings.ca_path,
    }))
  end

  return strategy.new {
    kind = "external",
    schemes = scheme and { scheme },
    fingerprint = fingerprint_of(settings),
    authenticate = authenticate,
  }
end
