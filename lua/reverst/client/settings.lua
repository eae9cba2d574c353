-- What a client is started with: checked by the table of options, and made
-- ready for reverst.core.

local arguments = require "reverst.config.arguments"
local check = require "reverst.config.check"
local credentials = require "reverst.auth.credentials"
local options = require "reverst.config.options"
local request = require "reverst.client.request"
local text = require "reverst.base.text"

---@class reverst.ClientOptions
---@field address? string the server's tunnel address; default "127.0.0.1:7171"
---@field server_name? string the name in its certificate; default: the address's host
---@field group? string the group to join; default: the server's name
---@field ca_path? string PEM file with the roots to trust; default: the system's
---@field insecure? boolean do not check the server's certificate
---@field credentials? reverst.Credentials of auth.basic_credentials; or the fields below
---@field username? string basic credentials, with password or password_path
---@field password? string
---@field password_path? string a file, read again before each dial
---@field token? string a bearer token
---@field token_path? string a file, read again before each dial
---@field scheme? string what stands before the credentials, instead of Basic or Bearer
---@field name? string what the server's log calls this tunnel
---@field weight? integer its share in policies that weigh
---@field labels? table<string, string>|string[] what authenticate and policies may look at
---@field metadata? table<string, string> anything else that a registration says
---@field max_idle_timeout? reverst.Duration default "1m"
---@field keep_alive_period? reverst.Duration|false default "10s"
---@field registration_timeout? reverst.Duration default "30s"
---@field origin? string the local service: "8080", "https://localhost:8443", "unix:/path"
---@field origin_ca_path? string PEM file with the roots for https origins; default: the system's
---@field handle? fun(request: reverst.Request): reverst.Response|nil answers instead
--- of an origin; may wait, and answer in parts
---@field on_connected? fun()
---@field on_disconnected? fun(event: reverst.Disconnect)
---@field on_draining? fun() the server asks to dial anew, which is being done
---@field on_origin_unreachable? fun(event: reverst.OriginFailure) a visitor got 502
--- for that; once, and again for another reason
---@field on_origin_reachable? fun() the origin has answered again

--- Why there is no tunnel, or none any more.
---@class reverst.Disconnect
---@field refused boolean the server did not accept the registration
---@field reason string "unauthorized", "not found", or what the peer or the system said
---@field error string in words
---@field code string "REVERST_ERR_TLS"
---@field retry_in number seconds until the next try

--- Why the origin cannot be reached.
---@class reverst.OriginFailure
---@field reason string "Connection refused"
---@field error string in words
---@field code string "REVERST_ERR_CONNECT"

local client_settings = {}

-- what has no flag, and its type; any: it is looked at elsewhere
local others = {
  origin = "string", handle = "callable", credentials = "any",
  metadata = "table", on_connected = "function", on_disconnected = "function",
  on_draining = "function", on_origin_unreachable = "function",
  on_origin_reachable = "function",
}

--- What contradicts something, or lacks its other half.
---@param values table
---@param name_of fun(key: string): string what people call an option
---@return string[] problems
function client_settings.contradictions(values, name_of)
  local problems = {}
  local username, password = values.username,
    values.password or values.password_path
  local token = values.token or values.token_path
  local function complain(condition, message)
    if condition then
      table.insert(problems, (message:gsub("{([%w_]+)}", name_of)))
    end
  end
  complain(username and not password,
    "{username} needs {password} or {password_path}")
  complain(password and not username, "{password} needs {username}")
  complain(values.password and values.password_path,
    "{password}, or {password_path}: only one of the two")
  complain(values.token and values.token_path,
    "{token}, or {token_path}: only one of the two")
  complain(token and (username or password),
    "{token}, or {username} with {password}: only one of the two")
  complain(values.scheme and not token and not username,
    "{scheme} needs {token}, or {username} with {password}")
  complain(values.insecure and values.ca_path,
    "{insecure}, or {ca_path}: only one of the two")
  return problems
end

