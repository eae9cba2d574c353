-- Words for people: suggestions, lists, names of keys, bytes that are safe to
-- print.

local text = {}

-- Levenshtein distance, where swapping two neighbours counts as one step
local function distance(a, b)
  local before, above = nil, {}
  for j = 0, #b do
    above[j] = j
  end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(above[j] + 1, row[j - 1] + 1,
        above[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1)
        and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, above = above, row
  end
  return above[#b]
end

--- The choice that a word was probably meant to be.
---@param word string
---@param choices string[]
---@return string|nil
function text.nearest(word, choices)
  local best
  -- longer words are not worth the time
  local least = #word <= 64 and math.max(1, #word // 3) or 0
  for _, choice in ipairs(least > 0 and choices or {}) do
    local steps = distance(word:lower(), choice:lower())
    if steps <= least and steps < #choice then
      best, least = choice, steps - 1
    end
  end
  for _, choice in ipairs(best and {} or choices) do
    if #word > 2 and choice:sub(1, #word) == word then
      return choice
    end
  end
  return best
end

--- ' (did you mean "x"?)', or nothing.
---@param word any
---@param choices string[]
---@return string
function text.suggestion(word, choices)
  local nearest = type(word) == "string" and text.nearest(word, choices)
  return nearest and (' (did you mean "%s"?)'):format(nearest) or ""
end

--- "a, b or c"
---@param choices string[]
---@return string
function text.any_of(choices)
  if #choices < 2 then
    return choices[1] or ""
  end
  return table.concat(choices, ", ", 1, #choices - 1) .. " or "
    .. choices[#choices]
end

--- Nothing in it can move a terminal's cursor.
---@param value any
---@return string
function text.printable(value)
  return (tostring(value):gsub("[^\32-\126]", function(byte)
    return ("\\x%02x"):format(byte:byte())
  end))
end

--- In quotes, printable.
---@param value any
---@return string
function text.quoted(value)
  return '"' .. text.printable(value) .. '"'
end

--- What an error object says.
---@param object any
---@return string
function text.error_message(object)
  local metatable = getmetatable(object)
  if type(object) == "string" or type(object) == "number" then
    return tostring(object)
  elseif type(metatable) == "table" and metatable.__tostring then
    local ok, message = pcall(tostring, object)
    return ok and message or "the error object cannot be shown"
  end
  return ("the error object is a %s value"):format(type(object))
end

--- How a field of a table is written: 'tunnel.address', 'groups["a.b"]'.
---@param place string
---@param key any
---@return string
function text.field(place, key)
  if type(key) ~= "string" then
    return ("%s[%s]"):format(place, tostring(key))
  elseif not key:match "^[%a_][%w_]*$" then
    return ("%s[%s]"):format(place, text.quoted(key))
  end
  return place == "" and key or place .. "." .. key
end

--- The keys of a table in order; those that are no texts come last, of these
--- numbers by their value.
---@param of table
---@return any[]
function text.sorted_keys(of)
  local keys = {}
  for key in pairs(of) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then
      return type(a) == "string"
    elseif type(a) == "number" then
      return a < b
    end
    return tostring(a) < tostring(b)
  end)
  return keys
end

--- A token of HTTP (RFC 9110 section 5.6.2).
---@param value any
---@return boolean
function text.is_token(value)
  return type(value) == "string"
    and value:match "^[%w!#$%%&'*+.^_`|~-]+$" ~= nil
end

--- A function, or what can be called like one.
---@param value any
---@return boolean
function text.is_callable(value)
  local metatable = getmetatable(value)
  return type(value) == "function"
    or type(metatable) == "table" and metatable.__call ~= nil
end

return text
