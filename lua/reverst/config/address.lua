-- The parts of addresses: names, literal addresses, ports.

local address = {}

--- A name of DNS, or an address of IPv4.
function address.is_name(host)
  if #host > 253 or host == "" then
    return false
  end
  for label in (host .. "."):gmatch "([^.]*)%." do
    if not label:match "^[%w_-]+$" or #label > 63 then
      return false
    end
  end
  return true
end

-- how many groups of 16 bits a part of an IPv6 address has; nil: it is none
local function count_groups(part)
  local count = 0
  if part == "" then
    return count
  end
  for group in (part .. ":"):gmatch "([^:]*):" do
    if address.is_v4(group) then
      count = count + 2
    elseif group:match "^%x%x?%x?%x?$" then
      count = count + 1
    else
      return nil
    end
  end
  return count
end

--- Without brackets (RFC 4291, section 2.2).
function address.is_v6(host)
  local tail = host:match ":([^:]*)$"
  if not tail or host:sub(1, -#tail - 1):find(".", 1, true) then
    return false -- an address of IPv4 stands at the end, if anywhere
  end
  local before, after = host:match "^(.-)::(.*)$"
  if not before then
    return count_groups(host) == 8
  end
  local first, second = count_groups(before), count_groups(after)
  return first ~= nil and second ~= nil and first + second < 8
end

function address.is_v4(host)
  local parts = { host:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  for _, part in ipairs(parts) do
    if #part > 3 or tonumber(part) > 255 then
      return false
    end
  end
  return #parts == 4
end

function address.is_port(port, least)
  return port:match "^%d+$" ~= nil and #port <= 5
    and tonumber(port) >= least and tonumber(port) <= 65535
end

--- Host (without brackets) and port; the host is false or nil where there is
--- none to be seen.
function address.split(value)
  local host, port = value:match "^%[(.*)%]:(%d+)$"
  if host then
    return address.is_v6(host) and host, port
  end
  host, port = value:match "^([^:]*):([^:]*)$"
  return host, port
end

return address
