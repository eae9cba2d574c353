-- What a server runs with, as texts by key: told from what a file says now
-- without keeping that, or any secret.

local fingerprint = require "reverst.fingerprint"
local options = require "reverst.config.options"
local paths = require "reverst.base.paths"

local record = {}

-- What a value is, in so many words that another value has others.  `code`
-- stands for all functions, which cannot be looked into.
local function describe(value, code)
  local kind = type(value)
  if kind == "function" then
    return "function " .. code
  elseif kind ~= "table" then
    return tostring(value)
  elseif type(rawget(value, "fingerprint")) == "string" then
    return rawget(value, "fingerprint")
  elseif getmetatable(value) then
    return "callable " .. code
  end
  local parts = {}
  for i, part in ipairs(value) do
    parts[i] = describe(part, code)
  end
  return table.concat(parts, " ")
end

-- one text for all code of the configuration
local function describe_files(files)
  local parts = {}
  for _, file in ipairs(files) do
    if file.fingerprint then
      parts[#parts + 1] = file.path .. "\0" .. file.fingerprint
    end
  end
  return fingerprint(table.concat(parts, "\0"))
end

local function describe_certificate(settings)
  local parts = {}
  for _, key in ipairs { "certificate_path", "private_key_path" } do
    parts[#parts + 1] = paths.read(settings.tunnel[key]) or ""
  end
  return fingerprint(table.concat(parts, "\0"))
end

--- What there is to know of settings.
---@param settings table as config.load gives them
---@param files { path: string, fingerprint: string|nil }[] see sources.take
---@return { options: table<string, string>, groups: table<string, table<string, string>> }
function record.of(settings, files)
  local code = describe_files(files)
  local known = { options = {}, groups = {} }
  for _, row in ipairs(options.server) do
    local value = options.get(settings, row.key)
    if value ~= nil then
      known.options[row.key] = describe(value, code)
    end
  end
  known.options["the certificate"] = describe_certificate(settings)
  for _, group in ipairs(settings.groups) do
    local texts = {}
    for _, row in ipairs(options.group) do
      if group[row.key] ~= nil then
        texts[row.key] = describe(group[row.key], code)
      end
    end
    known.groups[group.name] = texts
  end
  return known
end

local function add_differences(list, before, now, prefix)
  for key, value in pairs(now) do
    if before[key] ~= value then
      list[#list + 1] = prefix .. key
    end
  end
  for key in pairs(before) do
    if now[key] == nil then
      list[#list + 1] = prefix .. key
    end
  end
end

local function needs_restart(key)
  for _, row in ipairs(options.server) do
    if row.key == key then
      return row.effect == "restart"
    end
  end
end

-- What needs a restart is as it was, and named; `now` becomes what runs then.
local function take_back(before, now)
  local restart = {}
  local differences = {}
  add_differences(differences, before, now, "")
  for _, key in ipairs(differences) do
    if needs_restart(key) then
      restart[#restart + 1] = key
      now[key] = before[key]
    end
  end
  table.sort(restart)
  return restart
end

--- How what is wanted differs from what runs.  What needs a restart is taken
--- out of `now`.
---@return string[] changed what is in use from now on, "groups.NAME: added"
---@return string[] restart keys
---@return string[] asked_again names of groups with another authenticate
function record.compare(before, now)
  local restart = take_back(before.options, now.options)
  local changed, asked_again = {}, {}
  add_differences(changed, before.options, now.options, "")
  for name, group in pairs(now.groups) do
    local known = before.groups[name]
    if not known then
      changed[#changed + 1] = ("groups.%s: added"):format(name)
    else
      add_differences(changed, known, group, ("groups.%s."):format(name))
      if known.authenticate ~= group.authenticate then
        asked_again[#asked_again + 1] = name
      end
    end
  end
  for name in pairs(before.groups) do
    if not now.groups[name] then
      changed[#changed + 1] = ("groups.%s: removed"):format(name)
    end
  end
  table.sort(changed)
  table.sort(asked_again)
  return changed, restart, asked_again
end

return record
