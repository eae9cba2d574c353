-- What the control socket's commands do.  A command is { command = "status" },
-- an answer { ok = true, ... } or { ok = false, error = ... }.

local core = require "reverst.core"
local json = require "reverst.json"
local text = require "reverst.base.text"

local control = {}

local running -- what serve runs; nil: nothing yet

--- What there is to tell of from now on.
---@param what { server: table, path: string|nil, groups: table[] }
function control.set_running(what)
  running = what
end

-- bytes of memory that the process has, as the system sees it
local function resident_memory()
  local file = io.open("/proc/self/status", "rb")
  if not file then
    return
  end
  local kilobytes = file:read "a":match "VmRSS:%s*(%d+) kB"
  file:close()
  return kilobytes and math.tointeger(kilobytes) * 1024
end

local function describe_groups()
  local tunnels = running.server:tunnels() or {}
  local groups, by_name = {}, {}
  for _, group in ipairs(running.groups) do
    by_name[group.name] = { name = group.name, hosts = group.hosts,
      authenticate = group.authenticate, balance = group.balance, tunnels = json.list {} }
    table.insert(groups, by_name[group.name])
  end
  for _, tunnel in ipairs(tunnels) do
    if not by_name[tunnel.group] then
      -- it was taken out of the configuration, and drains
      by_name[tunnel.group] = { name = tunnel.group, removed = true, tunnels = json.list {} }
      table.insert(groups, by_name[tunnel.group])
    end
    table.insert(by_name[tunnel.group].tunnels, tunnel)
    tunnel.group = nil
  end
  return groups
end

local function describe_listeners(server)
  local listeners = { { ["for"] = "tunnels", transport = "quic",
    address = server:tunnel_address() } }
  for _, address in ipairs(server:http_addresses() or {}) do
    table.insert(listeners, { ["for"] = "visitors", transport = "http",
      address = address })
  end
  return listeners
end

local commands = {}

function commands.reload()
  return nil, "reload"
end

function commands.drain()
  return { ok = true }, "drain"
end

function commands.stats()
  local stats = running.server:stats()
  if not stats then
    return { ok = false, error = "the server has ended" }
  end
  stats.ok = true
  return stats
end

function commands.status()
  local history = core.history()
  local server = running.server
  return {
    ok = true,
    version = core.version,
    uptime = os.time() - history.started_at,
    state = history.is_draining and "draining" or "running",
    config = running.path,
    listeners = describe_listeners(server),
    groups = describe_groups(),
    memory = { resident = resident_memory(), lua = history.lua_memory,
      retired_states = history.retired, retired_lua = history.retired_memory },
    reloads = history.reloads,
    last_reload = history.last_reload and {
      at = history.reloaded_at,
      answer = json.decode(history.last_reload),
    },
  }
end

local function refuse(message, ...)
  return json.encode { ok = false, error = message:format(...),
    commands = text.sorted_keys(commands) }
end

--- The answer to a line, and what is to be done after it.
---@param line string
---@return string|nil
---@return "reload"|"drain"|nil wanted
function control.answer(line)
  local request = json.decode(line)
  if type(request) ~= "table" then
    return refuse 'expected an object of JSON, such as {"command":"status"}'
  elseif type(request.command) ~= "string" then
    return refuse "the command is missing"
  elseif not commands[request.command] then
    return refuse("unknown command %s%s", text.quoted(request.command),
      text.suggestion(request.command, text.sorted_keys(commands)))
  elseif not running then
    return refuse "the server has not started yet"
  end
  local result, wanted = commands[request.command]()
  return result and json.encode(result), wanted
end

return control
