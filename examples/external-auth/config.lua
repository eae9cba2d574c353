-- Who may join is what a service of yours says: auth-service.py here.
local auth = require "reverst.auth"

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
      authenticate = auth.external {
        endpoint = "http://" .. (os.getenv "AUTH_ADDRESS" or "127.0.0.1:9000")
          .. "/tunnels",
        timeout = "3s",
      },
    },
  },
}
