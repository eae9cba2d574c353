-- HTTP requests to other services, in functions that may wait.

local core = require "reverst.core"
local duration = require "reverst.base.duration"
local headers = require "reverst.base.headers"
local size = require "reverst.base.size"
local text = require "reverst.base.text"

---@class reverst.HttpOptions
---@field url? string "https://host/path", "http://unix:/run/app.sock:/path"
---@field method? string default "GET"
---@field headers? table<string, string|number|string[]>
---@field body? string
---@field timeout? reverst.Duration in all; default "30s"
---@field connect_timeout? reverst.Duration TLS included; default "10s"
---@field max_body? string|integer of the answer; default "1MiB"
---@field ca_path? string PEM file with the roots to trust; default: the system's

---@class reverst.HttpResponse
---@field status integer
---@field headers table<string, string|string[]> by any case; set-cookie is a list
---@field body string

---@class reverst.http
local http = {}

-- each: the value as reverst.core takes it; or nil and what is wrong
local checks = {}

local function check_text(value)
  if type(value) ~= "string" then
    return nil, "expected a text, got a " .. type(value)
  end
  return value
end

checks.url, checks.body, checks.ca_path = check_text, check_text, check_text

function checks.method(value)
  if type(value) ~= "string" or not value:match "^%u+$" then
    return nil, 'expected a method, such as "POST", got '
      .. text.quoted(value)
  end
  return value
end

checks.timeout, checks.connect_timeout = duration.parse, duration.parse
checks.max_body = size.parse

function checks.headers(value)
  local list, message = headers.flatten(value)
  -- the place is said already
  return list, message and message:gsub("^headers: ", "")
end

-- by name, so that the one who wrote them is told which is wrong
local function check(name, options, level)
  if type(options) ~= "table" then
    error(("%s: expected a table of options, got a %s"):format(name,
      type(options)), level + 1)
  end
  local checked = {}
  for _, key in ipairs(text.sorted_keys(options)) do
    if not checks[key] then
      error(("%s: unknown option %s%s"):format(name, text.quoted(key),
        text.suggestion(key, text.sorted_keys(checks))), level + 1)
    end
    local value, message = checks[key](options[key])
    if value == nil then
      error(("%s: %s: %s"):format(name, key, message), level + 1)
    end
    checked[key] = value
  end
  return checked
end

-- a C string would end at a NUL byte
local function fetch_text(checked)
  if checked.url:find("\0", 1, true) then
    return nil, "", "REVERST_ERR_ADDRESS"
  end
  return core.fetch(checked)
end

local function fetch(checked)
  local response, message, code = fetch_text(checked)
  if not response then
    if code == "REVERST_ERR_ADDRESS" then
      message = ("%s is not a URL: write http://host/path or https://host/path")
        :format(text.quoted(checked.url))
    end
    return nil, message, code
  end
  response.headers = headers.collect(response.headers)
  return response
end

local function request_to(name, url, options, method)
  local checked = check(name, options or {}, 3)
  if type(url) ~= "string" then
    error(("%s: expected a URL, got a %s"):format(name, type(url)), 3)
  elseif checked.url then
    error(("%s: the URL comes first, not among the options"):format(name), 3)
  end
  checked.url = url
  checked.method = checked.method or method
  return checked
end

--- Asks for a URL; waits for the whole answer.  Redirects are not followed.
---@param url string
---@param options? reverst.HttpOptions
---@return reverst.HttpResponse|nil
---@return string|nil message
---@return string|nil code "REVERST_ERR_TIMEOUT"
function http.get(url, options)
  return fetch(request_to("http.get", url, options, "GET"))
end

--- Sends options.body to a URL; waits for the whole answer.
---@param url string
---@param options? reverst.HttpOptions
---@return reverst.HttpResponse|nil
---@return string|nil message
---@return string|nil code
function http.post(url, options)
  return fetch(request_to("http.post", url, options, "POST"))
end

--- The same with options.url and any method.
---@param options reverst.HttpOptions
---@return reverst.HttpResponse|nil
---@return string|nil message
---@return string|nil code
function http.request(options)
  local checked = check("http.request", options, 2)
  if not checked.url then
    error("http.request: no url", 2)
  end
  return fetch(checked)
end

return http
