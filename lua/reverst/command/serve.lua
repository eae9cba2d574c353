-- reverst config.lua: runs a server.

local auth = require "reverst.auth"
local command = require "reverst.command"
local config = require "reverst.config"
local core = require "reverst.core"
local log = require "reverst.log"
local options = require "reverst.options"
local paths = require "reverst.paths"
local reverst = require "reverst"
local text = require "reverst.text"

local serve = {
  name = "reverst",
  rows = options.server,
  most = 1,
  usage = [[
usage: reverst [FLAGS] config.lua

Serves: takes tunnels, and sends visitors' requests through them.  A flag wins
over its environment variable, that over config.lua, that over the default.
Durations: 500ms, 30s, 1m30s, 1h, or a number of seconds.
Other commands: reverst http --help, reverst certificate --help.]],
}

local other_commands = { "http", "certificate" }

local function log_start(server, settings)
  log.info("listening", { ["for"] = "tunnels", transport = "quic",
    address = server:tunnel_address(),
    server_name = settings.tunnel.server_name })
  log.info("listening", { ["for"] = "visitors", transport = "http",
    address = server:http_address() })
  for _, group in ipairs(settings.groups) do
    log.info("serving", { group = group.name, balance = group.balance,
      hosts = table.concat(group.hosts, ","),
      authenticate = auth.kind_of(group.authenticate) })
  end
end

local function load_settings(path, values)
  local settings, problems = config.load(path, values)
  if not settings then
    command.complain(serve.name, problems)
    local nearest = not paths.read(path)
      and text.nearest(path, other_commands)
    if nearest then
      command.complain(serve.name, { "did you mean: reverst " .. nearest })
    end
  end
  return settings
end

function serve.run(list)
  local values, parsed = command.read(serve, list)
  if not values then
    return parsed
  end
  local path = parsed.positional[1]
  if not path then
    command.complain(serve.name, { "which file? reverst [FLAGS] config.lua" })
    return command.usage
  end
  local settings = load_settings(path, values)
  if not settings then
    return command.failure
  end
  core.set_log_level(settings.log.level)
  local server, message = reverst.start_server(settings)
  if not server then
    command.complain(serve.name, { "cannot start: " .. message })
    return command.failure
  end
  log_start(server, settings)
end

return serve
