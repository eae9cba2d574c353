-- reverst reload: has a server read its configuration anew.

local control_client = require "reverst.command.control_client"

local reload = {
  name = "reverst reload",
  usage = [[
usage: reverst reload [--control unix:PATH | config.lua]

Has the server read its configuration and certificate anew, and waits until it
has.  If anything is wrong, nothing changes: all mistakes are shown, and the
status is 1.]],
}

function reload.show(result)
  local took = ("%.0f ms"):format(result.took * 1000)
  if #result.changed == 0 then
    print(("reloaded in %s; nothing has changed"):format(took))
  else
    print(("reloaded in %s; changed:"):format(took))
  end
  for _, key in ipairs(result.changed) do
    print("  " .. key)
  end
  for _, name in ipairs(result.reauthenticate) do
    print(("tunnels of group %s are asked to prove themselves again"):format(name))
  end
  if #result.restart > 0 then
    print("these take a restart of the server: "
      .. table.concat(result.restart, ", "))
  end
end

function reload.run(list)
  return control_client.run(reload, "reload", list)
end

return reload
