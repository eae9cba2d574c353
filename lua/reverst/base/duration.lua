-- Durations: "500ms", "1m30s", "1h", or a number of seconds.

local duration = {}

local units = { ms = 1e6, s = 1e9, m = 60e9, h = 3600e9 }
-- ten years; more is a mistake, and would not fit beside a clock for ever
local longest = 10 * 365 * 24 * 3600e9

local function nanoseconds_of(value)
  if type(value) == "number" then
    return value * 1e9
  elseif type(value) ~= "string" then
    return nil
  elseif value:match "^%d+%.?%d*$" then
    return tonumber(value) * 1e9
  end
  local sum, rest = 0, value
  while rest ~= "" do
    local count, unit, after = rest:match "^(%d+%.?%d*)(%a+)(.*)$"
    if not units[unit] then
      return nil
    end
    sum, rest = sum + tonumber(count) * units[unit], after
  end
  return value ~= "" and sum or nil
end

--- Nanoseconds; or nil and what is wrong.
---@param value any
---@return integer|nil
---@return string|nil message
function duration.parse(value)
  local sum = nanoseconds_of(value)
  if not sum then
    return nil, 'expected a duration, such as "30s", "1m30s", "500ms", or a '
      .. "number of seconds"
  elseif not (sum >= 1 and sum <= longest) then
    return nil, "expected a duration of more than 0 and less than ten years"
  end
  return math.floor(sum)
end

--- "1m30s" of nanoseconds.
---@param nanoseconds integer
---@return string
function duration.format(nanoseconds)
  local seconds = nanoseconds // 1e9
  if nanoseconds < 1e9 then
    return ("%dms"):format(nanoseconds // 1e6)
  elseif seconds < 60 then
    return ("%ds"):format(seconds)
  end
  return ("%dm%ds"):format(seconds // 60, seconds % 60)
end

return duration
