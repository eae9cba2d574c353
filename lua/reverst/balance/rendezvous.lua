-- Rendezvous hashing: each tunnel draws a number for a key, and the highest one
-- gets it.  When a tunnel goes, only its own keys move; when one comes, it takes
-- an equal share from each of the others.  Each choice looks at every tunnel.

local rendezvous = {}

-- the bytes of a key that count
local MAX_KEY = 1024

local log, unpack = math.log, string.unpack

-- each bit of the result depends on each bit given (splitmix64's last steps)
local function mix(bits)
  bits = (bits ~ bits >> 30) * 0xbf58476d1ce4e5b9
  bits = (bits ~ bits >> 27) * 0x94d049bb133111eb
  return bits ~ bits >> 31
end

local rest_formats = {}
for length = 1, 7 do
  rest_formats[length] = "<I" .. length
end

--- 64 bits for a text, the same in every process.
---@param text string
---@return integer
function rendezvous.hash(text)
  local length = #text
  local bits = mix(length + 0x9e3779b97f4a7c15)
  length = length < MAX_KEY and length or MAX_KEY
  for i = 1, length - 7, 8 do
    bits = mix(bits ~ unpack("<i8", text, i))
  end
  local rest = length % 8
  if rest > 0 then
    bits = mix(bits ~ unpack(rest_formats[rest], text, length - rest + 1))
  end
  return bits
end

--- What a tunnel is known by: its name, by which it is known again after it was
--- away; else what no other tunnel ever has.
---@param tunnel reverst.Tunnel
---@return string
function rendezvous.identity(tunnel)
  local name = tunnel.name
  if name and name ~= "" then
    return "n" .. name
  end
  return ("i%s:%s"):format(tunnel.id, tunnel.registered_at)
end

-- of tunnels that are there
local hashes = setmetatable({}, { __mode = "k" })

local function hash_of(tunnel)
  local bits = rendezvous.hash(rendezvous.identity(tunnel))
  hashes[tunnel] = bits
  return bits
end

-- Several may have one name, and so draw the same number.
local function is_before(key_bits, tunnel, other)
  return mix(key_bits ~ mix(tunnel.id)) > mix(key_bits ~ mix(other.id))
end

--- The tunnel that a key belongs to; nil when there is none.
---@param tunnels reverst.Tunnel[]
---@param key string
---@return reverst.Tunnel|nil
function rendezvous.choose(tunnels, key)
  local key_bits = rendezvous.hash(key)
  local best, highest
  for i = 1, #tunnels do
    local tunnel = tunnels[i]
    local bits = key_bits ~ (hashes[tunnel] or hash_of(tunnel))
    -- mix, written out: this is what each request waits for
    bits = (bits ~ bits >> 30) * 0xbf58476d1ce4e5b9
    bits = (bits ~ bits >> 27) * 0x94d049bb133111eb
    bits = (bits ~ bits >> 31) >> 1
    if not best or bits > highest
      or bits == highest and is_before(key_bits, tunnel, best) then
      best, highest = tunnel, bits
    end
  end
  return best
end

--- The same with shares in proportion to the weights as they are now; a change
--- of one moves no more keys than it must.
---@param tunnels reverst.Tunnel[]
---@param key string
---@return reverst.Tunnel|nil
function rendezvous.choose_weighted(tunnels, key)
  local key_bits = rendezvous.hash(key)
  local best, highest
  for i = 1, #tunnels do
    local tunnel = tunnels[i]
    local bits = mix(key_bits ~ (hashes[tunnel] or hash_of(tunnel)))
    -- between 0 and 1, neither of which it ever is
    local part = ((bits >> 12) + 0.5) / 0x10000000000000
    local score = -tunnel.weight / log(part)
    if not best or score > highest
      or score == highest and is_before(key_bits, tunnel, best) then
      best, highest = tunnel, score
    end
  end
  return best
end

return rendezvous
