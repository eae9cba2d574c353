-- Checks the groups of a configuration.

local check = require "reverst.config.check"
local options = require "reverst.config.options"
local rows = require "reverst.config.rows"
local text = require "reverst.base.text"

local groups = {}

local example = '{ hosts = { "app.example.com" }, authenticate = ... }'

local function check_group(complain, name, given)
  local place = text.field("groups", name)
  if type(given) ~= "table" or text.is_callable(given) then
    complain(place, "expected a table such as %s, got a %s", example,
      type(given) == "table" and "strategy or a policy" or type(given))
    return
  end
  local known = rows.known_keys(options.group)
  rows.complain_of_unknown(complain, place, given, known)
  if given.hosts == nil then
    complain(place, 'no hosts; write hosts = { "app.example.com" }')
  end
  if given.authenticate == nil then
    complain(place, "no authenticate (a misspelt name is nil in Lua); write "
      .. "auth.insecure() to accept anyone")
  end
  local group = rows.check_table(complain, place, given, known, "")
  for _, row in ipairs(options.group) do
    group[row.key] = rows.with_default(row, group[row.key])
  end
  group.name = name
  return group
end

-- each host belongs to one group
local function check_owners(complain, checked)
  local owners = {}
  for _, group in ipairs(checked) do
    local place = text.field(text.field("groups", group.name), "hosts")
    for _, host in ipairs(group.hosts or {}) do
      local owner = owners[host]
      if owner == group.name then
        complain(place, "%s is listed twice", text.quoted(host))
      elseif owner then
        complain(place, "%s belongs to group %s already", text.quoted(host),
          text.quoted(owner))
      end
      owners[host] = owner or group.name
    end
  end
end

--- The groups in the order of their names; all mistakes are complained of.
---@param complain fun(place: string, message: string, ...)
---@param given any what `groups` is in a configuration
---@return table[]
function groups.check(complain, given)
  if given == nil or type(given) == "table" and next(given) == nil then
    complain("groups", "none; write groups = { app = %s }", example)
    return {}
  elseif type(given) ~= "table" then
    complain("groups", "expected a table, got a %s; write groups = { app = %s }",
      type(given), example)
    return {}
  end
  local checked = {}
  local row = { type = "group" }
  for _, name in ipairs(text.sorted_keys(given)) do
    local _, message = check.value(row, name)
    if message then
      complain(text.field("groups", name),
        "%s; write groups = { name = { ... } }", message)
    else
      checked[#checked + 1] = check_group(complain, name, given[name])
    end
  end
  check_owners(complain, checked)
  return checked
end

return groups
