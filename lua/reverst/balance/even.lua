-- Policies that know nothing of the visitor.

local arguments = require "reverst.balance.arguments"
local policy = require "reverst.balance.policy"

local even = {}

--- One after the other.
function even.round_robin()
  local turn = 0
  return policy.new("round_robin", {}, function(tunnels)
    turn = turn < #tunnels and turn + 1 or 1
    return tunnels[turn]
  end)
end

--- Any of them.
function even.random()
  local random = math.random
  return policy.new("random", {}, function(tunnels)
    return tunnels[random(#tunnels)]
  end)
end

--- The one that has been there for the longest time; the others stand by.
function even.first()
  return policy.new("first", {}, function(tunnels)
    return tunnels[1]
  end)
end

--- The one with the fewest requests under way; in turn among equals.
function even.least_conn()
  local turn = 0
  return policy.new("least_conn", {}, function(tunnels)
    local count = #tunnels
    turn = turn < count and turn + 1 or 1
    local best = tunnels[turn]
    local least = best.active
    local i = turn
    while least > 0 do
      i = i < count and i + 1 or 1
      if i == turn then
        break
      end
      local active = tunnels[i].active
      if active < least then
        best, least = tunnels[i], active
      end
    end
    return best
  end)
end

--- The least busy of some that are picked at random: nearly as even as
--- least_conn, and as cheap with ten thousand tunnels as with ten.
---@param count? integer how many are picked: 2
function even.random_choose(count)
  count = arguments.count("balance.random_choose", count, 2, 1000)
  local random = math.random
  -- the call that a place was last picked in
  local picked, call = {}, 0
  return policy.new("random_choose", { count }, function(tunnels)
    local best, least, equals
    local all = #tunnels
    call = call + 1
    -- so many different ones (R. Floyd's way)
    for last = all > count and all - count + 1 or 1, all do
      local i = random(last)
      if picked[i] == call then
        i = last
      end
      picked[i] = call
      local active = tunnels[i].active
      if not best or active < least then
        best, least, equals = tunnels[i], active, 1
      elseif active == least then
        -- the picked ones come roughly in their order: the first of equals
        -- would have all that an idle group gets
        equals = equals + 1
        if random(equals) == 1 then
          best = tunnels[i]
        end
      end
    end
    return best
  end)
end

--- One after the other, in proportion to their weights, and without bursts: each
--- gains its weight with each request, and who has most pays for all.
function even.weighted_round_robin()
  local gained = setmetatable({}, { __mode = "k" })
  return policy.new("weighted_round_robin", {}, function(tunnels)
    local best, most
    local total = 0
    for i = 1, #tunnels do
      local tunnel = tunnels[i]
      local weight = tunnel.weight
      local gain = (gained[tunnel] or 0) + weight
      total = total + weight
      gained[tunnel] = gain
      if not best or gain > most then
        best, most = tunnel, gain
      end
    end
    gained[best] = most - total
    return best
  end)
end

return even
