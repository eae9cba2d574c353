-- The files that a configuration was made of, for reloads: what has changed, and
-- what is to be watched.

local fingerprint = require "reverst.fingerprint"

local sources = {}

local most = 256 -- as many are watched

local files = {}

-- later ones of the same path are the same file
local function add(file)
  for _, known in ipairs(files) do
    if known.path == file.path then
      return
    end
  end
  if #files < most then
    files[#files + 1] = file
  end
end

--- A file with code was read, or could not be.
---@param path string
---@param content string|nil
function sources.add_code(path, content)
  add { path = path, fingerprint = content and fingerprint(content) or "missing" }
end

--- A file with a secret is to be read.
---@param path string
function sources.add_secret(path)
  add { path = path }
end

--- The files since the last call, at most 256; fingerprint: of those with code.
---@return { path: string, fingerprint: string|nil }[]
function sources.take()
  local taken = files
  files = {}
  return taken
end

return sources
