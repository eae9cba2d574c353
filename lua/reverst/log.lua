-- Entries of the log: log.info("name_of_event", { key = value }).

local core = require "reverst.core"

---@class reverst.log
---@field trace fun(event: string, fields?: table<string, string|number|boolean>)
---@field debug fun(event: string, fields?: table<string, string|number|boolean>)
---@field info fun(event: string, fields?: table<string, string|number|boolean>)
---@field warn fun(event: string, fields?: table<string, string|number|boolean>)
---@field error fun(event: string, fields?: table<string, string|number|boolean>)
local log = {}

for _, level in ipairs { "trace", "debug", "info", "warn", "error" } do
  log[level] = function(event, fields)
    core.write_log(level, event, fields)
  end
end

return log
