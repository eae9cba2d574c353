-- Loads config.lua, checks all of it, and joins it with flags and environment.

local check = require "reverst.check"
local options = require "reverst.options"
local paths = require "reverst.paths"
local text = require "reverst.text"

-- What config.lua returns.  A duration is "30s", "1m30s", "500ms" or a number
-- of seconds; false is off.

---@alias reverst.Duration string|number

---@class reverst.Config
---@field tunnel? reverst.TunnelConfig
---@field http? { address?: string } where visitors connect; default "127.0.0.1:8181"
---@field log? { level?: "trace"|"debug"|"info"|"warn"|"error"|"off" }
---@field drain_timeout? reverst.Duration|false
---@field secret_path? string relative to this file; else derived from the private key
---@field groups table<string, reverst.GroupConfig>

---@class reverst.TunnelConfig
---@field address? string where tunnel clients connect; default "127.0.0.1:7171"
---@field server_name? string required, here or by -n
---@field certificate_path? string required, here or by -c; relative to this file
---@field private_key_path? string required, here or by -k
---@field max_idle_timeout? reverst.Duration
---@field keep_alive_period? reverst.Duration|false
---@field retry_threshold? integer default 1024

---@class reverst.GroupConfig
---@field hosts string[]
---@field authenticate reverst.Strategy
---@field balance? "round_robin"
---@field retries? integer default 2
---@field response_timeout? reverst.Duration|false default false
---@field queue_timeout? reverst.Duration default "30s"

local config = {}

-- collects "file: place: message"
local function new_problems(file)
  local problems = {}
  return problems, function(place, message, ...)
    problems[#problems + 1] = table.concat({ file, place,
      select("#", ...) > 0 and message:format(...) or message }, ": ")
  end
end

-- the sections and keys below one table, from the rows' keys
local function known_keys(rows)
  local keys, sections = {}, {}
  for _, row in ipairs(rows) do
    local section, key = row.key:match "^(.-)%.(.*)$"
    if section then
      sections[section] = sections[section] or {}
      sections[section][key] = row
    else
      keys[row.key] = row
    end
  end
  return keys, sections
end

local function complain_of_unknown(complain, place, given, known)
  for _, key in ipairs(text.sorted_keys(given)) do
    if not known[key] then
      complain(text.field(place, key), "unknown key%s",
        text.suggestion(key, text.sorted_keys(known)))
    end
  end
end

-- The checked values of one table, by the rows' keys.  False counts as given.
local function check_table(complain, place, given, rows, prefix)
  local values = {}
  for key, row in pairs(rows) do
    if given[key] ~= nil then
      local value, message = check.value(row, given[key])
      if message then
        complain(text.field(place, key), "%s", message)
      elseif row.type == "path" then
        value = paths.resolve(value)
      end
      values[prefix .. key] = value
    end
  end
  return values
end

local function merge(into, from)
  for key, value in pairs(from) do
    into[key] = value
  end
end

local function with_default(row, value)
  if value == nil and row.default ~= nil then
    return check.value(row, row.default)
  end
  return value
end

local function check_group(complain, name, given)
  local place = text.field("groups", name)
  if type(given) ~= "table" then
    complain(place, "expected a table, got a %s", type(given))
    return
  end
  local rows = known_keys(options.group)
  complain_of_unknown(complain, place, given, rows)
  if given.hosts == nil then
    complain(place, 'no hosts; write hosts = { "app.example.com" }')
  end
  if given.authenticate == nil then
    complain(place, "no authenticate (a misspelt name is nil in Lua); write "
      .. "auth.insecure() to accept anyone")
  end
  local group = check_table(complain, place, given, rows, "")
  for _, row in ipairs(options.group) do
    group[row.key] = with_default(row, group[row.key])
  end
  group.name = name
  return group
end

-- each host belongs to one group
local function check_owners(complain, groups)
  local owners = {}
  for _, group in ipairs(groups) do
    local place = text.field(text.field("groups", group.name), "hosts")
    for _, host in ipairs(group.hosts or {}) do
      local owner = owners[host]
      if owner == group.name then
        complain(place, "%s is listed twice", text.quoted(host))
      elseif owner then
        complain(place, "%s belongs to group %s already", text.quoted(host),
          text.quoted(owner))
      end
      owners[host] = owner or group.name
    end
  end
end

