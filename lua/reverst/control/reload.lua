-- A reload, as another Lua state sees it that is to replace the one that runs.

local core = require "reverst.core"
local json = require "reverst.json"
local log = require "reverst.log"

local reload = {}

--- Says what is wrong, and gives the answer for who asked.
---@param problems string[]
---@return string answer
function reload.failed(problems)
  for _, problem in ipairs(problems) do
    log.error("reload_failed", { error = problem })
  end
  return json.encode { ok = false, problems = json.list(problems) }
end

local function log_success(result)
  local fields = { took_ms = math.floor(result.took * 1000 + 0.5) }
  for _, key in ipairs { "changed", "restart", "reauthenticate" } do
    if #result[key] > 0 then
      fields[key] = table.concat(result[key], ", ")
    end
  end
  log.info("reloaded", fields)
  if #result.restart > 0 then
    log.warn("restart_needed", { options = table.concat(result.restart, ", ") })
  end
end

--- Has the module that the program was started with reload: its function
--- `reload` gets the arguments, and gives { changed, restart, reauthenticate },
--- all lists; or nil and all problems.
---@param module string
---@param list string[]
---@return boolean good
---@return string answer one line of JSON
function reload.run(module, list)
  local began = core.now()
  local result, problems = require(module).reload(list)
  if not result then
    return false, reload.failed(problems)
  end
  result.ok = true
  for _, key in ipairs { "changed", "restart", "reauthenticate" } do
    json.list(result[key])
  end
  result.took = math.floor((core.now() - began) * 1e4 + 0.5) / 1e4
  log_success(result)
  return true, json.encode(result)
end

return reload
