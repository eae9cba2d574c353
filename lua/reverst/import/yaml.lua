-- Reads YAML as far as files of groups have it, and strictly: a key comes once,
-- and what aliases repeat has a bound.  Every node knows its place.

local text = require "reverst.base.text"
local yaml_events = require "reverst.yaml_events"

---@class reverst.import.Node
---@field kind "mapping"|"sequence"|"scalar"
---@field line integer
---@field column integer
---@field size integer nodes in it, itself included
---@field value? string of a scalar
---@field is_null? boolean
---@field entries? { name: string, key: reverst.import.Node, value: reverst.import.Node }[]
---@field items? reverst.import.Node[]

local yaml = {}

local most_bytes, most_depth, most_nodes = 1024 * 1024, 64, 100000

local known_tags = {}
for _, name in ipairs { "str", "int", "float", "bool", "null", "map", "seq" } do
  known_tags["tag:yaml.org,2002:" .. name] = name
end

local nulls = { [""] = true, ["~"] = true, null = true, Null = true, NULL = true }

local function fail(place, ...)
  error({ line = place.line, column = place.column,
    message = string.format(...) }, 0)
end

local Composer = {}
Composer.__index = Composer

function Composer:take()
  local event = self.events[self.position]
  self.position = self.position + 1
  return event
end

function Composer:peek()
  return self.events[self.position].kind
end

-- what aliases repeat counts each time
function Composer:count(place, size)
  self.nodes = self.nodes + size
  if self.nodes > most_nodes then
    fail(place, "there are more than %d values, aliases included", most_nodes)
  end
end

function Composer:alias(event)
  local node = self.anchors[event.anchor]
  if node == nil then
    fail(event, "there is no anchor &%s before it", event.anchor)
  elseif node == false then
    fail(event, "*%s stands within what it names", event.anchor)
  end
  self:count(event, node.size)
  return node
end

local function check_tag(event)
  if event.tag and event.tag ~= "!" and not known_tags[event.tag] then
    fail(event, "the tag %s has no meaning here", text.printable(event.tag))
  end
end

local function is_null(event)
  if event.tag then
    return known_tags[event.tag] == "null"
  end
  return event.is_plain and nulls[event.value] == true
end

function Composer:sequence(node)
  node.items = {}
  while self:peek() ~= "end" do
    local item = self:node()
    table.insert(node.items, item)
    node.size = node.size + item.size
  end
  self:take()
end

local function add_entry(node, entry)
  table.insert(node.entries, entry)
  node.lines[entry.name] = entry.key.line
end

-- what a mapping takes over from others by "<<"; its own keys win
local function merge(node, merges)
  for _, value in ipairs(merges) do
    local sources = value.kind == "sequence" and value.items or { value }
    for _, source in ipairs(sources) do
      if source.kind ~= "mapping" then
        fail(source, "<< takes a mapping, or a list of mappings")
      end
      for _, entry in ipairs(source.entries) do
        if not node.lines[entry.name] then
          add_entry(node, entry)
        end
      end
    end
  end
end

function Composer:mapping(node)
  local merges = {}
  node.entries, node.lines = {}, {}
  while self:peek() ~= "end" do
    local key = self:node()
    local value = self:node()
    node.size = node.size + key.size + value.size
    if key.kind ~= "scalar" then
      fail(key, "a key must be a text")
    elseif key.value == "<<" and key.is_plain then
      table.insert(merges, value)
    elseif node.lines[key.value] then
      fail(key, "the key %s stands in line %d already",
        text.quoted(key.value), node.lines[key.value])
    else
      add_entry(node, { name = key.value, key = key, value = value })
    end
  end
  self:take()
  merge(node, merges)
end

function Composer:node()
  local event = self:take()
  if event.kind == "alias" then
    return self:alias(event)
  end
  check_tag(event)
  self:count(event, 1)
  self.depth = self.depth + 1
  if self.depth > most_depth then
    fail(event, "it is nested more than %d deep", most_depth)
  end
  local node = { kind = event.kind, line = event.line, column = event.column,
    size = 1, value = event.value, is_plain = event.is_plain }
  if event.anchor then
    self.anchors[event.anchor] = false
  end
  if event.kind == "scalar" then
    node.is_null = is_null(event)
  else
    self[event.kind](self, node)
  end
  if event.anchor then
    self.anchors[event.anchor] = node
  end
  self.depth = self.depth - 1
  return node
end

local function place_of(content, where)
  if where.line then
    return where
  end
  local before = content:sub(1, where.offset)
  local _, line = before:gsub("\n", "")
  return { line = line + 1, column = #before:match "[^\n]*$" + 1 }
end

local function compose(content)
  if #content > most_bytes then
    fail({ line = 1, column = 1 }, "it is larger than %d bytes", most_bytes)
  end
  local events, message, where = yaml_events.events(content)
  if not events then
    fail(place_of(content, where), "%s", message)
  end
  local composer = setmetatable({ events = events, position = 1, nodes = 0,
    depth = 0, anchors = {} }, Composer)
  if composer:take().kind ~= "document" then
    return nil
  end
  local root = composer:node()
  composer:take()
  local second = composer:take()
  return root, second.kind == "document" and second or nil
end

--- The first document of a text.
---@param content string
---@return reverst.import.Node|nil root nil: there is none, or a problem
---@return { line: integer, column: integer, message: string }|nil problem
---@return { line: integer, column: integer }|nil second where another document begins
function yaml.read(content)
  local ok, root, second = pcall(compose, content)
  if ok then
    return root, nil, second
  elseif type(root) == "table" then
    return nil, root
  end
  error(root, 0)
end

return yaml
