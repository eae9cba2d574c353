-- The members of auth.any and auth.all.

local strategy = require "reverst.auth.strategy"
local text = require "reverst.base.text"

local members = {}

local example = " { auth.basic { ... }, auth.bearer { ... } }"

local function check_member(name, i, member)
  if member == nil then
    strategy.fail(name, "member %d is nil (a misspelt name is nil in Lua)", i)
  elseif strategy.constructors[member] then
    strategy.fail(name, "member %d: %s", i, strategy.not_called(member))
  elseif not text.is_callable(member) then
    -- its value may be a secret
    strategy.fail(name, "member %d: expected a strategy such as auth.basic "
      .. "{ ... }, or a function, got a %s", i, type(member))
  end
end

--- A copy of the list, checked.
---@param name string
---@param list any
---@return reverst.Strategy[]
function members.check(name, list)
  if text.is_callable(list) or type(list) ~= "table" then
    strategy.fail(name, "expected a list; write %s%s", name, example)
  end
  local last = 0
  for _, key in ipairs(text.sorted_keys(list)) do
    if not math.type(key) then
      strategy.fail(name, "unknown field %s; write %s%s", text.quoted(key),
        name, example)
    end
    last = math.max(last, key)
  end
  if last == 0 then
    strategy.fail(name, "it has no members; write %s%s", name, example)
  end
  local checked = {}
  for i = 1, last do
    check_member(name, i, list[i])
    checked[i] = list[i]
  end
  return checked
end

--- "basic, function"
function members.kinds(list)
  local kinds = {}
  for i, member in ipairs(list) do
    kinds[i] = strategy.is_strategy(member) and member.kind or "function"
  end
  return table.concat(kinds, ", ")
end

--- The schemes that a member accepts; nil: any.
function members.schemes_of(member)
  return strategy.is_strategy(member) and member.schemes or nil
end

--- Of all members together; nil when one has none.
---@param name string
---@param list reverst.Strategy[]
---@return string|nil
function members.fingerprint(name, list)
  local parts = {}
  for i, member in ipairs(list) do
    parts[i] = type(member) == "table" and rawget(member, "fingerprint")
    if type(parts[i]) ~= "string" then
      return nil
    end
  end
  return strategy.fingerprint_of(name, parts)
end

--- Calls one: true or a table; false and why; or nil and why it cannot tell.
---@param member reverst.Strategy
---@param registration reverst.Registration
---@return boolean|table|nil
---@return string|nil
function members.ask(member, registration)
  local ok, result, reason = pcall(member, registration)
  if not ok then
    return nil, text.error_message(result)
  elseif result == true and reason == false then -- pcall does so
    return nil, "a strategy returned true and false"
  elseif result == true or type(result) == "table"
    and not text.is_callable(result) then
    return result
  elseif result == false then
    return false, reason ~= nil and tostring(reason) or "rejected"
  elseif result ~= nil then
    return nil, ("a strategy returned a %s"):format(
      text.is_callable(result) and "strategy, which was not asked"
        or type(result))
  end
  return nil, reason ~= nil and tostring(reason)
    or "a strategy returned nothing, expected true or false"
end

return members
