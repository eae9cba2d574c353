-- Mistakes in configurations: pieces of Lua in a file that is good otherwise.

local config = require "reverst.config"
local new_folder = require "new_folder"

local mistakes = {}

local tunnel = 'server_name = "a.test", certificate_path = "server.crt", '
  .. 'private_key_path = "server.key"'
local group = '{ hosts = { "a.test" }, authenticate = auth.insecure() }'

local function file(in_tunnel, groups, at_top)
  return ([[local auth, balance = require "reverst.auth", require "reverst.balance"
return { tunnel = { %s, %s }, groups = %s, %s }]]):format(tunnel, in_tunnel,
    groups, at_top)
end

--- What a piece may be of a configuration that is good otherwise.
mistakes.places = {
  ["the file"] = function(piece) return piece end,
  ["the table"] = function(piece)
    return file("", "{ app = " .. group .. " }", piece)
  end,
  tunnel = function(piece)
    return file(piece, "{ app = " .. group .. " }", "")
  end,
  groups = function(piece) return file("", piece, "") end,
  ["a group"] = function(piece)
    return file("", "{ app = { " .. piece .. " } }", "")
  end,
  hosts = function(piece)
    return file("", ("{ app = { hosts = %s, authenticate = auth.insecure() } }")
      :format(piece), "")
  end,
  authenticate = function(piece)
    return file("", ('{ app = { hosts = { "a.test" }, authenticate = %s } }')
      :format(piece), "")
  end,
  ["an option of a group"] = function(piece)
    return file("", ("{ app = { hosts = { 'a.test' }, "
      .. "authenticate = auth.insecure(), %s } }"):format(piece), "")
  end,
}

local folder

local function write(name, content)
  local stream = assert(io.open(folder .. "/" .. name, "wb"))
  stream:write(content)
  stream:close()
  return folder .. "/" .. name
end

local function problems_of(content)
  local settings, problems = config.load(write("config.lua", content), {})
  assert(not settings, "it is no mistake")
  local prefix = (folder .. "/"):gsub("%p", "%%%0")
  for i, problem in ipairs(problems) do
    problems[i] = problem:gsub(prefix, ""):gsub("^config%.lua:? ?", "")
  end
  return problems
end

--- For setup.
function mistakes.open()
  folder = new_folder()
  for name, content in pairs { ["server.crt"] = "x", ["server.key"] = "x",
    empty = "", password = "pass" } do
    write(name, content)
  end
end

--- For teardown.
function mistakes.close()
  os.execute("rm -r " .. folder)
end

--- All that is said of a piece, behind "config.lua: ", or from the number of the
--- line on.
---@param place string
---@param piece string
---@return string[]
function mistakes.told(place, piece)
  return problems_of(mistakes.places[place](piece))
end

return mistakes
