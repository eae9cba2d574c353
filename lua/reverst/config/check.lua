-- Checks one value of an option, by the type in its row.  Each returns the
-- value as the program uses it; or nil and what is wrong, with a cure.

local address = require "reverst.config.address"
local auth = require "reverst.auth"
local balance = require "reverst.balance"
local duration = require "reverst.base.duration"
local hosts = require "reverst.config.hosts"
local paths = require "reverst.base.paths"
local size = require "reverst.base.size"
local text = require "reverst.base.text"

local check = {}
local types = {}

local is_v4, is_v6 = address.is_v4, address.is_v6
local is_name, is_port, split = address.is_name, address.is_port, address.split

local function got(value)
  if type(value) == "string" then
    return text.quoted(value)
  elseif value == nil then
    return "nil"
  elseif type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  end
  return "a " .. type(value)
end

local function expected(what, value)
  return nil, ("expected %s, got %s"):format(what, got(value))
end

-- a secret is not shown
local function expected_by(row, what, value)
  if row.is_secret then
    return nil, ("expected %s, got a %s"):format(what, type(value))
  end
  return expected(what, value)
end

function types.text(row, value)
  if type(value) ~= "string" then
    return expected_by(row, "a text", value)
  elseif value == "" then
    return nil, "it is empty"
  elseif value:find("\0", 1, true) then
    return nil, "it has a byte of value zero"
  end
  return value
end

types.path = types.text

function types.choice(row, value)
  for _, choice in ipairs(row.choices) do
    if value == choice then
      return value
    end
  end
  local suggestion = text.suggestion(value, row.choices)
  return nil, ("unknown %s %s%s"):format(row.what or "level", got(value),
    suggestion ~= "" and suggestion
      or "; expected " .. text.any_of(row.choices))
end

function types.duration(row, value)
  if value == false or value == "off" then
    if row.off then
      return false
    end
    return nil, "it cannot be off"
  end
  local nanoseconds, message = duration.parse(value)
  if not nanoseconds then
    return nil, ("%s, got %s"):format(message, got(value))
  end
  return nanoseconds
end

function types.count(row, value)
  local count = math.tointeger(value)
  local least = row.least or 0
  if type(value) ~= "number" or not count or count < least
    or count > row.most then
    return expected(("a whole number from %d to %d"):format(least, row.most),
      value)
  end
  return count
end

function types.size(row, value)
  local bytes, message = size.parse(value)
  if not bytes then
    return nil, ("%s, got %s"):format(message, got(value))
  elseif row.least and bytes < row.least then
    return nil, ("expected at least %d bytes, got %s"):format(row.least,
      got(value))
  end
  return bytes
end

local switches = {
  ["true"] = true, ["1"] = true, yes = true, on = true,
  ["false"] = false, ["0"] = false, no = false, off = false,
}

function types.switch(_, value)
  if switches[tostring(value)] == nil then
    return expected("true or false", value)
  end
  return switches[tostring(value)]
end

function types.short_text(_, value)
  if type(value) ~= "string" then
    return expected("a text", value)
  elseif value == "" or #value > 255 or not utf8.len(value)
    or value:find "[%c\127]" then
    return nil, ("%s: 1 to 255 bytes of UTF-8, without control characters")
      :format(got(value))
  end
  return value
end

function types.scheme(row, value)
  if not text.is_token(value) then
    return expected_by(row, "one word, such as Bearer", value)
  end
  return value
end

function types.weight(_, value)
  local weight = math.tointeger(tonumber(value))
  if not weight or weight < 1 or weight > 65535 then
    return expected("a whole number from 1 to 65535", value)
  end
  return weight
end

function types.label(_, value)
  local key = type(value) == "string" and value:match "^([%w_.-]+)="
  if not key then
    return expected("KEY=VALUE, such as region=eu", value)
  elseif value:find "[%c\127]" or not utf8.len(value) then
    return nil, ("%s: UTF-8 without control characters"):format(got(value))
  end
  return value
end

function types.listen(row, value)
  if type(value) ~= "string" then
    return expected('an address, such as "' .. row.default .. '"', value)
  end
  local host, port = split(value)
  if not host then
    return expected('HOST:PORT, such as "' .. row.default .. '"', value)
  elseif port == "" then
    return nil, ("%s has no port; write it as \"%s\""):format(got(value),
      row.default)
  elseif not is_port(port, 0) then
    return nil, ("the port of %s is not a number up to 65535"):format(
      got(value))
  elseif host ~= "" and not is_v4(host) and not is_v6(host) then
    return nil, ("%s: a name cannot be listened on; write an address of this "
      .. 'machine, such as "127.0.0.1:%s" or ":%s" for all'):format(
      got(value), port, port)
  end
  return value
end

