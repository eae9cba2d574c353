-- Tunnel clients whose bytes a spec writes, in a world: see world_rogue.c.

local rogues = require "spec.world_rogue"

local Rogue = {}
Rogue.__index = function(object, key)
  local method = Rogue[key]
  if method then
    return method
  end
  return function(_, ...)
    return object.c[key](object.c, ...)
  end
end

-- The minimal registration for a group with a short name.
function Rogue.registration(group)
  return "\x83\xa7Version\xcc\x01\xabTunnelGroup" ..
    string.char(0xa0 + #group) .. group .. "\xa8Metadata\xc0"
end

-- A connection to the newest server, whose handshake is done.
function Rogue.new(world, options)
  options = options or {}
  options.address = world.servers[#world.servers]:tunnel_address()
  local rogue = setmetatable({
    world = world, c = rogues.new(world.c, options),
  }, Rogue)
  world.open[rogue] = true
  world:run("a rogue's handshake", function() return rogue:facts().open end)
  return rogue
end

function Rogue:close()
  self.c:close()
  self.world:run("the end of a rogue", function() return self.c:is_closed() end)
end

-- Joins the group; on success the server counts one tunnel more.
function Rogue:register(group)
  local server = self.world.servers[#self.world.servers]
  local tunnels = server:stats().tunnels
  self.registration_stream = self:open(true)
  self:send(self.registration_stream, Rogue.registration(group))
  self.world:run("a rogue's registration", function()
    return server:stats().tunnels > tunnels
  end)
  return self
end

-- The stream of the n-th request that came.
function Rogue:request(n)
  return self.world:run("a request", function()
    return self:facts().requests[n]
  end)
end

return Rogue
