-- SPDX-License-Identifier: MIT
-- Scenes on the simulated network: a server, clients with tunnels, visitors.
local scene = require "quic_scene"
local simnet = require "spec.simnet"
local simtunnel = require "spec.simtunnel"

local ms, second = simnet.millisecond, simnet.second

local M = { clean = scene.clean }

-- A world; options as in spec.simtunnel, and `link`.
function M.world(options)
  local files = scene.certificate "localhost"
  local all = { seed = 1, certificate = files.certificate, key = files.key }
  for key, value in pairs(options or {}) do
    all[key] = value
  end
  local world = simtunnel.world(all)
  world:link(all.link or { delay = 10 * ms })
  return world
end

-- Ends the world, and fails when a promise was broken in it.
function M.free(world)
  local fault = world:free()
  if fault then
    error(fault, 0)
  end
end

-- Runs until the tunnel is registered, or has closed: is it registered?
function M.register(world, tunnel, limit)
  world:run_until(limit or 60 * second, function()
    local state = world:tunnel(tunnel)
    return state.registered or state.closed
  end)
  return world:tunnel(tunnel).registered
end

-- A new client with a registered tunnel: both numbers.
function M.connect(world, options)
  local client = world:client()
  local tunnel = world:dial(client, options or {})
  if not M.register(world, tunnel) then
    error("the tunnel was not registered", 2)
  end
  return client, tunnel
end

-- Runs until the tunnel has closed: how it did.
function M.closing(world, tunnel, limit)
  world:run_until(limit or 120 * second, function()
    return world:tunnel(tunnel).closed
  end)
  return world:tunnel(tunnel).closed
end

-- One request from begin to end: its result.
function M.request(world, plan, limit)
  local visit = world:visit(plan)
  world:run_until(limit or 120 * second, function()
    return world:result(visit).outcome ~= "running"
  end)
  return world:result(visit)
end

return M
