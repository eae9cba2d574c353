-- reverst status: what a server is doing.

local control_client = require "reverst.command.control_client"
local text = require "reverst.base.text"

local status = {
  name = "reverst status",
  usage = [[
usage: reverst status [--control unix:PATH | config.lua]

Shows what a server serves, and which tunnels it has.]],
}

local function say(...)
  print(text.printable(string.format(...)))
end

-- "3 d 4 h", "4 h 5 min", "5 min", "12 s"
local function duration(seconds)
  local days, hours = seconds // 86400, seconds // 3600 % 24
  local minutes = seconds // 60 % 60
  if days > 0 then
    return ("%d d %d h"):format(days, hours)
  elseif hours > 0 then
    return ("%d h %d min"):format(hours, minutes)
  elseif minutes > 0 then
    return ("%d min"):format(minutes)
  end
  return ("%d s"):format(seconds)
end

local function show_tunnel(tunnel)
  local parts = { ("#%d"):format(tunnel.id) }
  parts[#parts + 1] = tunnel.name ~= "" and tunnel.name or nil
  parts[#parts + 1] = tunnel.peer
  parts[#parts + 1] = ("up %s"):format(duration(math.max(0,
    os.time() - tunnel.registered_at // 1)))
  parts[#parts + 1] = ("%d of %d requests under way"):format(tunnel.active,
    tunnel.requests)
  if tunnel.latency then
    parts[#parts + 1] = ("%.1f ms"):format(tunnel.latency * 1000)
  end
  if tunnel.weight ~= 1 then
    parts[#parts + 1] = ("weight %d"):format(tunnel.weight)
  end
  for _, label in ipairs(text.sorted_keys(tunnel.labels)) do
    parts[#parts + 1] = ("%s=%s"):format(label, tunnel.labels[label])
  end
  if not tunnel.eligible then
    parts[#parts + 1] = "gets no requests now"
  end
  say("    %s", table.concat(parts, ", "))
end

local function show_group(group)
  if group.removed then
    say("group %s: removed, %d tunnels finish what they have",
      text.quoted(group.name), #group.tunnels)
  else
    say("group %s: %s; authenticate %s, balance %s, %d tunnels",
      text.quoted(group.name), table.concat(group.hosts, ", "),
      group.authenticate, group.balance, #group.tunnels)
  end
  for _, tunnel in ipairs(group.tunnels) do
    show_tunnel(tunnel)
  end
end

local function show_reload(reload)
  local at = os.date("%Y-%m-%d %H:%M:%S", reload.at)
  if not reload.answer then
    return
  elseif reload.answer.ok then
    say("last reload at %s: good", at)
  else
    say("last reload at %s failed: %s", at, reload.answer.problems[1])
  end
end

function status.show(result)
  say("reverst %s, %s for %s%s", result.version, result.state,
    duration(result.uptime), result.config and ", " .. result.config or "")
  for _, listener in ipairs(result.listeners) do
    say("%s at %s (%s)", listener["for"], listener.address, listener.transport)
  end
  for _, group in ipairs(result.groups) do
    show_group(group)
  end
  if result.memory.resident then
    say("memory %.1f MiB, Lua %.1f MiB", result.memory.resident / 2 ^ 20,
      (result.memory.lua + result.memory.retired_lua) / 2 ^ 20)
  end
  if result.last_reload then
    show_reload(result.last_reload)
  end
end

function status.run(list)
  return control_client.run(status, "status", list)
end

return status
