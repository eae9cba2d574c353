-- reverst drain: ends a server as SIGTERM does.

local control_client = require "reverst.command.control_client"

local drain = {
  name = "reverst drain",
  usage = [[
usage: reverst drain [--control unix:PATH | config.lua]

Ends the server as SIGTERM does: it takes no new requests, and ends when those
under way have.  This command does not wait for that.]],
}

function drain.show()
  print "the server drains, and ends when its requests are done"
end

function drain.run(list)
  return control_client.run(drain, "drain", list)
end

return drain
