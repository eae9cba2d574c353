-- Scenes on the simulated network: a server that echoes, and a client.

local new_folder = require "new_folder"
local quic = require "spec.quic"
local simnet = require "spec.simnet"
local tls = require "spec.tls"

local scene = {}
local ms, second = simnet.millisecond, simnet.second
local folder

-- Certificates are made once; `names` gives the files of one by its host name.
function scene.certificate(name)
  if not folder then
    folder = new_folder()
  end
  local base = folder .. "/" .. name:gsub("[^%w.]", "_")
  if not io.open(base .. ".crt") then
    assert(tls.make_certificate(name, base .. ".crt", base .. ".key"))
  end
  return { certificate = base .. ".crt", key = base .. ".key" }
end

function scene.clean()
  if folder then
    os.execute("rm -r " .. folder)
    folder = nil
  end
end

local methods = {}
methods.__index = methods

-- options: seed, link, server and client and connect (tables)
function scene.new(options)
  options = options or {}
  local files = scene.certificate "localhost"
  local world = quic.world(options.seed or 1)
  world:link(options.link or { delay = 10 * ms })
  local server = { certificate = files.certificate, key = files.key,
    echo = true }
  for key, value in pairs(options.server or {}) do
    server[key] = value
  end
  local connect = { ca = files.certificate, name = "localhost", echo = true }
  for key, value in pairs(options.connect or {}) do
    connect[key] = value
  end
  local self = setmetatable({ world = world }, methods)
  self.server = assert(world:server(server))
  self.client = assert(world:client(options.client or {}))
  self.peer = assert(world:connect(self.client, self.server, connect))
  return self
end

-- The server's side of the client's connection. (A late copy of a first
-- packet can make the server accept twice; then only one completes.)
function methods:other()
  local peers = self.world:peers(self.server)
  for _, peer in ipairs(peers) do
    if self.world:peer(peer).handshake then
      return peer
    end
  end
  return peers[1]
end

function methods:until_handshake(limit)
  return self.world:run_until(limit or 20 * second, function()
    local peer = self.world:peer(self.peer)
    local other = self:other()
    return peer.closed or
      (peer.handshake and other and self.world:peer(other).handshake)
  end) and self.world:peer(self.peer).handshake
end

function methods:until_closed(peer, limit)
  self.world:run_until(limit or 20 * second, function()
    return self.world:peer(peer).closed
  end)
  return self.world:peer(peer).closed
end

-- Opens a stream and waits until its echo came whole.
function methods:echo(peer, bytes, limit)
  local id = assert(self.world:open(peer, bytes))
  local done = self.world:run_until(limit or 300 * second, function()
    return self.world:flow(peer, id).closed or self.world:peer(peer).closed
  end)
  local flow = self.world:flow(peer, id)
  return done and flow.received == bytes and flow.fin_received and flow.intact
    and flow.acknowledged == bytes
end

-- Ends everything; nothing may be left over.
function methods:free()
  local left = self.world:free()
  if left ~= 0 then
    error(left .. " objects were left over")
  end
end

return scene
