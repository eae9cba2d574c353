-- A page of our own while the service is being worked on: as long as the file
-- "maintenance" lies in the current folder.  Its text is shown.
local auth = require "reverst.auth"

local page = [[
<!DOCTYPE html>
<html lang="en">
<title>Back soon</title>
<h1>We will be back soon</h1>
<p>%s</p>
]]

local escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

local function on_request()
  local file = io.open "maintenance"
  if not file then
    return nil
  end
  local text = file:read "a"
  file:close()
  return {
    status = 503,
    headers = {
      ["content-type"] = "text/html; charset=utf-8",
      ["retry-after"] = "120",
      ["cache-control"] = "no-store",
    },
    body = page:format((text:gsub("[&<>]", escapes))),
  }
end

return {
  tunnel = {
    address = "127.0.0.1:7171",
    server_name = "localhost",
    certificate_path = "server.crt", -- reverst certificate localhost
    private_key_path = "server.key",
  },
  http = { address = "127.0.0.1:8181" },

  groups = {
    app = {
      hosts = { "app.localhost" },
      authenticate = auth.basic { username = "user", password = "pass" },
      on_request = on_request,
    },
  },
}
