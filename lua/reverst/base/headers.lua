-- Fields of messages: tables for scripts, lists of names and values in turns
-- for reverst.core.

local text = require "reverst.base.text"

local headers = {}

local Headers = {}

function Headers.__index(fields, name)
  return type(name) == "string" and rawget(fields, name:lower()) or nil
end

--- A table of values by name, whose lookups do not mind upper case.  Several of
--- a name are joined by commas, cookies by semicolons; those of set-cookie, which
--- cannot be joined, are a list.
---@param list string[]
---@return table<string, string|string[]>
function headers.collect(list)
  local fields = setmetatable({}, Headers)
  for i = 1, #list, 2 do
    local name, value = list[i]:lower(), list[i + 1]
    local before = rawget(fields, name)
    if name == "set-cookie" then
      before = before or {}
      before[#before + 1] = value
      value = before
    elseif before then
      value = before .. (name == "cookie" and "; " or ", ") .. value
    end
    fields[name] = value
  end
  return fields
end

local function add(list, name, value)
  if type(value) == "number" then
    value = math.tointeger(value) or value
  elseif type(value) ~= "string" then
    return ("headers: %s: expected a text, got a %s"):format(
      text.printable(name), type(value))
  end
  list[#list + 1] = name
  list[#list + 1] = tostring(value)
end

--- The list for a table of texts, numbers, or lists of them, by name.
---@param fields table|nil
---@return string[]|nil
---@return string|nil message
function headers.flatten(fields)
  local list = {}
  if fields ~= nil and type(fields) ~= "table" then
    return nil, "headers: expected a table, got a " .. type(fields)
  end
  for _, name in ipairs(text.sorted_keys(fields or {})) do
    local values = fields[name]
    if type(name) ~= "string" then
      return nil, "headers: expected texts by name; write { name = \"value\" }"
    end
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      local message = add(list, name, value)
      if message then
        return nil, message
      end
    end
  end
  return list
end

--- The cookies of a request, by name; the first of a name counts.
---@param value string|nil its field "cookie"
---@return table<string, string>
function headers.cookies(value)
  local cookies = {}
  for name, content in (value or ""):gmatch "([^=;%s]+)%s*=%s*([^;]*)" do
    content = content:gsub("%s+$", ""):gsub('^"(.*)"$', "%1")
    cookies[name] = cookies[name] or content
  end
  return cookies
end

return headers
