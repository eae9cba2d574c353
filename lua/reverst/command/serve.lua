-- reverst config.lua: runs a server.

local auth = require "reverst.auth"
local balance = require "reverst.balance"
local command = require "reverst.command"
local config = require "reverst.config"
local core = require "reverst.core"
local log = require "reverst.log"
local options = require "reverst.config.options"
local paths = require "reverst.base.paths"
local serving = require "reverst.control.serving"
local text = require "reverst.base.text"

local serve = {
  name = "reverst",
  rows = options.server,
  most = 1,
  usage = [[
usage: reverst [FLAGS] [config.lua]

Serves: takes tunnels, and sends visitors' requests through them.  A flag wins
over its environment variable, that over config.lua, that over the default.
Without config.lua, --tunnel-groups gives the groups.
Durations: 500ms, 30s, 1m30s, 1h, or a number of seconds.
Other commands, each with --help: check, http, certificate, reload, status,
stats, drain, run, test, import.]],
}

local other_commands = { "check", "http", "certificate", "run",
  "test", "import", "reload", "status", "stats", "drain" }

local function log_start(server, settings)
  if settings.control then
    log.info("listening", { ["for"] = "commands", transport = "json",
      address = settings.control })
  end
  log.info("listening", { ["for"] = "tunnels", transport = "quic",
    address = server:tunnel_address(),
    server_name = settings.tunnel.server_name })
  for _, address in ipairs(server:http_addresses()) do
    log.info("listening", { ["for"] = "visitors", transport = "http",
      address = address })
  end
  for _, group in ipairs(settings.groups) do
    log.info("serving", { group = group.name,
      balance = balance.kind_of(group.balance),
      hosts = table.concat(group.hosts, ","),
      authenticate = auth.kind_of(group.authenticate) })
  end
end

-- what is no file may have been meant as a command
local function suggest_command(self, word)
  local nearest = text.nearest(word, other_commands)
  if nearest then
    command.complain(self.name, { "did you mean: reverst " .. nearest })
  elseif word:match "^%a+$" then
    command.complain(self.name, { "nor is it a command: there are "
      .. table.concat(other_commands, ", ") })
  end
end

--- Reads the command line and all that it names, for reverst and reverst check.
--- Gives the settings and the path of config.lua; or nil and the exit status,
--- after everything was said.
---@param self table as for command.read
---@param list string[]
function serve.load(self, list)
  local values, parsed, given = command.read(self, list)
  if not values then
    if given and given[1] and not paths.read(given[1]) then
      suggest_command(self, given[1])
    end
    return nil, parsed
  end
  local path = parsed.positional[1]
  if not path and not values.groups_path then
    command.complain(self.name, { "which file? " .. self.name
      .. " [FLAGS] config.lua, or --tunnel-groups with flags for the rest" })
    return nil, command.usage
  end
  local settings, problems = config.load(path, values)
  if settings then
    settings.places = parsed.places
    return settings, path
  end
  command.complain(self.name, problems)
  if path and not paths.read(path) then
    suggest_command(self, path)
  end
  return nil, command.failure
end

function serve.run(list)
  local settings, path = serve.load(serve, list)
  if not settings then
    return path
  end
  core.set_log_level(settings.log.level)
  core.set_log_format(settings.log.format)
  if path and settings.groups_path then
    log.info("groups_replaced", { by = settings.groups_path, of = path })
  end
  local server, message = serving.start(settings)
  if not server then
    command.complain(serve.name, { "cannot start: " .. message })
    return command.failure
  end
  local ok
  ok, message = serving.begin(server, settings, path)
  if not ok then
    command.complain(serve.name, { "cannot start: " .. message })
    return command.failure
  end
  log_start(server, settings)
end

--- The same arguments once more, while a server runs; see reverst.control.reload.
function serve.reload(list)
  return serving.reload(list)
end

return serve
