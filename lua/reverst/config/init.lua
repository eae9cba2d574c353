-- Loads config.lua, checks all of it, and joins it with flags and environment.

local chunk = require "reverst.config.chunk"
local groups = require "reverst.config.groups"
local options = require "reverst.config.options"
local paths = require "reverst.base.paths"
local rows = require "reverst.config.rows"
local text = require "reverst.base.text"

-- What config.lua returns.  A duration is "30s", "1m30s", "500ms" or a number
-- of seconds; false is off.  A size is "64KiB", "10MB" or a number of bytes.

---@alias reverst.Duration string|number
---@alias reverst.Size string|integer

--- Gives the name of a group, a response, or nil: then the hosts decide.
---@alias reverst.Route fun(request: reverst.Request): string|reverst.Response|nil

---@class reverst.Config
---@field tunnel? reverst.TunnelConfig
---@field http? reverst.HttpConfig
---@field log? reverst.LogConfig
---@field drain_timeout? reverst.Duration|false default "30s"
---@field secret_path? string relative to this file; else derived from the private key
---@field memory_budget? reverst.Size of buffered bodies; default "256MiB"
---@field control? string "unix:/run/reverst/control.sock"
---@field watch? boolean reload whenever a file of the configuration changes
---@field route? reverst.Route
---@field hook_timeout? reverst.Duration|false of each call of a hook; default "30s"
---@field groups table<string, reverst.GroupConfig> by the names that clients register with

---@class reverst.TunnelConfig
---@field address? string where tunnel clients connect; default "127.0.0.1:7171"
---@field server_name? string required, here or by -n
---@field certificate_path? string required, here or by -c; relative to this file
---@field private_key_path? string required, here or by -k
---@field max_idle_timeout? reverst.Duration default "1m"
---@field keep_alive_period? reverst.Duration|false default "30s"
---@field retry_threshold? integer default 1024
---@field registration_timeout? reverst.Duration default "10s"
---@field max_pending? integer default 16384
---@field max_pending_per_address? integer default 256

---@class reverst.HttpConfig
---@field address? string|string[] where visitors connect; default "127.0.0.1:8181"
---@field default_host? string the host of HTTP/1.0 requests without one; default: they get 400
---@field max_connections? integer default: half of the open files allowed, at most 65536
---@field max_connections_per_address? integer default 1000

---@class reverst.LogConfig
---@field level? "trace"|"debug"|"info"|"warn"|"error"|"off"
---@field format? "logfmt"|"json"

---@class reverst.GroupConfig
---@field hosts string[] names, "*.example.com" (all below), "*" (all others)
---@field authenticate reverst.Strategy
---@field reauthenticate? boolean default true
---@field balance? string|reverst.Policy default "round_robin"
---@field retries? integer default 2
---@field response_timeout? reverst.Duration|false default false
---@field queue_timeout? reverst.Duration default "30s"
---@field max_fails? integer default 3
---@field fail_duration? reverst.Duration default "10s"
---@field on_request? fun(request: reverst.Request): reverst.Response|nil
---@field on_response? fun(request: reverst.Request, response: reverst.Response)
---@field on_tunnel_up? fun(tunnel: reverst.Tunnel)
---@field on_tunnel_down? fun(tunnel: reverst.Tunnel, reason: string)

local config = {}

