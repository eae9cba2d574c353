-- What a groups file of the Go original says, and what of it is wrong, is
-- ignored, or cannot be carried over.

local check = require "reverst.config.check"
local text = require "reverst.base.text"

---@class reverst.import.Remark
---@field line integer
---@field column integer
---@field message string
---@field kind "problem"|"lost"|"note" lost: not carried over; note: good to know

---@class reverst.import.Strategy
---@field kind "basic"|"bearer"|"external"
---@field fields { [1]: string, [2]: string }[] names and values, in order
---@field has_secret boolean

---@class reverst.import.Group
---@field name string
---@field hosts string[]
---@field strategies reverst.import.Strategy[]
---@field is_open boolean the original has no authentication there
---@field remarks reverst.import.Remark[]

local Reader = {}
Reader.__index = Reader

local names = { mapping = "a mapping", sequence = "a list", scalar = "a text" }

function Reader:remark(kind, node, ...)
  local remark = { kind = kind, line = node.line, column = node.column,
    message = string.format(...) }
  table.insert(self.remarks, remark)
  if self.group then
    table.insert(self.group.remarks, remark)
  end
end

function Reader:problem(node, ...)
  self:remark("problem", node, ...)
end

-- nil where it is null, as if it were not there; or of another kind: a problem
function Reader:of_kind(node, kind, place)
  if not node or node.is_null then
    return nil
  elseif node.kind ~= kind then
    self:problem(node, "%s: expected %s, got %s", place, names[kind],
      names[node.kind])
    return nil
  end
  return node
end

-- The values of a mapping by key; what is unknown is ignored, as the original
-- does.
function Reader:fields(node, place, known)
  local fields = {}
  for _, entry in ipairs(node.entries) do
    local is_known = false
    for _, name in ipairs(known) do
      is_known = is_known or name == entry.name
    end
    if is_known then
      fields[entry.name] = entry.value
    else
      self:remark("note", entry.key, "%s: the original ignores the key %s%s",
        place, text.quoted(entry.name), text.suggestion(entry.name, known))
    end
  end
  return fields
end

-- as the original: what is empty is as if it were not there
function Reader:text(fields, name, place)
  local node = self:of_kind(fields[name], "scalar", place .. "." .. name)
  if not node or node.value == "" then
    return nil
  elseif node.value:find "%z" then
    self:problem(node, "%s.%s: it has a zero byte in it", place, name)
    return nil
  end
  return node.value, node
end

function Reader:scheme(fields, place, default)
  local scheme, node = self:text(fields, "scheme", place)
  if not scheme then
    return default
  end
  local _, message = check.value({ type = "scheme" }, scheme)
  if message then
    self:problem(node, "%s.scheme: %s", place, message)
  elseif place:match "[^.]+$" ~= "external"
    and scheme:lower() ~= default:lower() then
    self:remark("note", node, "%s.scheme: the original refuses everyone whose "
      .. "scheme is not %s, so nobody came in by this; now who has the "
      .. "credentials does", place, default)
  end
  return scheme
end

local function new_strategy(kind, scheme, default, ...)
  local strategy = { kind = kind, scheme = scheme, fields = { ... } }
  if scheme:lower() ~= default:lower() then
    table.insert(strategy.fields, { "scheme", scheme })
  end
  return strategy
end

local kinds = {}

function kinds.basic(reader, node, place)
  local fields = reader:fields(node, place, { "scheme", "username", "password" })
  local scheme = reader:scheme(fields, place, "Basic")
  local username, username_node = reader:text(fields, "username", place)
  local password = reader:text(fields, "password", place)
  for name, value in pairs { username = username or false,
    password = password or false } do
    if not value then
      reader:problem(fields[name] or node, "%s: %s must not be empty", place,
        name)
    end
  end
  if not username or not password then
    return nil
  elseif username:find(":", 1, true) then
    reader:problem(username_node, "%s.username: with a colon in it, nobody "
      .. "can have it", place)
    return nil
  end
  local strategy = new_strategy("basic", scheme, "Basic",
    { "username", username }, { "password", password })
  strategy.has_secret = true
  return strategy
end

-- in the order of the original, which takes the first
local token_keys = { "token", "tokenPath", "hashedToken", "hashedTokenPath" }
local lua_names = { token = "token", tokenPath = "token_path",
  hashedToken = "hashed_token", hashedTokenPath = "hashed_token_path" }

local function check_path(reader, node, place, path)
  local scheme = path:match "^([%a][%w+.-]*):"
  if scheme == "k8s" then
    reader:remark("lost", node, "%s: %s: secrets of Kubernetes are not read; "
      .. "mount it as a file", place, text.quoted(path))
    return false
  elseif scheme then
    reader:problem(node, "%s: %s: expected the path of a file", place,
      text.quoted(path))
    return false
  elseif path:sub(1, 1) ~= "/" then
    reader:remark("note", node, "%s: %s was relative to where the server was "
      .. "started, and is now relative to this file", place, text.quoted(path))
  end
  return true
end

local checks = { tokenPath = check_path, hashedTokenPath = check_path }

function checks.hashedToken(reader, node, place, hash)
  if hash:match "^%x+$" and #hash == 64 then
    return true
  end
  reader:problem(node, "%s: expected a SHA-256, 64 hexadecimal digits", place)
  return false
end

