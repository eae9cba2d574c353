-- A server with a policy that is a module beside this file.
local auth = require "reverst.auth"
local nearest = require "nearest"

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
      balance = nearest "x-region",
    },
  },
}
