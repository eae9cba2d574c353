-- For specs of authentication, policies and hooks (reverst test): what a server
-- gives them, and what it makes of their answers.

local registrations = require "reverst.auth.registration"
local balance = require "reverst.balance"
local chunk = require "reverst.config.chunk"
local crypto = require "reverst.crypto"
local decision = require "reverst.decision"
local text = require "reverst.base.text"

---@class reverst.testing
local testing = {}

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do
    set[name] = true
  end
  return set
end

-- A table whose fields are known: another name is a mistake, as it is in what
-- the server gives. `writable`: only these may be changed; nil: all may.
local function strict(kind, fields, given, optional, writable)
  local known = text.sorted_keys(fields)
  table.move(optional or {}, 1, #(optional or {}), #known + 1, known)
  local is_known, may_change = set_of(known), set_of(writable or known)
  local function fail(name, level)
    error(("a %s has no field %s%s"):format(kind, text.quoted(name),
      text.suggestion(name, known)), level + 1)
  end
  for name, value in pairs(given) do
    if not is_known[name] then
      fail(name, 3)
    end
    fields[name] = value
  end
  return setmetatable({}, {
    __index = function(_, name)
      if not is_known[name] then
        fail(name, 2)
      end
      return fields[name]
    end,
    __newindex = function(_, name, value)
      if not is_known[name] then
        fail(name, 2)
      elseif not may_change[name] then
        error(("%s of a %s cannot be set"):format(name, kind), 2)
      end
      fields[name] = value
    end,
    __pairs = function()
      return next, fields
    end,
  })
end

local function copy(of, without)
  local made = {}
  for key, value in pairs(of or {}) do
    if not without or not without[key] then
      made[key] = value
    end
  end
  return made
end

-- what a client says of itself goes the way that it takes to a server
local function metadata_of(given)
  local metadata = copy(given.metadata)
  metadata["Reverst-Name"] = given.name
  metadata["Reverst-Weight"] = given.weight and tostring(given.weight)
  for key, value in pairs(given.labels or {}) do
    metadata["Reverst-Label-" .. key] = value
  end
  return metadata
end

--- What authenticate is called with. `username` and `password`, or `token`,
--- become scheme and credentials.
---@param given? table fields of reverst.Registration; username, password, token
---@return reverst.Registration
function testing.registration(given)
  given = given or {}
  local fields = copy(given, { username = true, password = true, token = true })
  for name in pairs(fields) do
    local problem = registrations.unknown(name)
    if problem then
      error(problem, 2)
    end
  end
  if given.username or given.password then
    fields.scheme = fields.scheme or "basic"
    fields.credentials = crypto.base64_encode(("%s:%s"):format(
      given.username or "", given.password or ""))
  elseif given.token then
    fields.scheme = fields.scheme or "bearer"
    fields.credentials = given.token
  end
  fields.group = fields.group or "app"
  fields.peer = fields.peer or "192.0.2.1:40000"
  fields.server_name = fields.server_name or "localhost"
  fields.metadata = metadata_of(given)
  return registrations.of(fields)
end

-- found in any case, as the server does
local function header_table(given)
  local headers = setmetatable({}, {
    __index = function(self, name)
      return rawget(self, tostring(name):lower())
    end,
    __newindex = function(self, name, value)
      rawset(self, tostring(name):lower(), value)
    end,
  })
  for name, value in pairs(given or {}) do
    headers[name] = value
  end
  return headers
end

local function cookie_table(header)
  local cookies = {}
  for name, value in (header or ""):gmatch "([^=;%s]+)=([^;]*)" do
    cookies[name] = cookies[name] or value
  end
  return cookies
end

--- What policies, route and hooks are called with. `cookies` come from the field
--- of that name unless they are given; what a policy adds to the response is in
--- `response_headers`.
---@param given? table fields of reverst.Request
---@return reverst.Request
function testing.request(given)
  local fields = copy(given)
  fields.headers = header_table(fields.headers)
  fields.cookies = fields.cookies or cookie_table(fields.headers.cookie)
  if fields.path and fields.path:find("?", 1, true) then
    error("path: what stands behind \"?\" belongs into query", 2)
  end
  fields.response_headers = {}
  function fields.add_response_header(request, name, value)
    local values = request.response_headers
    values[name:lower()] = values[name:lower()] or {}
    table.insert(values[name:lower()], value)
  end
  local request = strict("request", {
    method = "GET", host = "app.test", path = "/", scheme = "http",
    peer = "198.51.100.1:50000", group = "app", id = "test-request",
    response_headers = false, add_response_header = false,
  }, fields, { "query", "headers", "cookies" }, { "path", "query" })
  return request
end

--- What a policy chooses from: a tunnel for each table of fields.
---@param list table[] fields of reverst.Tunnel
---@return reverst.Tunnel[]
function testing.tunnels(list)
  for key in pairs(list) do
    if math.type(key) ~= "integer" then
      error(("tunnels: expected a list, got a field %s; write { { %s = ... } }")
        :format(text.quoted(key), text.printable(key)), 2)
    end
  end
  local tunnels = {}
  for i, given in ipairs(list) do
    tunnels[i] = strict("tunnel", {
      id = i, name = "tunnel-" .. i, peer = ("192.0.2.%d:40000"):format(i),
      weight = 1, labels = {}, metadata = {}, active = 0, requests = 0,
      registered_at = 1700000000 + i,
    }, given, { "latency" })
  end
  return tunnels
end

--- What a server makes of the answer of authenticate.
---@param strategy reverst.Strategy
---@param registration? reverst.Registration
---@return boolean|nil accepted nil: it could not tell, or failed; then newcomers are
--- rejected, too
---@return string|table|nil detail why not; or the table that it accepted with
function testing.authenticate(strategy, registration)
  if not text.is_callable(strategy) then
    error(("authenticate: expected a function or a strategy of reverst.auth, "
      .. "got a %s"):format(type(strategy)), 2)
  end
  local answers = table.pack(pcall(strategy,
    registration or testing.registration()))
  if not answers[1] then
    return nil, tostring(answers[2])
  end
  local ok, verdict, reason = pcall(decision.read, answers[2], answers[3])
  if not ok then
    return nil, verdict
  elseif verdict == "accepted" then
    return true, type(answers[2]) == "table" and answers[2] or nil
  end
  if verdict == "rejected" then
    return false, reason
  end
  return nil, reason
end

--- What a server makes of the answer of a policy.
---@param policy reverst.Policy|string a policy, or the name of one
---@param tunnels reverst.Tunnel[]
---@param request? reverst.Request
---@return reverst.Tunnel|nil
---@return string|nil message why the visitor gets 503
function testing.choose(policy, tunnels, request)
  local choose, message = balance.of(policy)
  if not choose then
    error(message, 2)
  end
  local ok, chosen = pcall(choose, tunnels, request or testing.request())
  if not ok then
    return nil, tostring(chosen)
  end
  for _, tunnel in ipairs(tunnels) do
    if tunnel == chosen then
      return tunnel
    end
  end
  return nil, chosen == nil and "the policy chose none"
    or "the policy returned what is none of the tunnels"
end

--- What a config.lua returns; its paths are relative to it, as for a server.
---@param path string
---@return reverst.Config
function testing.config(path)
  local config
  local ok, message = chunk.run(path, { import_flags = "",
    example = "return { groups = ... }" }, function(given)
    config = given
  end)
  if not ok then
    error(message, 2)
  end
  return config
end

return testing