function kinds.bearer(reader, node, place)
  local fields = reader:fields(node, place, { "scheme", table.unpack(token_keys) })
  local scheme = reader:scheme(fields, place, "Bearer")
  local taken, value, value_node
  for _, key in ipairs(token_keys) do
    local given, given_node = reader:text(fields, key, place)
    if given and taken then
      reader:remark("note", given_node, "%s: the original ignores %s beside %s",
        place, key, taken)
    elseif given then
      taken, value, value_node = key, given, given_node
    end
  end
  if not taken then
    reader:problem(node, "%s: one of token, tokenPath, hashedToken and "
      .. "hashedTokenPath must not be empty", place)
    return nil
  elseif checks[taken] and not checks[taken](reader, value_node,
    place .. "." .. taken, value) then
    return nil
  end
  local strategy = new_strategy("bearer", scheme, "Bearer",
    { lua_names[taken], value })
  strategy.has_secret = taken == "token"
  return strategy
end

function kinds.external(reader, node, place)
  local fields = reader:fields(node, place, { "scheme", "endpoint" })
  local scheme = reader:scheme(fields, place, "Bearer")
  local endpoint, endpoint_node = reader:text(fields, "endpoint", place)
  if not endpoint then
    reader:problem(node, "%s: endpoint must not be empty", place)
    return nil
  elseif not endpoint:match "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#%s]+[^%s]*$" then
    reader:problem(endpoint_node, "%s.endpoint: expected an http or https URL",
      place)
    return nil
  end
  reader:remark("note", endpoint_node, "%s: the original takes status 200 "
    .. "alone for a yes, and follows redirects; now any 2xx is a yes, and a "
    .. "redirect is a no", place)
  return new_strategy("external", scheme, "Bearer", { "endpoint", endpoint })
end

-- One strategy per scheme: the original's condition, too.
function Reader:strategies(node, place)
  local fields = self:fields(node, place, { "basic", "bearer", "external" })
  local strategies, schemes, count = {}, {}, 0
  for _, kind in ipairs { "basic", "bearer", "external" } do
    local below = place .. "." .. kind
    local part = self:of_kind(fields[kind], "mapping", below)
    count = count + (part and 1 or 0)
    local strategy = part and kinds[kind](self, part, below)
    if strategy and schemes[strategy.scheme:lower()] then
      self:problem(part, "%s: its scheme %s is that of %s already", below,
        strategy.scheme, schemes[strategy.scheme:lower()])
    elseif strategy then
      schemes[strategy.scheme:lower()] = kind
      table.insert(strategies, strategy)
    end
  end
  return strategies, count == 0
end

-- as this server writes it; or nil and why the original never got it
local function host_of(host)
  if host:find("*", 1, true) then
    return nil, "the original knows no wildcards"
  elseif host:match "^[%x.]*:[%x.]*:[%x:.]*$" then
    host = "[" .. host .. "]"
  elseif host:match ":%d+$" then
    return nil, "the original compares names without port"
  end
  local checked, message = check.value({ type = "hosts" }, { host })
  return checked and checked[1], message
end

function Reader:host(node, place)
  local given = self:of_kind(node, "scalar", place)
  if not given then
    return nil
  end
  local host, reason = host_of(given.value)
  if not host then
    self:remark("note", given, "%s: %s is left out, since no request can have "
      .. "it (%s)", place, text.quoted(given.value), reason)
    return nil
  end
  local owner = self.owners[host]
  if owner and owner ~= self.group.name then
    self:remark("lost", given, "%s: %s is that of group %s already; the "
      .. "original takes any of the two", place, text.quoted(host),
      text.quoted(owner))
    return nil
  end
  self.owners[host] = self.group.name
  return not owner and host or nil
end

function Reader:hosts(node, place)
  local hosts = {}
  for _, item in ipairs(node and node.items or {}) do
    table.insert(hosts, (self:host(item, place)))
  end
  return hosts
end

function Reader:read_group(entry)
  local place = text.field("groups", entry.name)
  self.group = { name = entry.name, hosts = {}, strategies = {}, remarks = {} }
  local _, message = check.value({ type = "group" }, entry.name)
  if message then
    self:problem(entry.key, "%s: %s", place, message)
  end
  local node = self:of_kind(entry.value, "mapping", place)
  local fields = node and self:fields(node, place, { "hosts", "authentication" })
    or {}
  local hosts = self:of_kind(fields.hosts, "sequence", place .. ".hosts")
  self.group.hosts = self:hosts(hosts, place .. ".hosts")
  local authentication = self:of_kind(fields.authentication, "mapping",
    place .. ".authentication")
  if authentication then
    self.group.strategies, self.group.is_open = self:strategies(authentication,
      place .. ".authentication")
  else
    self.group.is_open = true
  end
  if self.group.is_open then
    self:remark("note", entry.key, "%s: it has no authentication: anyone may "
      .. "join", place)
  end
  if #self.group.hosts == 0 then
    self:remark("lost", entry.key, "%s: it has no host that a request can "
      .. "have; a group needs one here", place)
  end
  local group = self.group
  self.group = nil
  return group
end

local read = {}

--- The groups of a file, in its order, and all remarks.
---@param root reverst.import.Node|nil
---@return reverst.import.Group[] groups
---@return reverst.import.Remark[] remarks in the order of reading
function read.groups(root)
  local reader = setmetatable({ remarks = {}, owners = {} }, Reader)
  local start = { line = 1, column = 1 }
  local groups = {}
  local top = reader:of_kind(root, "mapping", "the file")
  local node = top and reader:of_kind(
    reader:fields(top, "the file", { "groups" }).groups, "mapping", "groups")
  for _, entry in ipairs(node and node.entries or {}) do
    table.insert(groups, reader:read_group(entry))
  end
  if #groups == 0 and #reader.remarks == 0 then
    reader:problem(root or start, "it has no groups")
  end
  return groups, reader.remarks
end

return read
