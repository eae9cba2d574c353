-- What scripts use: servers, clients, and waiting.

local auth = require "reverst.auth"
local balance = require "reverst.balance"
local client_settings = require "reverst.client.settings"
local config = require "reverst.config"
local core = require "reverst.core"
local registration = require "reverst.auth.registration"
local script = require "reverst.base.script"
local text = require "reverst.base.text"

---@class reverst
---@field version string
local reverst = { version = core.version }

--- Waits, in a function that the server calls; others go on meanwhile.
---@param seconds number
function reverst.sleep(seconds)
  if not tonumber(seconds) then
    error(("sleep: expected a number of seconds, got a %s"):format(
      type(seconds)), 2)
  end
  return core.sleep(seconds)
end

--- Starts a task that runs beside the caller's.  It may wait for as long as it
--- likes, but is ended with the server, or when its configuration is replaced.
---@param task fun(...): ...
---@param ... any its arguments
---@return reverst.Task
function reverst.spawn(task, ...)
  if not text.is_callable(task) then
    error(("spawn: expected a function, got a %s"):format(type(task)), 2)
  end
  local arguments = table.pack(...)
  return core.spawn(function()
    return table.pack(task(table.unpack(arguments, 1, arguments.n)))
  end)
end

--- Like spawn, for what a script of `reverst run` cannot do without: an error in
--- it ends the program, with a traceback and status 1.
---@param main fun(...)
---@param ... any its arguments
function reverst.run(main, ...)
  if not text.is_callable(main) then
    error(("run: expected a function, got a %s"):format(type(main)), 2)
  elseif not script.is_program then
    error("run: only scripts of `reverst run` have it; use reverst.spawn", 2)
  end
  local arguments = table.pack(...)
  script.start("reverst.run", function()
    main(table.unpack(arguments, 1, arguments.n))
  end)
end

--- Seconds of a clock that is never set.
---@return number
function reverst.now()
  return core.now()
end

-- as reverst.core takes it: who accepts everyone, or balances as the server does
-- by itself, needs no call
local function as_options(group, hook_timeout)
  local group_options = {}
  for key, value in pairs(group) do
    group_options[key] = value
  end
  if auth.kind_of(group.authenticate) == "insecure" then
    group_options.insecure = true
    group_options.authenticate = nil
  else
    group_options.authenticate = registration.with(group.authenticate)
  end
  group_options.forget_credentials = not group.reauthenticate
  group_options.hook_timeout = hook_timeout
  group_options.balance = balance.as_function(group.balance)
  return group_options
end

--- Gives a running server other groups, and another route; at once, or nothing
--- has changed.
---@param server table
---@param settings table as config.load gives them
---@return boolean|nil done
---@return string|nil message
---@return string|nil code
function reverst.set_routing(server, settings)
  balance.set_secret(function(label)
    return assert(server:derive_secret(label))
  end)
  local groups = {}
  for i, group in ipairs(settings.groups) do
    groups[i] = as_options(group, settings.hook_timeout)
  end
  return server:set_routing { groups = groups, route = settings.route,
    hook_timeout = settings.hook_timeout }
end

--- Starts a server from settings as config.load gives them.
---@param settings table
---@return reverst.Server|nil server
---@return string|nil message
---@return string|nil code "REVERST_ERR_LISTEN"
function reverst.start_server(settings)
  local server, message, code = core.server(settings)
  if not server then
    return nil, message, code
  end
  local ok
  ok, message, code = reverst.set_routing(server, settings)
  if not ok then
    server:close()
    return nil, message, code
  end
  return server
end

--- Starts a server from the table that a config.lua returns.
---@param given table
---@return reverst.Server|nil server
---@return string|nil message
---@return string|nil code
function reverst.server(given)
  local settings, problems = config.settings("reverst.server", given, {})
  if not settings then
    return nil, table.concat(problems, "\n"), "REVERST_ERR_INVALID"
  end
  return reverst.start_server(settings)
end

--- Starts a client from settings as client_settings gives them.
---@param settings table
---@return reverst.Client|nil client
---@return string|nil message
---@return string|nil code
function reverst.start_client(settings)
  return core.client(settings)
end

--- Starts a client that answers from a local service, or by a function.
---@param given reverst.ClientOptions
---@return reverst.Client|nil client
---@return string|nil message
---@return string|nil code
function reverst.client(given)
  local settings, problems = client_settings.check(given)
  if not settings then
    return nil, table.concat(problems, "\n"), "REVERST_ERR_INVALID"
  end
  return reverst.start_client(settings)
end

return reverst
