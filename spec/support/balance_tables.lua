-- Plain tables in the place of tunnels and requests, for policies.

local tables = {}

--- So many tunnels; fields[i] are those of the i-th
function tables.make_tunnels(count, fields)
  local tunnels = {}
  for i = 1, count do
    local tunnel = { id = i, name = "t" .. i, weight = 1, active = 0,
      registered_at = 1000 + i }
    for key, value in pairs(fields and fields[i] or {}) do
      tunnel[key] = value
    end
    tunnels[i] = tunnel
  end
  return tunnels
end

--- What is added to its response is in `added`.
function tables.request_of(fields)
  local request = { method = "GET", host = "app.test", path = "/",
    scheme = "http", peer = "192.0.2.1:4000", group = "app", headers = {},
    cookies = {}, added = {} }
  for key, value in pairs(fields or {}) do
    request[key] = value
  end
  function request:add_response_header(name, value)
    table.insert(self.added, name .. ": " .. value)
  end
  return request
end

--- All but the one at a place.
function tables.without(tunnels, gone)
  local rest = {}
  for i, tunnel in ipairs(tunnels) do
    if i ~= gone then
      rest[#rest + 1] = tunnel
    end
  end
  return rest
end

return tables
