-- What the functions that answer requests have in common.

local assert = require "luassert"
local World = require "world"

local handlers = {}

-- Bytes that show when some are lost, doubled or moved: no power of two fits.
local words = {}
for i = 1, 1000 do
  words[i] = ("%05d "):format(i * 7919 % 100003)
end
handlers.block = table.concat(words) .. "end\n"

-- The checksum of `total` bytes of repeated blocks.
function handlers.checksum_of(total)
  local sum
  for _ = 1, total // #handlers.block do
    sum = World.checksum(handlers.block, sum)
  end
  return World.checksum(handlers.block:sub(1, total % #handlers.block), sum)
end

-- Wait for the next event, or leave it when nobody is there any more.
local function expect_patience(fault)
  assert(fault == "REVERST_ERR_AGAIN" or fault == "REVERST_ERR_CLOSED", fault)
end

-- Writes `total` bytes of blocks as the reader takes them, then calls `done` or
-- ends the answer. Returns a table whose `written` says how far it is.
function handlers.produce(request, total, done, events)
  local written = 0
  local progress = { written = 0 }
  local function go_on()
    while written < total do
      local piece = handlers.block
      if total - written < #piece then
        piece = piece:sub(1, total - written)
      end
      local ok, fault = request:write(piece)
      if not ok then
        return expect_patience(fault)
      end
      written = written + #piece
      progress.written = written
    end
    if done then
      done(request)
    else
      assert(request:finish())
    end
    written = math.huge
  end
  events = events or {}
  events.writable = go_on
  request:on(events)
  go_on()
  return progress
end

-- Reads the request's body; on_end(length, checksum) when it has ended.
function handlers.consume(request, on_end)
  local length, sum = 0, World.checksum("")
  local function go_on()
    while true do
      local piece, fault = request:read()
      if not piece then
        return expect_patience(fault)
      elseif piece == "" then
        return on_end(length, sum)
      end
      length, sum = length + #piece, World.checksum(piece, sum)
    end
  end
  request:on { readable = go_on }
  go_on()
end

-- One function for a client: its routes are functions by path.
function handlers.router(routes)
  return function(_, request)
    local path = request:path():match("^[^?]*")
    local route = assert(routes[path], "no route for " .. path)
    route(request)
  end
end

return handlers
