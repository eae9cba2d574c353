-- SPDX-License-Identifier: MIT
-- How soon a client learns that its server does not answer any more.
local scene = require "tunnel_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second
local PERIOD, PATIENCE = 10 * second, 3 * second

describe("a registered tunnel", function()
  local world, client, tunnel

  lazy_teardown(scene.clean)
  after_each(function() scene.free(world) end)

  local function connect(options)
    options = options or {}
    options.keep_alive_period = options.keep_alive_period or PERIOD
    world = scene.world(options.world)
    client, tunnel = scene.connect(world, options)
  end

  local function is_silent()
    return world:tunnel(tunnel).silent
  end

  it("is silent three seconds after a ping that nobody answers", function()
    connect()
    world:socket(client, "dark")
    local from = world:now()
    world:run_until(30 * second, is_silent)
    local took = world:tunnel(tunnel).silence_at - from
    assert.is_true(took > PERIOD + PATIENCE - second, took)
    assert.is_true(took < PERIOD + PATIENCE + second, took)
    world:close_tunnel(tunnel)
  end)

  it("is good again with the first packet that comes", function()
    connect()
    world:socket(client, "dark")
    world:run_until(30 * second, is_silent)
    world:socket(client, "light")
    world:run_until(30 * second, function()
      return not is_silent()
    end)
    assert.is_false(is_silent())
    assert.is_nil(world:tunnel(tunnel).closed)
    assert.equal("answered", scene.request(world, { up = 0, down = 10 }).outcome)
  end)

  it("is never silent while the server answers", function()
    connect()
    for _ = 1, 60 do
      world:run(5 * second)
      assert.equal(0, world:tunnel(tunnel).silence_at)
    end
  end)

  it("waits three times the time-out of probes on a slow network", function()
    connect { world = { link = { delay = 900 * ms } }, max_idle_timeout = 120 * second }
    world:run(60 * second)
    assert.equal(0, world:tunnel(tunnel).silence_at)
    world:socket(client, "dark")
    local from = world:now()
    world:run_until(60 * second, is_silent)
    local took = world:tunnel(tunnel).silence_at - from
    assert.is_true(took > 3 * 1800 * ms, took)
    world:close_tunnel(tunnel)
  end)
end)
