-- Runs a Lua file that returns a table: a configuration, or its groups.

local lua_errors = require "reverst.base.lua_errors"
local paths = require "reverst.base.paths"
local sources = require "reverst.base.sources"

local chunk = {}

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

-- the searcher for modules in Lua, which also notes what it has found
local function noting(search)
  return function(name)
    local path = package.searchpath(name, package.path)
    if path then
      sources.add_code(path, (paths.read(path)))
    end
    return search(name)
  end
end

-- modules that lie beside the file are found by require
local function with_folder(folder, run)
  local path, search = package.path, package.searchers[2]
  local before = paths.set_base(folder)
  package.path = (folder == "" and "./" or folder) .. "?.lua;" .. path
  package.searchers[2] = noting(search)
  run()
  package.searchers[2] = search
  paths.set_base(before)
  package.path = path
end

local function compile(path, flags)
  local source, message = paths.read(path)
  sources.add_code(path, source)
  if not source then
    return nil, message
  end
  local compiled
  compiled, message = load(source, "@" .. path, "t")
  if not compiled and looks_like_yaml(path, source) then
    return nil, ("%s: this is YAML: run `reverst import%s %s`, which prints "
      .. "in Lua what it says"):format(path, flags, path)
  end
  return compiled, not compiled and lua_errors.explain(source, message) or nil
end

--- Runs the file, and gives what it returned to a function, as long as relative
--- paths are relative to the file.
---@param path string
---@param form { import_flags: string, example: string } for messages
---@param use fun(given: table)
---@return boolean done
---@return string|nil message
function chunk.run(path, form, use)
  local compiled, message = compile(path, form.import_flags)
  if not compiled then
    return false, message
  end
  local ok, given
  with_folder(paths.folder_of(path), function()
    local handler = lua_errors.handler(path)
    ok, given = xpcall(compiled, handler)
    if ok and type(given) == "table" then
      -- what it returned may have metamethods, that fail, too
      local is_good, why = xpcall(use, handler, given)
      ok, given = is_good, is_good and given or why
    end
  end)
  if not ok then
    return false, given
  elseif type(given) ~= "table" then
    return false, ("%s: it returns %s, expected a table: %s"):format(path,
      given == nil and 'nothing (is "return" missing?)'
        or "a " .. type(given), form.example)
  end
  return true
end

return chunk
