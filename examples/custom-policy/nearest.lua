-- A policy of our own: tunnels in the visitor's region; where there are none, all
-- others.  Among equals the least busy.

local balance = require "reverst.balance"

--- @param header string the field in which a proxy before us says the region
return function(header)
  local least_conn = balance.least_conn()

  return function(tunnels, request)
    local region = request.headers[header]
    local near = {}
    for i = 1, #tunnels do
      if tunnels[i].labels.region == region then
        near[#near + 1] = tunnels[i]
      end
    end
    return least_conn(#near > 0 and near or tunnels, request)
  end
end
