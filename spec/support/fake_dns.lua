-- A name server on loopback, on the same loop as who asks it.
--
--   local server = fake_dns.open(loop, { ["a.example"] = { "192.0.2.1", "::1" } })
--   server:poll()      answers what has come
--   server.asked       how many questions have come
--
-- A name that is not in the table does not exist; `false` is never answered.

local udp = require "spec.udp"

local A, AAAA, NAME_ERROR = 1, 28, 3

local fake_dns = {}
fake_dns.__index = fake_dns

local function read_name(message, at)
  local labels = {}
  while message:byte(at) > 0 do
    local label
    label, at = string.unpack("s1", message, at)
    labels[#labels + 1] = label
  end
  return table.concat(labels, "."):lower(), at + 1
end

local function bytes_of_v4(text)
  local bytes = {}
  for number in text:gmatch "%d+" do
    bytes[#bytes + 1] = string.char(number)
  end
  return table.concat(bytes)
end

-- only "a:b:c::d" with at most one gap
local function bytes_of_v6(text)
  local function groups(part)
    local bytes = {}
    for group in part:gmatch "%x+" do
      bytes[#bytes + 1] = string.pack(">I2", tonumber(group, 16))
    end
    return table.concat(bytes)
  end
  local head, tail = text:match "^(.-)::(.*)$"
  if not head then
    return groups(text)
  end
  head, tail = groups(head), groups(tail)
  return head .. string.rep("\0", 16 - #head - #tail) .. tail
end

local function records(addresses, kind)
  local list = {}
  for _, address in ipairs(addresses) do
    local is_v6 = address:find ":" ~= nil
    if is_v6 == (kind == AAAA) then
      local data = is_v6 and bytes_of_v6(address) or bytes_of_v4(address)
      list[#list + 1] = string.pack(">I2I2I2I4s2", 0xc00c, kind, 1, 1, data)
    end
  end
  return list
end

local function answer(self, message)
  local id = string.unpack(">I2", message)
  local name, after = read_name(message, 13)
  local kind = string.unpack(">I2", message, after)
  local addresses = self.names[name]
  if addresses == false or (kind ~= A and kind ~= AAAA) then
    return nil
  end
  local found = records(addresses or {}, kind)
  local flags = 0x8180 | (addresses and 0 or NAME_ERROR)
  return string.pack(">I2I2I2I2I2I2", id, flags, 1, #found, 0, 0) ..
    message:sub(13, after + 3) .. table.concat(found)
end

function fake_dns:poll()
  local received = self.socket:received()
  while self.asked < #received do
    self.asked = self.asked + 1
    local question = received[self.asked]
    local reply = answer(self, question.data)
    if reply then
      self.socket:send(question.remote, reply)
    end
  end
end

function fake_dns:address()
  return self.socket:address()
end

function fake_dns:close()
  self.socket:close()
end

function fake_dns.open(loop, names)
  return setmetatable({
    socket = assert(udp.open(loop, "127.0.0.1:0")), names = names, asked = 0,
  }, fake_dns)
end

return fake_dns