local function check_groups(complain, given)
  if given == nil or type(given) == "table" and next(given) == nil then
    complain("groups", 'none; write groups = { app = { hosts = '
      .. '{ "app.example.com" }, authenticate = ... } }')
    return {}
  elseif type(given) ~= "table" then
    complain("groups", "expected a table, got a %s", type(given))
    return {}
  end
  local groups = {}
  local row = { type = "group" }
  for _, name in ipairs(text.sorted_keys(given)) do
    local _, message = check.value(row, name)
    if message then
      complain(text.field("groups", name),
        "%s; write groups = { name = { ... } }", message)
    else
      groups[#groups + 1] = check_group(complain, name, given[name])
    end
  end
  check_owners(complain, groups)
  return groups
end

-- what a file says, by key; all its mistakes are complained of
local function check_file(complain, given)
  local keys, sections = known_keys(options.server)
  local known = { groups = true }
  merge(known, keys)
  merge(known, sections)
  complain_of_unknown(complain, "", given, known)
  local values = check_table(complain, "", given, keys, "")
  for _, section in ipairs(text.sorted_keys(sections)) do
    local part = given[section]
    if type(part) == "table" then
      complain_of_unknown(complain, section, part, sections[section])
      merge(values, check_table(complain, section, part, sections[section],
        section .. "."))
    elseif part ~= nil then
      complain(section, "expected a table, got a %s", type(part))
    end
  end
  values.groups = check_groups(complain, given.groups)
  return values
end

local function complain_of_missing(complain, row)
  local cure = ""
  if row.key == "tunnel.certificate_path" then
    cure = " (reverst certificate NAME makes one to try with)"
  end
  complain(row.key, "missing; set it here, by --%s%s or by %s%s", row.flag,
    row.short and " (-" .. row.short .. ")" or "", options.variable(row), cure)
end

local function check_readable(complain, row, path)
  local content, message = paths.read(path)
  if not content then
    complain(row.key, "%s", message)
  end
end

--- The settings of a server.
---@param file string how the file is called in messages
---@param given table what it returned
---@param overrides table values by key, from flags and environment
---@return table settings nested, as reverst.core.server takes them, and groups; or nil
---@return string[]|nil problems all of them
function config.settings(file, given, overrides)
  local problems, complain = new_problems(file)
  local from_file = check_file(complain, given)
  local failed = #problems > 0
  local settings = {}
  for _, row in ipairs(options.server) do
    local value = overrides[row.key]
    if value == nil then
      value = with_default(row, from_file[row.key])
    end
    local written = options.get(given, row.key)
    if value == nil and row.required and written == nil then
      complain_of_missing(complain, row)
    elseif value ~= nil and row.type == "path" and not failed then
      check_readable(complain, row, value)
    end
    options.set(settings, row.key, value)
  end
  settings.groups = from_file.groups
  if #problems > 0 then
    return nil, problems
  end
  return settings
end

local function looks_like_yaml(path, source)
  if path:match "%.ya?ml$" then
    return true
  end
  for line in source:gmatch "[^\r\n]+" do
    if not line:match "^%s*#" and not line:match "^%s*$" then
      return line:match "^%-%-%-%s*$" or line:match "^[%w_.-]+:%s*$"
        or line:match "^[%w_.-]+:%s+%S"
    end
  end
end

local function traceback(message)
  if type(message) ~= "string" then
    message = ("the error object is a %s value"):format(type(message))
  end
  -- what called the file is of no interest
  return (debug.traceback(message, 2):gsub("\n%s*%[C%]: in function 'xpcall'.*",
    ""))
end

-- modules that lie beside the file are found by require
local function with_folder(folder, run)
  local path = package.path
  local before = paths.set_base(folder)
  package.path = (folder == "" and "./" or folder) .. "?.lua;" .. path
  local ok, result = run()
  paths.set_base(before)
  package.path = path
  return ok, result
end

--- Runs a configuration file and checks what it returns.
---@param path string
---@param overrides table values by key, from flags and environment
---@return table settings or nil
---@return string[]|nil problems
function config.load(path, overrides)
  local source, message = paths.read(path)
  if not source then
    return nil, { message }
  end
  local chunk
  chunk, message = load(source, "@" .. path, "t")
  if looks_like_yaml(path, source) and not chunk then
    return nil, { path .. ": this is YAML; a configuration of reverst is a Lua "
      .. "file that returns a table (see examples/simple/config.lua)" }
  elseif not chunk then
    return nil, { message }
  end
  local problems
  local ok, result = with_folder(paths.folder_of(path), function()
    local ok, given = xpcall(chunk, traceback)
    if ok and type(given) == "table" then
      local settings
      settings, problems = config.settings(path, given, overrides)
      return ok, settings
    end
    return ok, given
  end)
  if not ok then
    return nil, { result }
  elseif problems then
    return nil, problems
  elseif type(result) ~= "table" then
    return nil, { ("%s: it returns %s, expected a table: return { tunnel = "
      .. "..., http = ..., groups = ... }"):format(path,
        result == nil and "nothing" or "a " .. type(result)) }
  end
  return result
end

return config
