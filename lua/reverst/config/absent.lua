-- What people look for in config.lua that a server does not have (yet), and what
-- they may do instead.

local absent = {}

local tls = "visitors connect by plain HTTP; put a proxy with TLS, such as Caddy, "
  .. "nginx or HAProxy, in front, and let http.address be 127.0.0.1 or a Unix "
  .. "socket"
local proxies = "the X-Forwarded- fields that a visitor sends are replaced, also "
  .. "those of a proxy; let a proxy in front put the visitor's address into a "
  .. "field of its own, such as X-Client-Address, which passes"
local access_log = "write a line for each response in on_response, by "
  .. "reverst.log, or have the proxy in front log requests"
local upgrade = "WebSocket and other upgrades do not pass; event streams and long "
  .. "polls do"

-- by key in config.lua, of groups below "groups.NAME"
local instead = {
  tls = tls,
  access_log = access_log,
  metrics = "reverst stats and reverst status, with --json, give all counters",
  trusted_proxies = proxies,
  ["http.tls"] = tls,
  ["http.certificate_path"] = tls,
  ["http.private_key_path"] = tls,
  ["http.listeners"] = "write http.address = { \"127.0.0.1:8181\", "
    .. "\"unix:/run/reverst/http.sock\" } for several addresses, which serve alike",
  ["http.trusted_proxies"] = proxies,
  ["http.proxy_protocol"] = proxies,
  ["http.forwarded"] = "X-Forwarded-For, -Proto and -Host are sent, Forwarded is "
    .. "not",
  ["http.half_close"] = "a visitor who closes his side ends his request",
  ["http.access_log"] = access_log,
  ["http.limits"] = "what is bounded, and by how much, is fixed; but there are "
    .. "max_connections and max_connections_per_address",
  ["groups.NAME.max_body"] = "have on_request look at "
    .. "request.headers[\"content-length\"] and return { status = 413 }, or let a "
    .. "proxy in front bound bodies",
  ["groups.NAME.upgrade_protocols"] = upgrade,
  ["groups.NAME.upgrade_idle_timeout"] = upgrade,
}

--- What to do instead of a key that there is not; nil: nothing in particular.
---@param place string "", "http", 'groups["a.b"]'
---@param key any
---@return string|nil
function absent.instead(place, key)
  if type(key) ~= "string" then
    return nil
  end
  local section = place:match "^groups" and "groups.NAME" or place
  return instead[section == "" and key or section .. "." .. key]
end

return absent
