-- Two versions stand beside each other, and all visitors go to one of them.
-- Their clients say which they are: reverst http --label color=blue.
local auth = require "reverst.auth"
local balance = require "reverst.balance"

local active = "blue" -- to switch: change it, then reload

local among_equals = balance.least_conn()

local function choose(tunnels, request)
  -- who tests the other version asks for it
  local color = request.headers["x-color"] or active
  local equals = {}
  for i = 1, #tunnels do
    if tunnels[i].labels.color == color then
      equals[#equals + 1] = tunnels[i]
    end
  end
  -- nil is 503: nobody gets the wrong version by accident
  return #equals > 0 and among_equals(equals, request) or nil
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
      balance = choose,
    },
  },
}
