-- Checks a table by the rows of reverst.config.options.

local absent = require "reverst.config.absent"
local check = require "reverst.config.check"
local options = require "reverst.config.options"
local paths = require "reverst.base.paths"
local text = require "reverst.base.text"

local rows = {}

--- The rows by key, and by section and key: of what may be in a table.
---@param list table[]
function rows.known_keys(list)
  local keys, sections = {}, {}
  for _, row in ipairs(list) do
    local section, key = row.key:match "^(.-)%.(.*)$"
    if section then
      sections[section] = sections[section] or {}
      sections[section][key] = row
    elseif not row.is_flag_only then
      keys[row.key] = row
    end
  end
  return keys, sections
end

-- what was meant, or where else a key of that name belongs
local function cure_for(key, known)
  local suggestion = text.suggestion(key, text.sorted_keys(known))
  local places = options.places(key)
  if suggestion ~= "" then
    return suggestion
  elseif #places > 0 then
    return ("; it belongs to %s"):format(text.any_of(places))
  end
  return "; there are " .. table.concat(text.sorted_keys(known), ", ")
end

function rows.complain_of_unknown(complain, place, given, known)
  for _, key in ipairs(text.sorted_keys(given)) do
    local instead = absent.instead(place, key)
    if not known[key] and instead then
      complain(text.field(place, key), "not there yet: %s", instead)
    elseif not known[key] then
      complain(text.field(place, key), "unknown key%s", cure_for(key, known))
    end
  end
end

--- The checked values of one table, by the rows' keys.  False counts as given.
function rows.check_table(complain, place, given, known, prefix)
  local values = {}
  for _, key in ipairs(text.sorted_keys(known)) do
    local row = known[key]
    if given[key] ~= nil then
      local value, message = check.value(row, given[key])
      if message then
        complain(text.field(place, key), "%s", message)
      elseif row.type == "path" then
        value = paths.resolve(value)
      end
      values[prefix .. key] = value
    end
  end
  return values
end

function rows.merge(into, from)
  for key, value in pairs(from) do
    into[key] = value
  end
end

function rows.with_default(row, value)
  if value == nil and row.default ~= nil then
    return check.value(row, row.default)
  end
  return value
end

return rows
