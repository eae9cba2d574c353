-- Requests that a client answers itself: what `handle` of reverst.client gets.

local headers = require "reverst.base.headers"
local size = require "reverst.base.size"
local text = require "reverst.base.text"

---@class reverst.Response
---@field status? integer 200 to 599; default 200
---@field headers? table<string, string|number|string[]>
---@field body? string

---@class reverst.Request
---@field method string
---@field path string without the query
---@field query string|nil what follows the "?"
---@field host string lower case, without a port
---@field scheme string
---@field peer string|nil the visitor's address, as the server tells it
---@field id string|nil the number of the request in the server's log
---@field group string
---@field headers table<string, string>
---@field cookies table<string, string>
local Request = {}

-- where a request keeps its handle
local HANDLE = {}

local lazy = {}

function lazy.cookies(request)
  return headers.cookies(request.headers.cookie)
end

-- the server adds the address that it sees at the end
function lazy.peer(request)
  local addresses = request.headers["x-forwarded-for"]
  return addresses and addresses:match "([^,%s]+)%s*$"
end

function lazy.id(request)
  return request.headers["x-request-id"]
end

local metatable = {}

function metatable.__index(request, key)
  if lazy[key] then
    local value = lazy[key](request)
    rawset(request, key, value)
    return value
  end
  return Request[key]
end

local DEFAULT_BODY = 1024 * 1024

--- The next bytes of the body (waits); nil at its end.
---@param max? integer so many at most; default 64 KiB
---@return string|nil
---@return string|nil message "closed": the visitor has gone
---@return string|nil code
function Request:read(max)
  local bytes, message, code = self[HANDLE]:read(max)
  if bytes == "" then
    return nil
  end
  return bytes, message, code
end

local function check_size(value)
  local bytes, message = size.parse(value)
  return bytes or error("body: " .. message, 3)
end

--- The whole body, or what is left of it (waits).
---@param limit? string|integer no more than that; default "1MiB"
---@return string|nil
---@return string|nil message
---@return string|nil code "REVERST_ERR_LIMIT", "REVERST_ERR_CLOSED"
function Request:body(limit)
  local pieces, length = {}, 0
  limit = limit and check_size(limit) or DEFAULT_BODY
  while true do
    local bytes, message, code = self:read()
    if message then
      return nil, message, code
    elseif not bytes then
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = bytes
    length = length + #bytes
    if length > limit then
      return nil, ("the body is larger than %d bytes"):format(limit),
        "REVERST_ERR_LIMIT"
    end
  end
end

local function flatten(fields, level)
  local list, message = headers.flatten(fields)
  if not list then
    error(message, level + 1)
  end
  return list
end

local response_fields = { "body", "headers", "status" }

local function check_response(response, level)
  if type(response) ~= "table" then
    error(("expected a response such as { status = 200, body = \"...\" }, got a %s")
      :format(type(response)), level + 1)
  end
  for key in pairs(response) do
    if key ~= "status" and key ~= "headers" and key ~= "body" then
      error(("response: unknown field %s%s"):format(text.quoted(key),
        text.suggestion(key, response_fields)), level + 1)
    end
  end
  local status = response.status
  if status ~= nil and (math.type(status) ~= "integer" or status < 200
    or status > 599) then
    error(("response: expected a status from 200 to 599, got %s"):format(
      text.printable(status)), level + 1)
  elseif response.body ~= nil and type(response.body) ~= "string" then
    error(("response: expected a text as body, got a %s"):format(
      type(response.body)), level + 1)
  end
end

--- Begins an answer in parts.
---@param response reverst.Response without body
---@return true|nil
---@return string|nil message
---@return string|nil code
function Request:start(response)
  check_response(response, 2)
  if response.body then
    error("start: a body is written with request:write", 2)
  end
  return self[HANDLE]:start(response.status or 200,
    flatten(response.headers, 2))
end

--- Sends a part of the body; waits while the visitor is behind.
---@param bytes string
---@return true|nil
---@return string|nil message "closed": nobody reads any more
---@return string|nil code
function Request:write(bytes)
  return self[HANDLE]:write(bytes)
end

--- Ends an answer in parts.
---@param trailers? table<string, string>
---@return true|nil
---@return string|nil message
---@return string|nil code
function Request:finish(trailers)
  return self[HANDLE]:finish(flatten(trailers, 2))
end

local function new_request(handle, group)
  local method, scheme, host, path, list = handle:head()
  if not method then
    return nil
  end
  host = host:lower()
  return setmetatable({
    [HANDLE] = handle,
    method = method,
    scheme = scheme,
    host = host:match "^%[.*%]" or host:match "^[^:]*",
    path = path:match "^[^?]*",
    query = path:match "%?(.*)$",
    group = group,
    headers = headers.collect(list),
  }, metatable)
end

local request = {}

--- What reverst.core calls with the handle of each request.
---@param handle fun(request: reverst.Request): reverst.Response|nil
---@param group string
---@return fun(handle: userdata)
function request.server(handle, group)
  return function(core_handle)
    local asked = new_request(core_handle, group)
    local response = asked and handle(asked)
    if response == nil then
      return -- answered in parts, or not at all, which is an error
    end
    check_response(response, -1) -- handle is over: there is no place to tell
    local ok, message, code = core_handle:respond(response.status or 200,
      flatten(response.headers, -1), response.body)
    if not ok and code ~= "REVERST_ERR_CLOSED" then
      error("the response cannot be sent: " .. message, 0)
    end
  end
end

return request
