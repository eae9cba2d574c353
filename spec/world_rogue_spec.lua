-- SPDX-License-Identifier: MIT
-- Tunnel clients that registered and then do what they should not.
local Rogue = require "rogue"
local World = require "world"

describe("a tunnel client that talks nonsense", function()
  local world

  before_each(function()
    world = World.new()
    world:server { groups = { app = { "app.test" } } }
  end)
  after_each(function() world:close() end)

  -- A control stream that begins with GOAWAY: found out with the first request,
  -- since an idle tunnel has no session.
  local function add_rogues(count)
    for _ = 1, count do
      local rogue = Rogue.new(world):register "app"
      rogue:send(rogue:open(false), "\x00\x07\x01\x00")
    end
    world:turns(20)
  end

  for _, count in ipairs { 15, 16, 17, 40 } do
    it("costs nobody a request: " .. count .. " of them", function()
      add_rogues(count)
      world:connected_client {
        group = "app",
        on_request = function(_, request) request:respond { body = "fine" } end,
      }
      for _ = 1, 3 do
        assert.equal("fine", world:get("/"):body())
      end
      world:run("the end of the bad tunnels", function()
        return world.servers[1]:stats().tunnels == 1
      end)
    end)
  end

  it("is no tunnel for a request when it is the only one", function()
    add_rogues(1)
    assert.equal(503, world:get("/").status)
  end)
end)
