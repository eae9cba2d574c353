#!/usr/bin/env -S reverst run
-- A service that is nothing but this script: it counts its visits.
-- usage: client.lua [ADDRESS [ROOTS]]

local json = require "reverst.json"
local reverst = require "reverst"

local visits = 0

local function handle(request)
  if request.path == "/slow" then
    reverst.sleep(0.2) -- others are served meanwhile
  elseif request.path ~= "/" then
    return { status = 404, body = "there is nothing\n" }
  end
  visits = visits + 1
  return {
    headers = { ["content-type"] = "application/json" },
    body = json.encode { visits = visits, host = request.host } .. "\n",
  }
end

assert(reverst.client {
  address = arg[1] or "127.0.0.1:7171",
  server_name = "localhost",
  ca_path = arg[2] or "server.crt",
  group = "app",
  username = "user",
  password = "pass",
  handle = handle,
  on_connected = function()
    print "registered"
    io.stdout:flush()
  end,
  on_disconnected = function(event)
    io.stderr:write("no tunnel: ", event.error, "\n")
  end,
})
