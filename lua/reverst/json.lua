-- JSON texts: what is not JSON, or cannot be, is nil and why.

-- Its decoder takes all numbers for floats, its encoder writes no more than 14
-- digits and does not know empty lists: hence the rest of this file.
local codec = require("cjson.safe").new()

-- so deep may values be nested, both ways: what a peer sends is bounded
local MAX_DEPTH = 128

codec.decode_max_depth(MAX_DEPTH)
codec.decode_invalid_numbers(false)

---@class reverst.json
---@field null lightuserdata what null is decoded to, and encoded from
local json = { null = codec.null }

local List = {}

--- Marks a table as a list, even while it is empty.
---@generic T: table
---@param list T
---@return T
function json.list(list)
  return setmetatable(list, List)
end

local encode

local function encode_number(number)
  if math.type(number) == "integer" then
    return ("%d"):format(number)
  elseif number ~= number or number == math.huge or number == -math.huge then
    error { message = "infinity and not-a-number are no JSON" }
  end
  local short = ("%.14g"):format(number)
  return tonumber(short) == number and short or ("%.17g"):format(number)
end

-- 1, 2, 3, … without gaps; empty ones only when they are marked
local function is_list(value)
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  if count == 0 then
    return getmetatable(value) == List
  end
  for i = 1, count do
    if rawget(value, i) == nil then
      return false
    end
  end
  return true
end

local function encode_object(value, depth)
  local pieces = {}
  for key, member in pairs(value) do
    if type(key) ~= "string" then
      error { message = ("the key %s is no text"):format(tostring(key)) }
    end
    pieces[#pieces + 1] = codec.encode(key) .. ":" .. encode(member, depth)
  end
  return "{" .. table.concat(pieces, ",") .. "}"
end

local function encode_list(value, depth)
  local pieces = {}
  for i, member in ipairs(value) do
    pieces[i] = encode(member, depth)
  end
  return "[" .. table.concat(pieces, ",") .. "]"
end

local function encode_table(value, depth)
  if depth > MAX_DEPTH then
    error { message = ("it is nested more than %d deep, or contains itself")
      :format(MAX_DEPTH) }
  end
  return (is_list(value) and encode_list or encode_object)(value, depth)
end

function encode(value, depth)
  local kind = type(value)
  if kind == "table" then
    return encode_table(value, depth + 1)
  elseif kind == "number" then
    return encode_number(value)
  elseif kind == "string" then
    return codec.encode(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind == "nil" or value == json.null then
    return "null"
  end
  error { message = ("a %s cannot be JSON"):format(kind) }
end

--- A table counts as a list when its keys are 1, 2, 3, …, else as an object;
--- an empty one as an object, unless it is json.list {}.
---@param value any
---@return string|nil
---@return string|nil message
function json.encode(value)
  local ok, result = pcall(encode, value, 0)
  if ok then
    return result
  elseif type(result) == "table" and result.message then
    return nil, result.message
  end
  error(result, 0)
end

-- 17 is written as a whole number, so it is one
local function with_whole_numbers(value)
  if type(value) == "number" then
    return math.abs(value) <= 2 ^ 53 and math.tointeger(value) or value
  elseif type(value) == "table" then
    for key, member in pairs(value) do
      value[key] = with_whole_numbers(member)
    end
  end
  return value
end

--- Whole numbers beyond 2^53 are rounded, as they are in browsers.
---@param text string
---@return any value nil: it is no JSON
---@return string|nil message
function json.decode(text)
  if type(text) ~= "string" then
    return nil, "expected a text, got a " .. type(text)
  end
  local value, message = codec.decode(text)
  if message then
    return nil, message
  end
  return with_whole_numbers(value)
end

return json