-- collects "file: place: message"; without a file, "place: message"
local function new_problems(file, problems)
  problems = problems or {}
  return problems, function(place, message, ...)
    problems[#problems + 1] = (file and file .. ": " or "") .. place .. ": "
      .. (select("#", ...) > 0 and message:format(...) or message)
  end
end

-- of the rows of a section
local function first_key(section)
  for _, row in ipairs(options.server) do
    local key = row.key:match("^" .. section .. "%.(.*)$")
    if key then
      return key
    end
  end
end

-- what a file says, by key; all its mistakes are complained of
local function check_file(complain, given, needs_groups)
  local keys, sections = rows.known_keys(options.server)
  local known = { groups = true }
  rows.merge(known, keys)
  rows.merge(known, sections)
  rows.complain_of_unknown(complain, "", given, known)
  local values = rows.check_table(complain, "", given, keys, "")
  for _, section in ipairs(text.sorted_keys(sections)) do
    local part = given[section]
    if type(part) == "table" then
      rows.complain_of_unknown(complain, section, part, sections[section])
      rows.merge(values, rows.check_table(complain, section, part, sections[section],
        section .. "."))
    elseif part ~= nil then
      complain(section, "expected a table, got a %s; write %s = { %s = ... }",
        type(part), section, first_key(section))
    end
  end
  if given.groups ~= nil or needs_groups then
    values.groups = groups.check(complain, given.groups)
  end
  return values
end

local function complain_of_missing(complain, row, has_file)
  local cure = ""
  if row.key == "tunnel.certificate_path" then
    cure = " (reverst certificate NAME makes one to try with)"
  end
  complain(row.key, "missing; set it %sby --%s%s or by %s%s",
    has_file and "here, " or "", row.flag,
    row.short and " (-" .. row.short .. ")" or "", options.variable(row), cure)
end

local function check_readable(complain, row, path)
  local content, message = paths.read(path)
  if not content then
    complain(row.key, "%s", message)
  end
end

-- What flags and the environment say goes over what the file says.
local function join(complain, from_file, given, overrides, failed)
  local settings = {}
  for _, row in ipairs(options.server) do
    local value = overrides[row.key]
    if value == nil then
      value = rows.with_default(row, from_file[row.key])
    end
    local written = given and options.get(given, row.key)
    if value == nil and row.required and written == nil then
      complain_of_missing(complain, row, given)
    elseif value ~= nil and row.type == "path" and not failed then
      check_readable(complain, row, value)
    end
    options.set(settings, row.key, value)
  end
  settings.groups = from_file.groups
  return settings
end

--- The settings of a server.
---@param file string how the file is called in messages
---@param given table what it returned
---@param overrides table values by key, from flags and environment
---@return table settings nested, as reverst.core.server takes them, and groups; or nil
---@return string[]|nil problems all of them
function config.settings(file, given, overrides)
  local problems, complain = new_problems(file)
  if type(given) ~= "table" then
    return nil, { ("%s: expected a table, got %s; write { tunnel = ..., http = "
      .. "..., groups = ... }"):format(file,
        given == nil and "nil" or "a " .. type(given)) }
  end
  local from_file = check_file(complain, given, true)
  local settings = join(complain, from_file, given, overrides, #problems > 0)
  if #problems > 0 then
    return nil, problems
  end
  return settings
end

local file_form = {
  import_flags = "",
  example = "return { tunnel = ..., http = ..., groups = ... }",
}

local groups_form = {
  import_flags = " --groups",
  example = 'return { app = { hosts = { "app.example.com" }, '
    .. "authenticate = ... } }",
}

--- Runs a configuration file and checks what it returns; and likewise the file
--- of --tunnel-groups, whose groups replace the others.
---@param path string|nil nil: flags and environment say it all
---@param overrides table values by key, from flags and environment
---@return table settings or nil
---@return string[]|nil problems
function config.load(path, overrides)
  local problems, complain = new_problems(path)
  local groups_path = overrides.groups_path
  local given
  local from_file = {}
  local function run(file, form, use)
    local done, message = chunk.run(file, form, use)
    if not done then
      table.insert(problems, message)
    end
    return done
  end
  local usable = not path or run(path, file_form, function(returned)
    given = returned
    from_file = check_file(complain, given, not groups_path)
  end)
  if groups_path then
    local _, complain_of_groups = new_problems(groups_path, problems)
    run(groups_path, groups_form, function(returned)
      from_file.groups = groups.check(complain_of_groups, returned)
    end)
  end
  local settings = usable
    and join(complain, from_file, given, overrides, #problems > 0)
  if #problems > 0 then
    return nil, problems
  end
  return settings
end

return config
