-- Folders of certificates that the program openssl makes by a shell script.

local new_folder = require "new_folder"

local openssl_folder = {}

--- Runs the script, whose first argument is the new folder; nil without openssl.
---@param script string
---@return string|nil
function openssl_folder.make(script)
  if not os.execute "openssl version >/dev/null 2>&1" then
    return nil
  end
  local folder = new_folder()
  local file = assert(io.open(folder .. "/make.sh", "w"))
  file:write(script)
  file:close()
  assert(os.execute(("sh %s/make.sh %s >%s/log 2>&1"):format(folder, folder,
    folder)), "certificates cannot be made")
  return folder
end

---@param folder string|nil
function openssl_folder.remove(folder)
  if folder then
    os.execute("rm -r " .. folder)
  end
end

return openssl_folder
