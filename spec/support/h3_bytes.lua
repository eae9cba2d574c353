-- HTTP/3 bytes for specs, written without the code under test (QPACK aside).

local assert = require "luassert"
local h3 = require "spec.h3"

local M = {}

M.DATA, M.HEADERS, M.CANCEL_PUSH, M.SETTINGS = 0, 1, 3, 4
M.PUSH_PROMISE, M.GOAWAY, M.MAX_PUSH_ID = 5, 7, 13
M.PRIORITY_UPDATE = 0xf0700

function M.varint(n)
  if n < 64 then
    return string.pack(">I1", n)
  elseif n < 16384 then
    return string.pack(">I2", n | 0x4000)
  elseif n < 1 << 30 then
    return string.pack(">I4", n | 0x80000000)
  end
  return string.pack(">I8", n | 0xc000000000000000)
end

function M.frame(type, payload)
  return M.varint(type) .. M.varint(#payload) .. payload
end

function M.headers(fields)
  return M.frame(M.HEADERS, h3.encode(fields))
end

function M.data(bytes)
  return M.frame(M.DATA, bytes)
end

-- a request head, with more fields behind or instead
function M.request(more, pseudo)
  local fields = pseudo or {
    { ":method", "GET" }, { ":scheme", "https" },
    { ":authority", "app.example.com" }, { ":path", "/pong" },
  }
  local all = { table.unpack(fields) }
  for _, field in ipairs(more or {}) do
    all[#all + 1] = field
  end
  return M.headers(all)
end

function M.response(more, status)
  local all = { { ":status", tostring(status or 200) } }
  for _, field in ipairs(more or {}) do
    all[#all + 1] = field
  end
  return M.headers(all)
end

function M.settings(...)
  local payload = ""
  for _, n in ipairs { ... } do
    payload = payload .. M.varint(n)
  end
  return M.frame(M.SETTINGS, payload)
end

-- control stream with SETTINGS and what follows
function M.control(rest)
  return "\0" .. M.settings() .. (rest or "")
end

local function read_varint(bytes, at)
  local first = bytes:byte(at)
  local size = 1 << (first >> 6)
  local n = first & 0x3f
  for i = 1, size - 1 do
    n = n << 8 | bytes:byte(at + i)
  end
  return n, at + size
end

-- all whole frames: { { type, payload }, ... }, and what is left
function M.frames(bytes, at)
  local found = {}
  at = at or 1
  while at <= #bytes do
    local type, length, start
    type, start = read_varint(bytes, at)
    length, start = read_varint(bytes, start)
    found[#found + 1] = { type, bytes:sub(start, start + length - 1) }
    at = start + length
  end
  return found
end

-- body bytes of all DATA frames
function M.body(bytes)
  local parts = {}
  for _, frame in ipairs(M.frames(bytes)) do
    if frame[1] == M.DATA then
      parts[#parts + 1] = frame[2]
    end
  end
  return table.concat(parts)
end

M.get = {
  method = "GET", scheme = "https", authority = "app.example.com",
  path = "/pong", no_body = true,
}

M.post = {
  method = "POST", scheme = "https", authority = "app.example.com",
  path = "/upload",
}

function M.with(base, more)
  local all = {}
  for key, value in pairs(base) do
    all[key] = value
  end
  for key, value in pairs(more) do
    all[key] = value
  end
  return all
end

-- a world that must end with no live object
function M.world(options)
  local world = h3.world(options or {})
  M.worlds[#M.worlds + 1] = world
  return world
end

M.worlds = {}

function M.finish_all()
  local worlds = M.worlds
  M.worlds = {}
  for _, world in ipairs(worlds) do
    assert.equal(0, world:finish() or 0)
  end
end

return M
