-- reverst http ADDRESS: exposes a local HTTP service.

local arguments = require "reverst.config.arguments"
local check = require "reverst.config.check"
local client_settings = require "reverst.client.settings"
local command = require "reverst.command"
local core = require "reverst.core"
local options = require "reverst.config.options"
local origin_messages = require "reverst.client.origin_messages"
local paths = require "reverst.base.paths"
local reverst = require "reverst"
local text = require "reverst.base.text"
local tunnel_messages = require "reverst.client.tunnel_messages"

local http = {
  name = "reverst http",
  rows = options.client,
  most = 1,
  usage = [[
usage: reverst http [FLAGS] ADDRESS

Joins a group of a server, and answers its requests from the HTTP service at
ADDRESS: 8080, localhost:8080, https://127.0.0.1:8443 or unix:/run/app.sock.
A flag wins over its environment variable, that over the default.
Durations: 500ms, 30s, 1m30s, 1h, or a number of seconds.]],
}

local function flag_of(key)
  for _, row in ipairs(options.client) do
    if row.key == key then
      return "--" .. row.flag
    end
  end
end

local function read(list)
  local values, parsed = command.read(http, list)
  if not values then
    return nil, parsed
  end
  local problems = client_settings.contradictions(values, flag_of)
  local origin = parsed.positional[1]
  if not origin then
    table.insert(problems,
      "which service? reverst http [FLAGS] ADDRESS, such as 8080")
  else
    local checked, message = check.value({ type = "origin" }, origin)
    values.origin = checked
    problems[#problems + 1] = message
  end
  if #problems > 0 then
    command.complain(http.name, problems)
    io.stderr:write("Try ", http.name, " --help\n")
    return nil, command.usage
  end
  arguments.add_defaults(http.rows, values)
  return values
end

-- people read these lines; the log's entries are for programs
local function new_teller(level)
  local order = { trace = 1, debug = 2, info = 3, warn = 4, error = 5, off = 6 }
  return function(line_level, message)
    if order[line_level] >= order[level] then
      io.stderr:write(http.name, ": ", message, "\n")
    end
  end
end

local function when(seconds)
  return seconds < 0.05 and "at once" or ("in %.1f s"):format(seconds)
end

-- one tunnel, and what is said about it, and about the service
local function start(values, address, service, tell)
  local settings = client_settings.complete(values, address)
  local messages = tunnel_messages.new(settings, #values.address > 1)

  function settings.on_origin_unreachable(event)
    local message = service:unreachable(event)
    if message then
      tell("warn", message)
    end
  end

  function settings.on_origin_reachable()
    local message = service:reachable()
    if message then
      tell("info", message)
    end
  end

  function settings.on_connected()
    local message = messages:connected()
    if message then
      tell("info", message)
    end
  end

  function settings.on_draining()
    tell("info", messages:draining())
  end

  function settings.on_disconnected(event)
    local message = messages:disconnected(event)
    if values.exit_on_failure then
      tell("error", messages.last)
      core.stop(command.failure)
    elseif message then
      tell("warn", ("%s; next try %s"):format(message, when(event.retry_in)))
    end
  end

  local client, problem = reverst.start_client(settings)
  if client then
    -- it may take long until there is more to say
    tell("info", "dialling " .. address)
  end
  return client, problem
end

local function unreadable_files(values)
  local problems = {}
  for _, key in ipairs { "ca_path", "origin_ca_path", "password_path",
    "token_path" } do
    local _, message = paths.read(values[key] or "/dev/null")
    problems[#problems + 1] = message and flag_of(key) .. ": " .. message
  end
  return problems
end

function http.run(list)
  local values, status = read(list)
  if not values then
    return status
  end
  local problems = unreadable_files(values)
  if #problems > 0 then
    command.complain(http.name, problems)
    return command.failure
  end
  local level = values["log.level"]
  -- below debug, the sentences here say what the entries would
  core.set_log_level((level == "info" or level == "warn") and "error" or level)
  local service = origin_messages.new(values)
  for _, address in ipairs(values.address) do
    local client, message = start(values, address, service, new_teller(level))
    if not client then
      command.complain(http.name, { "cannot start: "
        .. text.printable(message) })
      return command.failure
    end
  end
end

return http
