-- Writes groups as a configuration in Lua.

local text = require "reverst.base.text"

local write = {}

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- a literal of Lua on one line
local function literal(value)
  return '"' .. value:gsub('[%c\127"\\]', function(byte)
    return escapes[byte] or byte:match '["\\]' and "\\" .. byte
      or ("\\x%02x"):format(byte:byte())
  end) .. '"'
end

-- not a word of the language, either
local function is_name(key)
  return key:match "^[%a_][%w_]*$" and load("local " .. key) ~= nil
end

local function key_of(name)
  return is_name(name) and name or "[" .. literal(name) .. "]"
end

local Writer = {}
Writer.__index = Writer

function Writer:line(...)
  table.insert(self.lines, self.indent .. string.format(...))
end

function Writer:within()
  self.indent = self.indent .. "  "
end

function Writer:out()
  self.indent = self.indent:sub(1, -3)
end

-- Words wrapped into lines that begin with "-- ".
function Writer:comment(words)
  local line = "--"
  for word in text.printable(words):gmatch "%S+" do
    if #line > 3 and #self.indent + #line + 1 + #word > 78 then
      self:line("%s", line)
      line = "--"
    end
    line = line .. " " .. word
  end
  self:line("%s", line)
end

-- auth.basic { … }, on one line where it fits
function Writer:strategy(strategy, before, after)
  local parts = {}
  for _, field in ipairs(strategy.fields) do
    table.insert(parts, field[1] .. " = " .. literal(field[2]))
  end
  local line = ("%sauth.%s { %s }%s"):format(before, strategy.kind,
    table.concat(parts, ", "), after)
  if #self.indent + #line <= 80 then
    self:line("%s", line)
    return
  end
  self:line("%sauth.%s {", before, strategy.kind)
  self:within()
  for _, part in ipairs(parts) do
    self:line("%s,", part)
  end
  self:out()
  self:line("}%s", after)
end

function Writer:authenticate(group)
  local strategies = group.strategies
  if group.is_open then
    self:line "authenticate = auth.insecure(),"
  elseif #strategies == 0 then
    self:line "authenticate = function()"
    self:line '  return false, "how to authenticate was not imported"'
    self:line "end,"
  elseif #strategies == 1 then
    self:strategy(strategies[1], "authenticate = ", ",")
  else
    self:line "authenticate = auth.any {"
    self:within()
    for _, strategy in ipairs(strategies) do
      self:strategy(strategy, "", ",")
    end
    self:out()
    self:line "},"
  end
end

function Writer:group(group)
  for _, remark in ipairs(group.remarks) do
    self:comment(("line %d: %s"):format(remark.line, remark.message))
  end
  if #group.hosts == 0 then
    return
  end
  local hosts = {}
  for _, host in ipairs(group.hosts) do
    table.insert(hosts, literal(host))
  end
  self:line("%s = {", key_of(group.name))
  self:within()
  local line = ("hosts = { %s },"):format(table.concat(hosts, ", "))
  if #self.indent + #line <= 80 then
    self:line("%s", line)
  else
    self:line "hosts = {"
    for _, host in ipairs(hosts) do
      self:line("  %s,", host)
    end
    self:line "},"
  end
  self:authenticate(group)
  self:out()
  self:line "},"
end

local function has_secret(groups)
  for _, group in ipairs(groups) do
    for _, strategy in ipairs(group.strategies) do
      if strategy.has_secret and #group.hosts > 0 then
        return true
      end
    end
  end
  return false
end

local function uses_auth(groups)
  for _, group in ipairs(groups) do
    if #group.hosts > 0 and (group.is_open or #group.strategies > 0) then
      return true
    end
  end
  return false
end

local function write_head(writer, groups, source)
  writer:comment("Imported from " .. source .. " by reverst import.")
  if has_secret(groups) then
    writer:comment "Passwords and tokens stand here as they stood there: let \z
      nobody else read this file."
  end
  if uses_auth(groups) then
    writer:line 'local auth = require "reverst.auth"'
  end
  table.insert(writer.lines, "")
end

local function write_addresses(writer)
  writer:comment "What the original takes as flags may stand here, or be given \z
    by flags of the same names."
  for _, line in ipairs {
    "tunnel = {",
    '  address = "127.0.0.1:7171",',
    '  server_name = "tunnel.example.com",',
    '  certificate_path = "server.crt",',
    '  private_key_path = "server.key",',
    "},",
    'http = { address = "127.0.0.1:8181" },',
  } do
    writer:line("-- %s", line)
  end
end

--- The text of config.lua, or of a file for --tunnel-groups.
---@param groups reverst.import.Group[]
---@param source string the name of the file they come from
---@param groups_only boolean
---@return string
function write.config(groups, source, groups_only)
  local writer = setmetatable({ lines = {}, indent = "" }, Writer)
  write_head(writer, groups, source)
  writer:line "return {"
  writer:within()
  if not groups_only then
    write_addresses(writer)
    writer:line "groups = {"
    writer:within()
  end
  for _, group in ipairs(groups) do
    writer:group(group)
  end
  if not groups_only then
    writer:out()
    writer:line "},"
  end
  writer:out()
  writer:line "}"
  return table.concat(writer.lines, "\n") .. "\n"
end

return write
