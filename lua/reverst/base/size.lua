-- Sizes: "64KiB", "10MB", "1.5GiB", or a number of bytes.

local size = {}

local units = { b = 1, kb = 1e3, mb = 1e6, gb = 1e9, kib = 1024,
  mib = 1024 * 1024, gib = 1024 * 1024 * 1024 }
local most = 1 << 50 -- more is a mistake

local function bytes_of(value)
  if type(value) == "number" then
    return value
  elseif type(value) ~= "string" then
    return nil
  end
  local count, unit = value:match "^(%d+%.?%d*)(%a*)$"
  local factor = units[unit == "" and "b" or (unit or ""):lower()]
  return factor and tonumber(count) * factor
end

--- Bytes; or nil and what is wrong.
---@param value any
---@return integer|nil
---@return string|nil message
function size.parse(value)
  local bytes = bytes_of(value)
  if not bytes then
    return nil, 'expected a size, such as "64KiB", "10MB", or a number of bytes'
  elseif not (bytes >= 1 and bytes <= most) then
    return nil, "expected a size of at least one byte"
  end
  return math.floor(bytes)
end

return size
