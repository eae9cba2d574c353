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

function address.is_v6(host)
  return host:match "^[%x:.]+$" ~= nil and host:find(":", 1, true) ~= nil
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
