-- A server with one group, for the tunnel client in this folder.
local auth = require "reverst.auth"

return {
  tunnel = {
    address = "127.0.0.1:7171",
    server_name = "flipt.dev.local",
    -- beside this file; -c and -k name others
    certificate_path = "server.crt",
    private_key_path = "server.key",
  },
  http = { address = "127.0.0.1:8181" },

  groups = {
    ["flipt.dev.local"] = {
      hosts = { "flipt.dev.local" },
      authenticate = auth.basic { username = "user", password = "pass" },
    },
  },
}