-- "unix:PATH" in full
local function socket(path)
  path = paths.resolve(path)
  if #path > 107 then
    return nil, ("the path of a socket has at most 107 bytes; %s has %d"):format(
      got(path), #path)
  end
  return "unix:" .. path
end

-- of TCP, or of a Unix socket
function types.door(row, value)
  local path = type(value) == "string" and value:match "^unix:(.*)$"
  if not path then
    return types.listen(row, value)
  elseif path == "" or path:find("\0", 1, true) then
    return expected('a socket, such as "unix:/run/reverst/http.sock"', value)
  end
  return socket(path)
end

function types.dial(row, value)
  if type(value) ~= "string" then
    return expected('an address, such as "' .. row.default .. '"', value)
  end
  local host, port = split(value)
  if not host or host == "" or not is_port(port, 1)
    or not (is_name(host) or is_v6(host)) then
    return expected('HOST:PORT, such as "' .. row.default .. '"', value)
  end
  return value
end

function types.name(_, value)
  if type(value) ~= "string" then
    return expected("a name", value)
  elseif value:find("://", 1, true) then
    return nil, ("%s is a URL; leave only its host"):format(got(value))
  elseif not is_name(value) and not is_v6(value) then
    return expected("the name of a host, without port", value)
  end
  return value
end

-- what a Host field says
function types.authority(_, value)
  local given = type(value) == "string" and value or ""
  local host, port = split(given)
  if is_name(given) or is_v6(given:match "^%[(.*)%]$" or "")
    or host and is_port(port, 1) and (is_name(host) or is_v6(host)) then
    return value
  end
  return expected('a host, such as "app.example.com", perhaps with a port',
    value)
end

function types.group(_, value)
  if type(value) ~= "string" then
    return expected("the name of a group", value)
  elseif value == "" or #value > 255 or value:find "[%c\127]"
    or not utf8.len(value) then
    return nil, ("%s: a group's name has 1 to 255 bytes, UTF-8, and no "
      .. "control characters"):format(got(value))
  elseif value:match "^%s" or value:match "%s$" then
    return nil, ("%s: white space at an end"):format(got(value))
  end
  return value
end

function types.control(_, value)
  local path = type(value) == "string" and value:match "^unix:(.+)$"
  if not path or path:find("\0", 1, true) then
    return expected('a socket, such as "unix:/run/reverst/control.sock"', value)
  end
  return socket(path)
end

function types.origin(_, value)
  local bare = value:gsub("^https?://", ""):gsub("/$", "")
  if value:match "^unix:." or bare == value and is_port(bare, 1) then
    return value
  end
  local host, port = split(bare)
  if host and is_port(port, 1) and (host == "" or is_name(host)
    or is_v6(host)) then
    return value
  elseif bare ~= value and is_name(bare) then
    return value
  end
  local service, path = value:match "^(%a+://[^/]+)(/.+)$"
  if not service then
    service, path = value:match "^([^/]+)(/.+)$"
  end
  if service and types.origin(nil, service) then
    return nil, ("%s: leave out the path, %s: each request brings its own; "
      .. "write %s"):format(got(value), text.quoted(path),
      text.printable(service))
  end
  return expected("a local service, such as 8080, localhost:8080, "
    .. "https://127.0.0.1:8443 or unix:/run/app.sock", value)
end

function types.hosts(_, value)
  return hosts.check(value)
end

-- a text may be a secret: it is not shown
function types.authenticate(_, value)
  local not_called = auth.not_called(value)
  if not_called then
    return nil, not_called
  elseif text.is_callable(value) then
    return value
  end
  return nil, ("expected auth.basic { ... }, auth.bearer { ... }, "
    .. "auth.insecure() or a function, got %s"):format(
      type(value) == "string" and "a text" or got(value))
end

function types.policy(_, value)
  return balance.of(value)
end

function types.hook(row, value)
  if not text.is_callable(value) then
    return expected("a function, such as " .. row.example, value)
  end
  return value
end

local function check_each(row, values)
  local list, problems = {}, {}
  local count = 0
  for _ in pairs(values) do
    count = count + 1
  end
  if count ~= #values or count == 0 and row.default then
    return nil, ("expected a list such as { %q }, got %s"):format(
      row.default or row.argument, count == 0 and "an empty one" or "a table")
  elseif row.most and count > row.most then
    return nil, ("at most %d, got %d"):format(row.most, count)
  end
  for _, value in ipairs(values) do
    local checked, message = types[row.type](row, value)
    list[#list + 1] = checked
    problems[#problems + 1] = message
  end
  if #problems > 0 then
    return nil, table.concat(problems, "; ")
  end
  return list
end

--- The value of an option as the program uses it; or nil and what is wrong.
--- Where there may be many, one alone is fine.
function check.value(row, value)
  if row.many then
    return check_each(row, type(value) == "table" and value or { value })
  end
  return types[row.type](row, value)
end

return check
