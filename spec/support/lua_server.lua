-- A server in a world whose groups, policies and hooks are written in Lua: by the
-- very code that reads a config.lua. What it is started with runs in a Lua state
-- of its own; call() runs more there.

local core = require "spec.world_script"

local Server = {}
Server.__index = Server

local start = [[
  reverst, auth, balance = require "reverst", require "reverst.auth",
    require "reverst.balance"
  local certificate_path, private_key_path, code = ...
  local settings = assert(load(code, "=config.lua"))()
  local tunnel = settings.tunnel or {}
  tunnel.address, tunnel.server_name = "127.0.0.1:0", "tunnel.test"
  tunnel.certificate_path = certificate_path
  tunnel.private_key_path = private_key_path
  settings.tunnel = tunnel
  settings.http = { address = "127.0.0.1:0" }
  server = assert(reverst.server(settings))
]]

-- Lua code that returns what a config.lua does, without addresses.
---@param world table
---@param code string
local function new(world, code)
  local server = setmetatable({ kind = "server", log = {} }, Server)
  server.c = core.new(world.c, { on_log = function(_, entry)
    table.insert(server.log, entry)
  end })
  local certificate = world.certificate()
  local ok, message = pcall(server.c.call, server.c, start,
    certificate.certificate, certificate.private_key, code)
  if not ok then
    server.c:stop(false)
    server.c:is_closed()
    error(message, 2)
  end
  table.insert(world.servers, server)
  return server
end

--- Runs code in its state; gives what it returns.
function Server:call(code, ...)
  return self.c:call(code, ...)
end

function Server:tunnel_address()
  return self.c:call "return server:tunnel_address()"
end

function Server:http_address()
  return self.c:call "return server:http_address()"
end

--- All zero when it has been closed.
function Server:stats()
  local names = { "exchanges", "live_objects", "connections", "tunnels",
    "pending_registrations", "requests" }
  local counts = { self.c:call("local s = server:stats() or {} return s."
    .. table.concat(names, ", s.")) }
  local stats = {}
  for i, name in ipairs(names) do
    stats[name] = counts[i] or 0
  end
  return stats
end

--- Bytes that its state holds when all garbage is gone.
function Server:memory()
  self.c:call "collectgarbage() collectgarbage()"
  return self.c:memory()
end

--- The newest log entry of that event, or nil.
function Server:logged(event)
  for i = #self.log, 1, -1 do
    if self.log[i].event == event then
      return self.log[i]
    end
  end
end

--- Calls a policy many times, see world_script.c; seconds of CPU time.
function Server:choose(count, same)
  return self.c:choose(count, same)
end

function Server:drain()
  self.draining = true
  self.c:stop(true)
end

function Server:close()
  self.c:stop(false)
end

function Server:is_closed()
  return self.c:is_closed()
end

return { new = new }
