-- What reverst config.lua runs: told to the control socket, watched, and
-- replaced by what the files say later.

local arguments = require "reverst.config.arguments"
local auth = require "reverst.auth"
local balance = require "reverst.balance"
local config = require "reverst.config"
local control = require "reverst.control"
local core = require "reverst.core"
local json = require "reverst.json"
local log = require "reverst.log"
local options = require "reverst.config.options"
local record = require "reverst.control.record"
local reverst = require "reverst"
local sources = require "reverst.base.sources"
local text = require "reverst.base.text"

local serving = {}

local spread = 30 * 1000000000 -- ns over which tunnels are asked again

local function describe_groups(settings)
  local groups = {}
  for i, group in ipairs(settings.groups) do
    groups[i] = { name = group.name, hosts = group.hosts,
      authenticate = auth.kind_of(group.authenticate),
      balance = balance.kind_of(group.balance) }
  end
  return groups
end

local function tell_control(server, settings, path)
  control.set_running { server = server, path = path,
    groups = describe_groups(settings) }
end

-- what a change of is a reason to reload
local function watched_paths(settings, files)
  local watched = {}
  for i, file in ipairs(files) do
    watched[i] = file.path
  end
  if settings then
    table.insert(watched, settings.tunnel.certificate_path)
    table.insert(watched, settings.tunnel.private_key_path)
  end
  return watched
end

local function watch(settings, files)
  if settings.watch then
    return core.watch(watched_paths(settings, files))
  end
  return core.watch(nil)
end

--- To be called once the server has started.  Opens the control socket.
---@param server table
---@param settings table as config.load gives them
---@param path string|nil of config.lua
---@return boolean|nil done
---@return string|nil message
function serving.begin(server, settings, path)
  local files = sources.take()
  server:set_record(json.encode(record.of(settings, files)))
  tell_control(server, settings, path)
  local done, message = true, nil
  if settings.control then
    done, message = core.open_control((settings.control:gsub("^unix:", "")))
  end
  if done then
    done, message = watch(settings, files)
  end
  return done, message
end

-- the file at fault, by the error's name
local keys = {
  REVERST_ERR_CERTIFICATE = "tunnel.certificate_path",
  REVERST_ERR_PRIVATE_KEY = "tunnel.private_key_path",
  REVERST_ERR_SECRET = "secret_path",
}

-- who reads it looks where he wrote it: the option, or its flag or variable
local function blame(settings, message, code)
  local key = keys[code]
  local place = key and options.get(settings, key)
    and (settings.places and settings.places[key] or key)
  return (place and place .. ": " or "") .. text.printable(message)
end

--- Would a server start with these settings, as far as can be told without
--- opening anything.
---@param settings table as config.load gives them
---@return true|nil
---@return string|nil message with the option, its file and the reason
function serving.check(settings)
  local ok, message, code = core.check_server(settings)
  return ok, not ok and blame(settings, message, code) or nil
end

--- Starts a server.
---@param settings table as config.load gives them
---@return table|nil server
---@return string|nil message with the option, its file and the reason
function serving.start(settings)
  local server, message, code = reverst.start_server(settings)
  return server, not server and blame(settings, message, code) or nil
end

-- What may fail comes first, and is undone when the rest cannot be done.
local function apply(server, settings, before, now)
  local moves = now.options["http.address"] ~= before.options["http.address"]
  local addresses_before = server:http_addresses()
  local ok, message
  if moves then
    ok, message = server:set_http_addresses(settings.http.address)
    if not ok then
      return nil, { ("http.address: %s: %s"):format(
        table.concat(settings.http.address, ", "), message) }
    end
  end
  ok, message = reverst.set_routing(server, settings)
  if not ok then
    if moves then
      server:set_http_addresses(addresses_before)
    end
    return nil, { message }
  end
  server:set_drain_timeout(settings.drain_timeout)
  core.set_log_level(settings.log.level)
  core.set_log_format(settings.log.format)
  server:set_log_level()
  -- it was looked at just before; if it is another by now, the log says so
  server:set_certificate(settings.tunnel.certificate_path,
    settings.tunnel.private_key_path)
  return true
end

local function reauthenticate(server, names, now)
  local asked = {}
  for _, name in ipairs(names) do
    if server:reauthenticate(name, spread)
      and now.groups[name].reauthenticate ~= "false" then
      table.insert(asked, name)
    end
  end
  return asked
end

-- settings, the path of config.lua and what was read for them; or nil, all that
-- is wrong, and what was read
local function read(list)
  local parsed = assert(arguments.parse(options.server, list))
  local values, problems = arguments.values(options.server, parsed)
  if #problems > 0 then
    return nil, problems, {}
  end
  local path = parsed.positional[1]
  local settings
  settings, problems = config.load(path, values)
  local files = sources.take()
  if not settings then
    return nil, problems, files
  end
  settings.places = parsed.places
  return settings, path, files
end

-- the server goes on as it was; a file that was read may be mended now
local function keep_watching(files)
  if core.is_watching() then
    core.watch(watched_paths(nil, files), true)
  end
end

local function log_groups(settings)
  for _, group in ipairs(describe_groups(settings)) do
    group.hosts = table.concat(group.hosts, ",")
    group.group, group.name = group.name, nil
    log.debug("serving", group)
  end
end

--- For a reload, see reverst.control.reload.
---@param list string[] the arguments
---@return table|nil result
---@return string[]|nil problems
function serving.reload(list)
  local settings, path, files = read(list)
  local ok, problems = settings, path
  if settings then
    local message
    ok, message = serving.check(settings)
    problems = { message }
  end
  if not ok then
    keep_watching(files)
    return nil, problems
  end
  local server = core.adopt "reverst.server"
  if not server then
    return nil, { "the server has ended" }
  end
  local before = json.decode(server:record())
  local now = record.of(settings, files)
  local changed, restart, asked_again = record.compare(before, now)
  local known = json.encode(now)
  tell_control(server, settings, path)
  ok, problems = apply(server, settings, before, now)
  if not ok then
    keep_watching(files)
    return nil, problems
  end
  -- from here on there is no way back: what matters most comes first
  server:set_record(known)
  local reauthenticated = reauthenticate(server, asked_again, now)
  log_groups(settings)
  local message
  ok, message = watch(settings, files)
  if not ok then
    log.error("watch_failed", { error = message })
  end
  return { changed = changed, restart = restart,
    reauthenticate = reauthenticated }
end

return serving
