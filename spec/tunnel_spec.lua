-- SPDX-License-Identifier: MIT
-- Tunnels in trouble, on the simulated network: silence, rebinding, draining,
-- long idling, and what becomes of the requests meanwhile.
local scene = require "tunnel_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second

local world

after_each(function()
  scene.free(world)
end)

lazy_teardown(scene.clean)

local function result(visit)
  return world:result(visit)
end

-- Runs until it is over.
local function ending(visit, limit)
  world:run_until(limit or 120 * second, function()
    return result(visit).outcome ~= "running"
  end)
  return result(visit)
end

describe("a tunnel", function()
  before_each(function()
    world = scene.world { max_idle_timeout = 20 * second }
  end)

  it("serves after a day without a request, at little cost", function()
    local _, tunnel = scene.connect(world, { keep_alive_period = 10 * second })
    local steps = world:steps()
    world:run(86400 * second)
    assert.is_nil(world:tunnel(tunnel).closed)
    assert.is_true(world:steps() - steps < 100000)
    local answer = scene.request(world,
      { method = "POST", up = 5000, down = 5000 })
    assert.equal(200, answer.status)
    assert.is_true(answer.duration < 200 * ms)
  end)

  it("ends on both sides when the network is gone", function()
    local _, tunnel = scene.connect(world, { max_idle_timeout = 20 * second })
    world:link { blackhole = true }
    local visit = world:visit {}
    local answer = ending(visit)
    assert.same({ "failed", "tunnel_lost", 1 },
      { answer.outcome, answer.failure, answer.tries })
    assert.is_true(answer.duration < 60 * second)
    assert.equal("idle", scene.closing(world, tunnel).kind)
    world:run(60 * second)
    assert.same({ 0, 0 }, { world:stats().tunnels, world:stats().connections })
  end)

  it("breaks an answer off visibly when its network is gone", function()
    scene.connect(world, {})
    local visit = world:visit { down = 3000000 }
    world:run_until(10 * second, function()
      return result(visit).received > 100000
    end)
    world:link { blackhole = true }
    local answer = ending(visit)
    assert.same({ "aborted", 200, 1 },
      { answer.outcome, answer.status, answer.tries })
  end)

  it("goes on behind a NAT that rebinds in the middle of transfers", function()
    local client = scene.connect(world, {})
    local visits = {}
    for i = 1, 5 do
      visits[i] = world:visit { method = "POST", up = 400000, down = 400000,
        mode = "at_once" }
    end
    for _ = 1, 4 do
      world:run(60 * ms)
      world:socket(client, "rebind")
    end
    for _, visit in ipairs(visits) do
      local answer = ending(visit)
      assert.same({ "answered", 200, 1 },
        { answer.outcome, answer.status, answer.executions })
    end
  end)

  -- Seeds by which acknowledgments of the path's validation are lost.
  it("ends, rather than hang, when a rebinding leaves it stuck", function()
    for _, case in ipairs { { 133, 100 }, { 412, 200 }, { 467, 200 },
      { 673, 200 }, { 896, 200 } } do
      scene.free(world)
      world = scene.world { seed = case[1],
        link = { delay = 80 * ms, loss = case[2] } }
      local client = world:client()
      repeat
        local tunnel = world:dial(client, { keep_alive_period = 10 * second })
      until scene.register(world, tunnel)
      world:run(2 * second)
      world:socket(client, "rebind")
      local answer = scene.request(world,
        { method = "POST", up = 3000, down = 3000 })
      assert.not_equal("running", answer.outcome)
    end
  end)

  it("lets requests wait for a stream in their order", function()
    scene.connect(world, { max_streams_bidi = 2 })
    local visits, last = {}, 0
    for i = 1, 30 do
      visits[i] = world:visit { delay = 100 * ms, down = 1000 }
    end
    for _, visit in ipairs(visits) do
      local answer = ending(visit)
      assert.equal("answered", answer.outcome)
      assert.is_true(answer.duration >= last)
      last = answer.duration
    end
  end)

  it("lets a retry wait for a stream as long as is said", function()
    scene.free(world)
    world = scene.world { queue_timeout = -1 } -- for ever
    for _ = 1, 2 do scene.connect(world, { max_streams_bidi = 1 }) end
    local moves = world:visit { delay = second }
    local first = world:visit { delay = 5 * second }
    world:run(200 * ms)
    world:close_tunnel(1)
    assert.equal("answered", ending(first).outcome)
    assert.same({ "answered", 2 }, { ending(moves).outcome, ending(moves).tries })
  end)

  it("is not told of a request that was cancelled while it waited", function()
    scene.connect(world, { max_streams_bidi = 1 })
    local first = world:visit { delay = 3 * second }
    local waits = world:visit {}
    world:run(second)
    world:cancel(waits)
    assert.equal("answered", ending(first).outcome)
    world:run(second)
    assert.equal(0, result(waits).executions)
  end)

  it("ends an answer by a head alone, also a late one", function()
    scene.connect(world, { max_streams_bidi = 1 })
    for _ = 1, 3 do
      local answer = scene.request(world,
        { method = "HEAD", down = 1000, delay = 500 * ms })
      assert.same({ "answered", 200 }, { answer.outcome, answer.status })
    end
  end)

  it("lets its handler know that the visitor has gone", function()
    scene.connect(world, { max_streams_bidi = 1 })
    local hung = world:visit { mode = "never" }
    world:run(second)
    world:cancel(hung)
    assert.equal("answered", scene.request(world, {}, second).outcome)
  end)
end)

