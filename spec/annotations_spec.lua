-- What editors know: every function that scripts may call has annotations, with
-- a line for each parameter.

local host = require "host"

local modules = { "reverst", "reverst.auth", "reverst.balance", "reverst.crypto",
  "reverst.http", "reverst.json", "reverst.log", "reverst.testing" }

-- says of each function: module, name, source, line, and its parameters
local list = [[
local function show(module, name, value)
  if type(value) ~= "function" then
    return
  end
  local info = debug.getinfo(value, "Su")
  local parameters = {}
  for i = 1, info.nparams do
    parameters[i] = debug.getlocal(value, i)
  end
  if info.isvararg then
    parameters[#parameters + 1] = "..."
  end
  print(table.concat({ module, name, info.source, info.linedefined,
    table.concat(parameters, " ") }, "\t"))
end

for _, name in ipairs(arg) do
  for key, value in pairs(require(name)) do
    show(name, key, value)
  end
end
local reverst = require "reverst"
local client = assert(reverst.client { address = "127.0.0.1:1", group = "a",
  server_name = "localhost", origin = "http://127.0.0.1:1" })
for class, handle in pairs {
  Client = client,
  Server = assert(reverst.server(dofile "server.lua")),
  Task = reverst.spawn(function() end),
} do
  for key, value in pairs(debug.getmetatable(handle).__index) do
    show(class, key, value)
  end
  if handle.close then
    handle:close()
  end
end
]]

local server = [[
return {
  tunnel = { address = "127.0.0.1:0", server_name = "localhost",
    certificate_path = "server.crt", private_key_path = "server.key" },
  http = { address = "127.0.0.1:0" },
  groups = { app = { hosts = { "app.test" },
    authenticate = require "reverst.auth".insecure() } },
}]]

local texts = {}

-- the lines of a module's file, or nil
local function lines_of(folder, name)
  for _, path in ipairs {
    ("lua/%s/%s.lua"):format(folder, name:gsub("%.", "/")),
    ("lua/%s/%s/init.lua"):format(folder, name:gsub("%.", "/")),
  } do
    path = path:gsub("//", "/")
    local file = not texts[path] and io.open(path)
    if file then
      texts[path] = {}
      for line in file:lines() do
        table.insert(texts[path], line)
      end
      file:close()
    end
    if texts[path] then
      return texts[path], path
    end
  end
end

-- the comment that ends before a line
local function comment_above(lines, number)
  local first = number
  while lines[first - 1] and lines[first - 1]:match "^%s*%-%-%-" do
    first = first - 1
  end
  return table.concat(lines, "\n", first, number - 1)
end

-- the number of the line that begins so
local function find_line(lines, beginning)
  for i, line in ipairs(lines) do
    if line:sub(1, #beginning) == beginning then
      return i
    end
  end
end

-- where a function is described: the lines of the file, and the line after it
local function place_of(row)
  if row.source:match "^=reverst" then
    local lines = lines_of("", row.source:sub(2))
    return lines, row.line
  elseif not row.module:match "^reverst" then
    local lines = lines_of("annotations", "reverst.handles")
    return lines, find_line(lines, ("function %s:%s("):format(row.module,
      row.name))
  end
  local lines = lines_of("annotations", row.module)
  local short = row.module:match "[^.]+$"
  return lines, lines and find_line(lines, ("function %s.%s("):format(short,
    row.name))
end

-- a field of the module's class may say it all
local function has_field(row)
  local lines = lines_of("", row.module)
  for _, line in ipairs(lines or {}) do
    local before = "---@field " .. row.name .. " fun("
    if line:sub(1, #before) == before then
      return true
    end
  end
  return false
end

local function complaint_of(row)
  local lines, number = place_of(row)
  if has_field(row) then
    return nil
  elseif not lines or not number then
    return "no annotations"
  end
  local comment = comment_above(lines, number)
  if comment == "" then
    return "no annotations"
  end
  local parameters = row.parameters
  if not row.source:match "^=reverst" then
    -- functions in C have none of their own
    parameters = lines[number]:match "%((.*)%) end$":gsub(",", "")
  end
  for parameter in parameters:gmatch "%S+" do
    if parameter ~= "self" and not comment:find("---@param "
      .. parameter:gsub("%p", "%%%0") .. "%??%s") then
      return "no ---@param " .. parameter
    end
  end
end

describe("the functions of scripts", function()
  before_each(host.open)
  after_each(host.close)

  it("are annotated, parameter by parameter", function()
    host.make_certificate "server"
    host.write("server.lua", server)
    host.write("list.lua", list)
    local program = { "env", "-C", host.path "", host.reverst, "run", "-l", "off",
      "list.lua", name = "list" }
    table.move(modules, 1, #modules, #program + 1, program)
    local listing = require "programs".start(program)
    assert.same({ "exit", 0 }, { listing:wait() })
    local complaints, count = {}, 0
    for line in listing:text "output":gmatch "[^\n]+" do
      local row = {}
      row.module, row.name, row.source, row.line, row.parameters =
        line:match "^(.-)\t(.-)\t(.-)\t(.-)\t(.-)$"
      row.line = tonumber(row.line)
      local complaint = complaint_of(row)
      count = count + 1
      if complaint then
        complaints[#complaints + 1] = ("%s.%s: %s"):format(row.module, row.name,
          complaint)
      end
    end
    table.sort(complaints)
    assert.same({}, complaints)
    assert.is_true(count > 50)
  end)

  it("are not annotated twice, nor when they are gone", function()
    local lines = lines_of("annotations", "reverst.crypto")
    local crypto = require "reverst.crypto"
    for _, line in ipairs(lines) do
      local name = line:match "^function crypto%.([%w_]+)"
      assert.is_true(not name or crypto[name] ~= nil, name)
    end
  end)
end)
