-- One request of twenty goes to the version that is tried out.
local auth = require "reverst.auth"
local balance = require "reverst.balance"

local known = auth.basic { username = "user", password = "pass" }

-- The server decides what a tunnel weighs, whatever its client says.
local function authenticate(registration)
  local accepted, reason = known(registration)
  if not accepted then
    return accepted, reason
  end
  local is_canary = registration.labels.track == "canary"
  return { weight = is_canary and 1 or 19 }
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
      authenticate = authenticate,
      balance = balance.weighted_round_robin(),
    },
  },
}
