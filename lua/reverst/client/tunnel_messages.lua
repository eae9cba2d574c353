-- What people are told about a tunnel: each thing once, with its cure.

local text = require "reverst.base.text"

local Messages = {}
Messages.__index = Messages

local tunnel_messages = {}

local function credentials_of(settings)
  if settings.username then
    return ("user %s"):format(text.quoted(settings.username)),
      settings.password_path and "--username and --password-path"
        or "--username and --password"
  elseif settings.token or settings.token_path then
    return "the token", settings.token_path and "--token-path" or "--token"
  end
end

local function unauthorized(settings)
  local who, flags = credentials_of(settings)
  local group = text.quoted(settings.group)
  if not who then
    return ("unauthorized: group %s wants credentials (give --username and "
      .. "--password, or --token) or a label (--label)"):format(group)
  elseif settings.scheme then
    flags = flags .. ", and --scheme"
  end
  return ("unauthorized: the server rejected %s for group %s (check %s)")
    :format(who, group, flags)
end

local refusals = {
  unauthorized = unauthorized,
  ["not found"] = function(settings)
    return ("not found: the server has no group %s (check --tunnel-group)")
      :format(text.quoted(settings.group))
  end,
  ["bad request"] = function()
    return "bad request: the server does not understand the registration "
      .. "(check --tunnel-group and --label)"
  end,
  busy = function(settings)
    return ("busy: the server takes no more tunnels for group %s now"):format(
      text.quoted(settings.group))
  end,
  timeout = function()
    return "timeout: the server did not decide in time"
  end,
  ["server error"] = function()
    return "server error: the server could not decide (its log says why)"
  end,
  draining = function()
    return "draining: the server is about to end, and takes no new tunnels"
  end,
}

--- What a refused client should do.
---@param reason string
---@param settings table
---@return string
function tunnel_messages.refusal(reason, settings)
  local refusal = refusals[reason]
  return refusal and refusal(settings)
    or "the server refused: " .. text.printable(reason)
end

-- by code of the event: what to check
local cures = {
  REVERST_ERR_CONNECT = function()
    return "is a server there, and does UDP get to it? Check --address"
  end,
  REVERST_ERR_RESOLVE = function()
    return "check --address"
  end,
  REVERST_ERR_TLS = function(settings, event)
    if not event.reason:find("certificate", 1, true) then
      return "check --address"
    end
    return ("server name %s; check %s"):format(
      text.quoted(settings.server_name), settings.ca_path
        and "--server-name and --cacert-path"
        or "--server-name, or give --cacert-path")
  end,
  REVERST_ERR_SYSTEM = function(settings)
    return settings.token_path and "check --token-path"
      or settings.password_path and "check --password-path"
  end,
}

local function loss(event, settings, was_registered)
  local words = event.error
  if event.code == "REVERST_ERR_CLOSED" then
    words = "the server closed it"
  elseif event.code == "REVERST_ERR_SYSTEM" then
    words = "the credentials cannot be read"
  end
  local message = ("%s %s: %s"):format(
    was_registered and "lost the tunnel to" or "no tunnel to",
    settings.address, words)
  if event.reason ~= "" then
    message = ("%s: %s"):format(message, text.printable(event.reason))
  end
  local cure = cures[event.code] and cures[event.code](settings, event)
  return cure and ("%s (%s)"):format(message, cure) or message
end

--- "registered at …"; nil when it had never been otherwise, for all that anybody
--- was told.
---@return string|nil
function Messages:connected()
  if self.is_registered then
    return nil
  end
  local again = self.times > 0 and "again " or ""
  self.times = self.times + 1
  self.is_registered = true
  self.last = nil
  return ("registered %sat %s in group %s; requests go to %s"):format(again,
    self.settings.address, text.quoted(self.settings.group),
    self.settings.origin)
end

--- "server is draining …"
---@return string
function Messages:draining()
  self.is_registered = false
  return ("server is draining: %s asks to dial anew; requests under way go on")
    :format(self.settings.address)
end

--- Why there is no tunnel; nil when that was just said.
---@param event reverst.Disconnect
---@return string|nil
function Messages:disconnected(event)
  local before = self.last
  if event.refused then
    self.last = self.prefix
      .. tunnel_messages.refusal(event.reason, self.settings)
  else
    self.last = loss(event, self.settings, self.is_registered)
  end
  self.is_registered = false
  return self.last ~= before and self.last or nil
end

--- Of one tunnel; `one_of_many`: each refusal says which.
---@param settings table
---@param one_of_many boolean
function tunnel_messages.new(settings, one_of_many)
  return setmetatable({
    settings = settings,
    prefix = one_of_many and settings.address .. ": " or "",
    times = 0,
    is_registered = false,
  }, Messages)
end

return tunnel_messages
