-- reverst check config.lua: says what would be served, or all that is wrong.

local auth = require "reverst.auth"
local balance = require "reverst.balance"
local command = require "reverst.command"
local core = require "reverst.core"
local options = require "reverst.config.options"
local serve = require "reverst.command.serve"
local serving = require "reverst.control.serving"
local text = require "reverst.base.text"

local check = {
  name = "reverst check",
  rows = options.server,
  most = 1,
  usage = [[
usage: reverst check [FLAGS] [config.lua]

Reads what reverst would read with the same flags and environment, the
certificate too, and says what it would serve; or all mistakes, with status 1.
It opens no address.]],
}

local function say(...)
  io.stdout:write(string.format(...), "\n")
end

local function describe_group(group)
  say("  group %s", text.quoted(group.name))
  say("    hosts         %s", table.concat(group.hosts, ", "))
  say("    authenticate  %s", auth.kind_of(group.authenticate))
  say("    balance       %s", balance.kind_of(group.balance))
  local hooks = {}
  for _, row in ipairs(options.group) do
    if row.type == "hook" and group[row.key] then
      hooks[#hooks + 1] = row.key
    end
  end
  if #hooks > 0 then
    say("    hooks         %s", table.concat(hooks, ", "))
  end
end

local function describe(settings, path)
  local source = path or settings.groups_path
  say("%s: good. It would serve:", text.printable(source))
  say("  tunnels   %s (QUIC), as %s", settings.tunnel.address,
    settings.tunnel.server_name)
  for _, address in ipairs(settings.http.address) do
    say("  visitors  %s (HTTP)", text.printable(address))
  end
  if path and settings.groups_path then
    say("  groups of %s, which replace those of %s",
      text.printable(settings.groups_path), text.printable(path))
  end
  if settings.route then
    say("  route     a function; else by host")
  end
  if settings.control then
    say("  control   %s", text.printable(settings.control))
  end
  for _, group in ipairs(settings.groups) do
    describe_group(group)
  end
end

function check.run(list)
  local settings, path = serve.load(check, list)
  if not settings then
    return path
  end
  -- what is no mistake, but will hardly do
  core.set_log_level "warn"
  local ok, message = serving.check(settings)
  if not ok then
    command.complain(check.name, { message })
    return command.failure
  end
  describe(settings, path)
  return command.success
end

return check
