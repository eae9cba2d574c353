-- What people are told about the service that a client stands in front of: each
-- thing once, with its cure.  Several tunnels may share it.

local text = require "reverst.base.text"

local Messages = {}
Messages.__index = Messages

local origin_messages = {}

-- by code of the event: what to check
local cures = {
  REVERST_ERR_CONNECT = function()
    return "does it run, and listen there?"
  end,
  REVERST_ERR_TLS = function(settings, event)
    if not event.reason:find("certificate", 1, true) then
      return "does it speak TLS?"
    end
    return settings.origin_ca_path and "check --origin-cacert-path"
      or "its certificate must be for that name; give --origin-cacert-path for "
        .. "roots of your own"
  end,
}

--- "cannot reach …"; nil when that was just said.
---@param event reverst.OriginFailure
---@return string|nil
function Messages:unreachable(event)
  local cure = cures[event.code] and cures[event.code](self.settings, event)
  local before = self.last
  self.last = ("cannot reach the service at %s: %s%s; visitors get 502"):format(
    self.settings.origin, text.printable(event.reason),
    cure and (" (%s)"):format(cure) or "")
  return self.last ~= before and self.last or nil
end

--- "… answers again"; nil when it never failed, for all that anybody was told.
---@return string|nil
function Messages:reachable()
  local before = self.last
  self.last = nil
  return before and ("the service at %s answers again"):format(
    self.settings.origin)
end

---@param settings { origin: string, origin_ca_path?: string }
function origin_messages.new(settings)
  return setmetatable({ settings = settings }, Messages)
end

return origin_messages
