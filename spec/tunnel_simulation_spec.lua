-- SPDX-License-Identifier: MIT
-- Whole tunnels through bad networks and worse events, by thousands of seeds.
-- REVERST_SEEDS says how many (1 000; 100 under the sanitizers), REVERST_SEED
-- tells the story of one of them again.
local scene = require "tunnel_scene"
local simtunnel = require "spec.simtunnel"
local story = require "tunnel_story"

describe("tunnels on a simulated network", function()
  lazy_teardown(scene.clean)

  local function seeds()
    local one = tonumber(os.getenv "REVERST_SEED")
    if one then
      return one, one
    end
    local count = simtunnel.sanitized and 100 or 1000
    return 1, tonumber(os.getenv "REVERST_SEEDS") or count
  end

  it("answer each request once, whole, or fail it visibly", function()
    local first, last = seeds()
    local wrong = {}
    for seed = first, last do
      local what = story.tell(seed)
      if what then
        table.insert(wrong, ("REVERST_SEED=%d: %s"):format(seed, what))
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
  end)
end)