-- "key=value", …, or a table of them, into metadata
local function add_labels(metadata, labels)
  for key, value in pairs(labels or {}) do
    if math.type(key) then
      key, value = value:match "^([^=]*)=(.*)$"
    end
    metadata["Reverst-Label-" .. key] = value
  end
end

--- Settings of one tunnel for reverst.core, from checked values.
---@param values table
---@param address string
function client_settings.complete(values, address)
  local settings, metadata = {}, {}
  for key, value in pairs(values) do
    settings[key] = value
  end
  for key, value in pairs(values.metadata or {}) do
    metadata[key] = value
  end
  metadata["Reverst-Name"] = values.name
  metadata["Reverst-Weight"] = values.weight and tostring(values.weight)
  add_labels(metadata, values.labels)
  settings.metadata = metadata
  settings.address = address
  settings.server_name = values.server_name
    or address:match "^%[(.*)%]" or address:match "^[^:]*"
  settings.group = values.group or settings.server_name
  if values.handle then
    settings.on_request = request.server(values.handle, settings.group)
  end
  return settings
end

-- a table of labels is checked as a list of "key=value"
local function labels_of(labels)
  local list = {}
  for key, value in pairs(labels) do
    list[#list + 1] = math.type(key) and value
      or tostring(key) .. "=" .. tostring(value)
  end
  return list
end

local function check_others(given, problems)
  local rows = {}
  for _, row in ipairs(options.client) do
    rows[row.key] = row
  end
  local known = text.sorted_keys(rows)
  for key in pairs(others) do
    known[#known + 1] = key
  end
  for _, key in ipairs(text.sorted_keys(given)) do
    local wanted = others[key]
    if wanted == "callable" then
      if not text.is_callable(given[key]) then
        table.insert(problems, ("%s: expected a function, got a %s"):format(key,
          type(given[key])))
      end
    elseif wanted and wanted ~= "any" and type(given[key]) ~= wanted then
      table.insert(problems, ("%s: expected a %s, got a %s"):format(key, wanted,
        type(given[key])))
    elseif not wanted and not rows[key] then
      table.insert(problems, ("%s: unknown option%s"):format(
        text.printable(key), text.suggestion(key, known)))
    end
  end
end

-- what auth.xxx_credentials made stands for a username with a password, or a
-- token
local function check_credentials(given, values, problems)
  if given.credentials == nil then
    return
  end
  local fields = credentials.fields(given.credentials)
  if not fields then
    table.insert(problems, ("credentials: expected auth.basic_credentials(user, "
      .. "password) or auth.bearer_credentials(token), got a %s"):format(
        type(given.credentials)))
    return
  end
  for _, key in ipairs { "username", "password", "password_path", "token",
    "token_path" } do
    if given[key] ~= nil then
      table.insert(problems, ("credentials, or %s: only one of the two"):format(
        key))
      return
    end
  end
  for key, value in pairs(fields) do
    values[key] = value
  end
end

--- Checks what a script gives reverst.client.
---@param given reverst.ClientOptions
---@return table|nil settings
---@return string[]|nil problems
function client_settings.check(given)
  local values, problems = {}, {}
  check_others(given, problems)
  if type(given.address) == "table" then
    table.insert(problems, "address: expected one; start a client for each")
  end
  for key in pairs(others) do
    values[key] = given[key]
  end
  values.credentials = nil
  if (given.origin == nil) == (given.handle == nil) then
    table.insert(problems, "origin, or handle: exactly one of the two")
  end
  check_credentials(given, values, problems)
  for _, row in ipairs(options.client) do
    local value, message = given[row.key], nil
    if row.key == "labels" and type(value) == "table" then
      value = labels_of(value)
    end
    if value ~= nil then
      values[row.key], message = check.value(row, value)
    end
    if message then
      table.insert(problems, row.key .. ": " .. message)
    end
  end
  for _, problem in ipairs(client_settings.contradictions(values,
    function(key) return key end)) do
    table.insert(problems, problem)
  end
  if #problems > 0 then
    return nil, problems
  end
  arguments.add_defaults(options.client, values)
  return client_settings.complete(values, values.address[1])
end

return client_settings
