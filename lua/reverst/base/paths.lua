-- Paths in a configuration are relative to its file.

local paths = {}

local base = ""

--- The folder of a file, with a slash at its end; "" for the current one.
---@param path string
---@return string
function paths.folder_of(path)
  return path:match "^(.*/)" or ""
end

--- What relative paths are relative to from now on; returns what it was.
---@param folder string
---@return string
function paths.set_base(folder)
  local before = base
  base = folder
  return before
end

---@param path string
---@return string
function paths.resolve(path)
  return path:sub(1, 1) == "/" and path or base .. path
end

--- The text of a file; or nil and why, with the path.
---@param path string
---@return string|nil
---@return string|nil message
function paths.read(path)
  local file, message = io.open(path, "rb")
  if not file then
    return nil, message
  end
  local content
  content, message = file:read "a"
  file:close()
  if not content then
    return nil, path .. ": " .. message
  end
  return content
end

return paths
