-- Reads HTTP/1.1 answers as a visitor sees them (RFC 9112), byte by byte as they
-- come. Written apart from the core's parser, so that neither excuses the other.

local http_reader = {}

local Reader = {}
Reader.__index = Reader

-- A reader of one answer to a request of that method. It has, as far as known:
--   informational  list of { status =, headers = }
--   status, headers (list of { name, value }, names in lower case)
--   body           unless on_body was given, which is called with each piece
--   length         of the body so far
--   trailers       as headers
--   complete       the answer ended as it should
--   rest           bytes behind it
function http_reader.new(method, on_body)
  local reader = setmetatable({
    informational = {}, trailers = {}, pieces = {}, length = 0, rest = "",
    method = method or "GET", on_body = on_body,
  }, Reader)
  reader.step = reader.read_head
  return reader
end

local function read_fields(text)
  local fields = {}
  for line in text:gmatch("([^\r\n]*)\r\n") do
    local name, value = line:match("^([^:%s]+):[ \t]*(.-)[ \t]*$")
    assert(name, "not a field: " .. line)
    fields[#fields + 1] = { name:lower(), value }
  end
  return fields
end

-- All values of a field, in order.
function http_reader.values(fields, name)
  local values = {}
  for _, field in ipairs(fields) do
    if field[1]:lower() == name:lower() then
      values[#values + 1] = field[2]
    end
  end
  return values
end

-- The only value of a field, or nil; an error when there are several.
function http_reader.value(fields, name)
  local values = http_reader.values(fields, name)
  assert(#values <= 1, "several fields " .. name)
  return values[1]
end

function Reader:header(name)
  return http_reader.value(self.headers, name)
end

function Reader:add(piece)
  self.length = self.length + #piece
  if self.on_body then
    self.on_body(piece)
  else
    self.pieces[#self.pieces + 1] = piece
  end
end

function Reader:finish()
  self.complete = true
  self.step = nil
  return false
end

-- Each step takes what it can from `rest`: true when another step may go on.

function Reader:choose_body()
  local status = self.status
  if self.method == "HEAD" or status == 204 or status == 304 then
    return self:finish()
  end
  if http_reader.value(self.headers, "transfer-encoding") then
    self.chunked = true
    self.step = self.read_chunk_size
  elseif http_reader.value(self.headers, "content-length") then
    self.left = assert(tonumber(self:header("content-length")))
    self.step = self.read_counted
  else
    self.until_close = true
    self.step = self.read_all
  end
  return true
end

function Reader:read_head()
  local fields = ""
  local line, rest = self.rest:match("^([^\r\n]*)\r\n\r\n(.*)$")
  if not line then
    line, fields, rest =
      self.rest:match("^([^\r\n]*)\r\n(.-\r\n)\r\n(.*)$")
  end
  if not line then
    return false
  end
  local status = tonumber(line:match("^HTTP/1%.1 (%d%d%d) "))
  assert(status, "not a status line: " .. line)
  self.rest = rest
  if status < 200 and status ~= 101 then
    table.insert(self.informational,
      { status = status, headers = read_fields(fields) })
    return true
  end
  self.status, self.headers = status, read_fields(fields)
  return self:choose_body()
end

function Reader:read_counted()
  local piece = self.rest:sub(1, self.left)
  self.rest = self.rest:sub(#piece + 1)
  self.left = self.left - #piece
  if #piece > 0 then
    self:add(piece)
  end
  if self.left > 0 then
    return false
  end
  if self.chunked then
    self.step = self.read_chunk_end
    return true
  end
  return self:finish()
end

function Reader:read_all()
  self:add(self.rest)
  self.rest = ""
  return false
end

function Reader:read_chunk_size()
  local size, from = self.rest:match("^(%x+)\r\n()")
  if not size then
    assert(#self.rest < 20, "not a chunk size")
    return false
  end
  self.rest = self.rest:sub(from)
  self.left = tonumber(size, 16)
  self.step = self.left == 0 and self.read_trailers or self.read_counted
  return true
end

function Reader:read_chunk_end()
  if #self.rest < 2 then
    return false
  end
  assert(self.rest:sub(1, 2) == "\r\n", "a chunk without its end")
  self.rest = self.rest:sub(3)
  self.step = self.read_chunk_size
  return true
end

function Reader:read_trailers()
  local fields, from = "", self.rest:match("^\r\n()")
  if not from then
    fields, from = self.rest:match("^(.-\r\n)\r\n()")
  end
  if not from then
    return false
  end
  self.trailers = read_fields(fields)
  self.rest = self.rest:sub(from)
  return self:finish()
end

function Reader:feed(bytes)
  self.rest = self.rest .. bytes
  while self.step and self:step() do
  end
end

-- The connection ended: true when that is the end of the answer.
function Reader:close()
  if self.until_close and not self.complete then
    self:finish()
  end
  return self.complete
end

function Reader:body()
  return table.concat(self.pieces)
end

return http_reader
