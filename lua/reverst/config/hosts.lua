-- The hosts of a group: exact names, "*.example.com", "*".

local address = require "reverst.config.address"
local text = require "reverst.base.text"

local hosts = {}

local example = '{ "app.example.com", "*.app.example.com" }'

local function check_wildcard(written, host)
  if written == "*" or host:match "^%*%." and address.is_name(host:sub(3))
    and not host:match "%.%d+$" then -- that would be an address
    return host
  end
  local rest = host:match "^%*([^*.].*)$"
  local cure = '"*.example.com" for all names below one, or "*" for all others'
  if rest and address.is_name(rest) then
    cure = ('"*.%s" for all names below it'):format(text.printable(rest))
  end
  return nil, ("%s: a star stands alone, or for whole labels at the front; "
    .. "write %s"):format(text.quoted(written), cure)
end

-- a name with something around it: what to leave out
local function surplus(host)
  if host:find("://", 1, true) then
    return "is a URL; leave only its host"
  elseif host:match "^[^/]*/" then
    return "has a path; leave only the host (route decides by paths)"
  elseif host:find("@", 1, true) then
    return "has a user; leave only the host"
  elseif host:match "^[^:]*:%d+$" or host:match "^%[.*%]:%d+$" then
    return nil, "leave out the port; a group has its hosts on every port"
  elseif address.is_v6(host) then
    return nil, ('write "[%s]"'):format(host)
  elseif host:match "^%." and address.is_name(host:sub(2)) then
    return nil, ('write "*%s" for all names below it'):format(host)
  elseif host:find "[\128-\255]" then
    return nil, "write it in ASCII, as DNS has it: xn--..."
  end
  return "is not the name of a host"
end

local function check_host(written)
  if type(written) ~= "string" then
    return nil, ("expected the name of a host, got %s"):format(
      type(written) == "number" and tostring(written)
        or "a " .. type(written))
  end
  local host = written:lower():gsub("%.$", "")
  if host:find("*", 1, true) and not host:find "[:/@]" then
    return check_wildcard(written, host)
  elseif address.is_name(host) then
    return host
  elseif host:match "^%[.*%]$" and address.is_v6(host:sub(2, -2)) then
    return host
  end
  local what, cure = surplus(host)
  return nil, text.quoted(written) .. (what and " " .. what or ": " .. cure)
end

--- The list in lower case, without trailing dots; or nil and what is wrong.
---@param value any
---@return string[]|nil
---@return string|nil message
function hosts.check(value)
  if type(value) == "string" then
    return nil, ('expected a list; write { "%s" }'):format(
      text.printable(value))
  elseif type(value) ~= "table" then
    return nil, ("expected a list of hosts, such as %s, got a %s"):format(
      example, type(value))
  elseif next(value) == nil then
    return nil, "it lists none (os.getenv of a variable that is not set is "
      .. "nil); write " .. example
  end
  local list, problems, last = {}, {}, 0
  for _, key in ipairs(text.sorted_keys(value)) do
    if not math.type(key) then
      problems[#problems + 1] = ("expected a list such as %s, got the key %s")
        :format(example, text.quoted(key))
    else
      if key ~= last + 1 then
        problems[#problems + 1] = ("entry %d is nil (os.getenv of a variable "
          .. "that is not set is nil)"):format(last + 1)
      end
      last = key
      local host, message = check_host(value[key])
      list[#list + 1] = host
      problems[#problems + 1] = message
    end
  end
  if #problems > 0 then
    return nil, table.concat(problems, "; ")
  end
  return list
end

return hosts
