-- reverst stats: the counters of a server.

local control_client = require "reverst.command.control_client"
local text = require "reverst.base.text"

local stats = {
  name = "reverst stats",
  usage = [[
usage: reverst stats [--control unix:PATH | config.lua]

Shows every counter of a server.]],
}

function stats.show(result)
  for _, key in ipairs(text.sorted_keys(result)) do
    if key ~= "ok" then
      print(("%-24s %d"):format(key, result[key]))
    end
  end
end

function stats.run(list)
  return control_client.run(stats, "stats", list)
end

return stats
