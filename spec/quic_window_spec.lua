-- Windows of streams: how they grow, and that they do not while memory is
-- short.

local scene = require "quic_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second
local KiB, MiB = 1024, 1024 * 1024

lazy_teardown(function()
  scene.clean()
end)

describe("the window of a stream", function()
  local s

  before_each(function()
    s = scene.new { link = { delay = 20 * ms } }
    assert.is_true(s:until_handshake())
    s.world:run(second)
  end)

  after_each(function()
    s:free()
  end)

  -- the most that the client could send at once in a stream of that size
  local function most_of(size)
    local id = assert(s.world:open(s.peer, size, "uni"))
    local other = s:other()
    assert.is_true(s.world:run_until(300 * second, function()
      local flow = s.world:flow(other, id)
      return flow and flow.received == size
    end))
    s.world:run(second)
    return s.world:flow(s.peer, id).most_window
  end

  it("grows while it is used up, up to its limit", function()
    local most = most_of(60 * MiB)
    assert.is_true(most > 2 * MiB, most)
    assert.is_true(most <= 4 * MiB, most)
  end)

  it("stays as it is while the other end is short of memory", function()
    s.world:set_short(s.server, true)
    local most = most_of(10 * MiB)
    assert.is_true(most <= 128 * KiB, most)
  end)

  it("grows again when there is memory again", function()
    s.world:set_short(s.server, true)
    most_of(2 * MiB)
    s.world:set_short(s.server, false)
    local most = most_of(60 * MiB)
    assert.is_true(most > 2 * MiB, most)
  end)

  it("stays as it is where little is sent", function()
    for _ = 1, 40 do
      assert.is_true(most_of(60 * KiB) <= 128 * KiB)
    end
  end)
end)
