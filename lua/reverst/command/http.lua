-- reverst http ADDRESS: exposes a local HTTP service.

local arguments = require "reverst.arguments"
local check = require "reverst.check"
local command = require "reverst.command"
local core = require "reverst.core"
local options = require "reverst.options"
local reverst = require "reverst"
local text = require "reverst.text"

local http = {
  name = "reverst http",
  rows = options.client,
  most = 1,
  usage = [[
usage: reverst http [FLAGS] ADDRESS

Joins a group of a server, and answers its requests from the HTTP service at
ADDRESS: 8080, localhost:8080, http://127.0.0.1:8080 or unix:/run/app.sock.
A flag wins over its environment variable, that over the default.]],
}

-- what contradicts, or lacks its other half
local function contradictions(values)
  local problems = {}
  if values.username and not values.password then
    table.insert(problems, "--username needs --password")
  elseif values.password and not values.username then
    table.insert(problems, "--password needs --username")
  end
  if values.token and (values.username or values.password) then
    table.insert(problems,
      "--token, or --username with --password: only one of the two")
  end
  if values.insecure and values.ca_path then
    table.insert(problems, "--insecure, or --cacert-path: only one of the two")
  end
  return problems
end

local function read(list)
  local values, parsed = command.read(http, list)
  if not values then
    return nil, parsed
  end
  local problems = contradictions(values)
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
  values.server_name = values.server_name
    or values.address:match "^%[(.*)%]" or values.address:match "^[^:]*"
  values.group = values.group or values.server_name
  return values
end

--- What a refused client should do.
function http.cure_of(reason, settings)
  local group = text.quoted(settings.group)
  if reason == "unauthorized" and settings.username then
    return ("unauthorized: the server rejected user %s for group %s "
      .. "(check --username and --password)"):format(
      text.quoted(settings.username), group)
  elseif reason == "unauthorized" and settings.token then
    return ("unauthorized: the server rejected the token for group %s "
      .. "(check --token)"):format(group)
  elseif reason == "unauthorized" then
    return ("unauthorized: group %s wants credentials (give --username and "
      .. "--password, or --token)"):format(group)
  elseif reason == "not found" then
    return ("not found: the server has no group %s (check --tunnel-group)")
      :format(group)
  end
  return "the server refused: " .. text.printable(reason)
end

local function describe(event, settings)
  if event.refused then
    return http.cure_of(event.reason, settings)
  end
  local message = ("no tunnel to %s: %s"):format(settings.address, event.error)
  if event.reason ~= "" then
    message = ("%s: %s"):format(message, text.printable(event.reason))
  end
  if event.code == "REVERST_ERR_TLS" then
    local flags = settings.ca_path and "--server-name and --cacert-path"
      or "--server-name, or give --cacert-path"
    message = ("%s (server name %s; check %s)"):format(
      message, text.quoted(settings.server_name), flags)
  end
  return message
end

-- people read these lines; the log's entries are for programs
local function new_teller(level)
  local order = { trace = 1, debug = 2, info = 3, warn = 4, error = 5, off = 6 }
  return function(line_level, ...)
    if order[line_level] >= order[level] then
      io.stderr:write(http.name, ": ", string.format(...), "\n")
    end
  end
end

function http.run(list)
  local settings, status = read(list)
  if not settings then
    return status
  end
  local level = settings["log.level"]
  local tell = new_teller(level)
  -- below debug, the sentences here say what the entries would
  core.set_log_level((level == "info" or level == "warn") and "error" or level)

  function settings.on_connected()
    tell("info", "registered at %s in group %s; requests go to %s",
      settings.address, text.quoted(settings.group), settings.origin)
  end

  function settings.on_disconnected(event)
    local message = describe(event, settings)
    if event.retry_in then
      tell("warn", "%s; next try in %.1f s", message, event.retry_in)
    else
      tell("error", "%s", message)
      core.stop(command.failure)
    end
  end

  local client, message = reverst.client(settings)
  if not client then
    command.complain(http.name, { "cannot start: " .. message })
    return command.failure
  end
end

return http
