-- Policies that give the same key to the same tunnel.

local arguments = require "reverst.balance.arguments"
local policy = require "reverst.balance.policy"
local rendezvous = require "reverst.balance.rendezvous"

local keyed = {}

-- key_of(request) gives a text; without one the fallback chooses. Where there
-- always is one, no fallback can be given.
local function by_key(kind, argument, options, key_of)
  local name = "balance." .. kind
  options = arguments.fields(name, options, {
    weighted = "boolean", fallback = argument and "any" or nil,
  })
  local choose = options.weighted and rendezvous.choose_weighted
    or rendezvous.choose
  local fallback = policy.check(name, options.fallback or "least_conn")
  local parts = policy.parts({ fallback }, argument, options.weighted)
  return policy.new(kind, parts, function(tunnels, request)
    local key = key_of(request)
    if key and key ~= "" then
      return choose(tunnels, key)
    end
    return fallback(tunnels, request)
  end)
end

-- "192.0.2.1:" or "[2001:db8::1]": what stands before the port
local function address_of(peer)
  local last = peer:find(peer:byte(1) == 91 and "]" or ":", 1, true) -- "["
  return last and peer:sub(1, last) or peer
end

--- By the visitor's address, without its port.
---@param options? { weighted?: boolean }
function keyed.ip_hash(options)
  return by_key("ip_hash", nil, options, function(request)
    return address_of(request.peer)
  end)
end

--- By path and query.
---@param options? { weighted?: boolean }
function keyed.uri_hash(options)
  return by_key("uri_hash", nil, options, function(request)
    local query = request.query
    return query and request.path .. "?" .. query or request.path
  end)
end

--- By a field of the request; requests without it go by `fallback`.
---@param name string
---@param options? { weighted?: boolean, fallback?: string|reverst.Policy }
function keyed.header(name, options)
  arguments.token("balance.header", name, 'balance.header "X-User"')
  name = name:lower()
  return by_key("header", name, options, function(request)
    return request.headers[name]
  end)
end

-- what stands behind "name=" in a query; not decoded
local function parameter_of(query, name)
  local wanted = name .. "="
  local from = 1
  while true do
    local first, last = query:find(wanted, from, true)
    if not first then
      return
    elseif first == 1 or query:byte(first - 1) == 38 then -- "&"
      return query:match("^[^&]*", last + 1)
    end
    from = last + 1
  end
end

--- By a parameter of the query, both as they stand in the address; requests
--- without it go by `fallback`.
---@param name string
---@param options? { weighted?: boolean, fallback?: string|reverst.Policy }
function keyed.query(name, options)
  arguments.text("balance.query", name, 'balance.query "user"')
  return by_key("query", name, options, function(request)
    local query = request.query
    return query and parameter_of(query, name)
  end)
end

return keyed