describe("a silent tunnel beside another one", function()
  local silent

  -- The silent one has a request that was sent and never answered.
  local function make_silent(plan)
    world = scene.world {}
    silent = scene.connect(world, {})
    world:run(second)
    world:socket(silent, "dark")
    local visit = world:visit(plan)
    scene.connect(world, {})
    return visit
  end

  it("loses the requests that may be sent again", function()
    local visit = make_silent { method = "PUT", up = 20000, down = 10 }
    local answer = ending(visit)
    assert.same({ 200, 2, 1 },
      { answer.status, answer.tries, answer.executions })
    assert.is_true(answer.duration < 4 * second)
  end)

  it("keeps those that must not, until it is given up", function()
    local visit = make_silent { method = "POST", up = 20000 }
    world:run(10 * second)
    assert.equal("running", result(visit).outcome)
    local answer = ending(visit)
    assert.same({ "failed", "tunnel_lost", 1, 0 },
      { answer.outcome, answer.failure, answer.tries, answer.executions })
  end)

  it("gets no new ones until it is heard again", function()
    local visit = make_silent { method = "POST", up = 100 }
    world:run(2 * second)
    local others = {}
    for i = 1, 10 do
      others[i] = world:visit { method = "POST", up = 10, down = 10 }
    end
    for _, other in ipairs(others) do
      local answer = ending(other)
      assert.same({ 200, 1 }, { answer.status, answer.tries })
      assert.is_true(answer.duration < 500 * ms)
    end
    world:socket(silent, "light")
    assert.same({ 200, 1, 1 }, { ending(visit).status, result(visit).tries,
      result(visit).executions })
    -- it has its turn again: the other one alone is not enough
    world:run(second)
    local before = world:stats().tunnels
    assert.equal(2, before)
    for _ = 1, 10 do
      assert.equal(200, scene.request(world, { method = "POST" }).status)
    end
  end)

  it("is used when there is no other", function()
    world = scene.world {}
    silent = scene.connect(world, {})
    world:run(second)
    world:socket(silent, "dark")
    local first = world:visit {}
    world:run(2 * second)
    local second_one = world:visit {}
    world:socket(silent, "light")
    assert.equal(200, ending(first).status)
    assert.equal(200, ending(second_one).status)
  end)
end)

describe("a tunnel that is lost", function()
  before_each(function()
    world = scene.world {}
  end)

  it("hands its unanswered requests over where that is safe", function()
    local _, tunnel = scene.connect(world, {})
    local get = world:visit { delay = 2 * second, down = 10 }
    local post = world:visit { method = "POST", delay = 2 * second }
    local begun = world:visit { down = 500000, read_pause = 100 * ms }
    world:run(200 * ms)
    scene.connect(world, {})
    world:close_tunnel(tunnel)
    local answer = ending(get)
    assert.same({ 200, 2, 2 },
      { answer.status, answer.tries, answer.executions })
    assert.same({ "failed", "tunnel_lost", 1, 1 }, { ending(post).outcome,
      result(post).failure, result(post).tries, result(post).executions })
    assert.same({ "aborted", 1 }, { ending(begun).outcome,
      result(begun).tries })
  end)

  it("does not have a large upload sent again", function()
    local _, tunnel = scene.connect(world, {})
    scene.connect(world, {})
    local visits = {}
    for i, up in ipairs { 100000, 100000, 50000, 50000 } do
      visits[i] = world:visit { method = "PUT", up = up, delay = 3 * second }
    end
    world:run(second)
    world:close_tunnel(tunnel)
    local tries = {}
    for i, visit in ipairs(visits) do
      ending(visit)
      tries[i] = result(visit).tries
    end
    assert.same({ "failed", "answered" },
      { result(visits[1]).outcome, result(visits[2]).outcome })
    assert.same({ 1, 1, 2, 1 }, tries)
  end)

  it("tries no tunnel twice, and not for ever", function()
    local tunnels = {}
    for i = 1, 4 do
      tunnels[i] = select(2, scene.connect(world, {}))
    end
    local visit = world:visit { mode = "never" }
    for i = 1, 4 do
      world:run(500 * ms)
      world:close_tunnel(tunnels[i])
    end
    local answer = ending(visit)
    assert.same({ "failed", "tunnel_lost", 3, 3 }, { answer.outcome,
      answer.failure, answer.tries, answer.executions })
  end)
end)

describe("a client that drains", function()
  before_each(function()
    world = scene.world {}
  end)

  it("finishes what it has and gets nothing new", function()
    local _, tunnel = scene.connect(world, {})
    local under_way = world:visit { delay = 2 * second, down = 10 }
    world:run(200 * ms)
    world:drain_tunnel(tunnel)
    world:run(200 * ms)
    local late = scene.request(world, {})
    assert.same({ "failed", "no_tunnel" }, { late.outcome, late.failure })
    assert.equal(200, ending(under_way).status)
  end)

  it("has requests that cross its GOAWAY sent elsewhere, even a POST",
    function()
      local _, tunnel = scene.connect(world, {})
      scene.connect(world, {})
      world:run(second)
      world:drain_tunnel(tunnel)
      local visits = {}
      for i = 1, 6 do -- the server does not know yet
        visits[i] = world:visit { method = "POST", up = 100, down = 100 }
      end
      for _, visit in ipairs(visits) do
        local answer = ending(visit)
        assert.equal(1, answer.executions)
        assert.equal(200, answer.status)
      end
      assert.equal(3, world:stats().retries)
    end)
end)

describe("a server that asks its tunnels to go", function()
  before_each(function()
    world = scene.world {}
  end)

  it("tells those that understand it, and serves on", function()
    local _, modern = scene.connect(world, {})
    local _, like_go = scene.connect(world, { like_go = true })
    world:drain(true)
    world:run(second)
    assert.is_true(world:tunnel(modern).draining)
    assert.is_false(world:tunnel(like_go).draining)
    for _ = 1, 4 do
      assert.equal(200, scene.request(world, {}).status)
    end
  end)
end)
