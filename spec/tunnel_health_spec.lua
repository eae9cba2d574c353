-- SPDX-License-Identifier: MIT
-- Tunnels that do not do well: who is offered to a policy, and who is left out.
local scene = require "tunnel_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second

-- fails after the response_timeout of the worlds below
local UNANSWERED = { mode = "never" }

local world

local function make(options, count)
  options = options or {}
  options.response_timeout = options.response_timeout or 100 * ms
  world = scene.world(options)
  local clients = {}
  for i = 1, count or 2 do
    clients[i] = scene.connect(world, {})
  end
  world:run(second)
  return clients
end

local function ask(plan)
  return scene.request(world, plan or {})
end

local function count_of(event)
  return select(2, world:log():gsub("\n" .. event .. " group=app", ""))
end

-- Requests in turn, until one went through this tunnel.
local function ask_through(tunnel)
  for _ = 1, 2 do
    if ask().tunnel == tunnel then
      return
    end
  end
  error("none went through tunnel " .. tunnel)
end

-- So many requests that this tunnel fails, the others being answered.
local function fail_in_turn(times, plan)
  for _ = 1, times do
    assert.equal(1, ask(plan).tunnel)
    assert.equal(2, ask().tunnel)
  end
end

describe("what a policy is shown", function()
  after_each(function() scene.free(world) end)
  lazy_teardown(scene.clean)

  it("leaves a silent tunnel out, until it is heard again", function()
    local clients = make { policy = true, response_timeout = 60 * second }
    assert.equal(200, ask().status)
    local all, generation = world:shown()
    assert.equal("1 2", all)
    world:socket(clients[1], "dark")
    local lost = world:visit { method = "POST", up = 10 }
    world:run(2 * second)
    assert.equal(2, ask().tunnel)
    local without, next_generation = world:shown()
    assert.equal("2", without)
    assert.is_true(next_generation > generation)
    world:socket(clients[1], "light")
    world:run_until(60 * second, function()
      return world:result(lost).outcome ~= "running"
    end)
    world:run(200 * ms)
    assert.equal(1, ask().tunnel)
    assert.equal("1 2", (world:shown()))
  end)

  it("is a silent tunnel where there is no other", function()
    local clients = make({ policy = true, response_timeout = 60 * second }, 1)
    world:socket(clients[1], "dark")
    local first = world:visit {}
    world:run(2 * second)
    local late = world:visit {}
    world:run(10 * ms)
    assert.equal("1", (world:shown()))
    world:socket(clients[1], "light")
    for _, visit in ipairs { first, late } do
      world:run_until(60 * second, function()
        return world:result(visit).outcome ~= "running"
      end)
      assert.equal(200, world:result(visit).status)
    end
  end)

  it("has the same number as long as nothing changes", function()
    make { policy = true }
    ask()
    local _, generation = world:shown()
    for _ = 1, 20 do
      world:run(second)
      ask()
      assert.equal(generation, select(2, world:shown()))
    end
  end)

  it("leaves out one that drains", function()
    local clients = make { policy = true }
    ask()
    assert.equal("1 2", (world:shown()))
    local pending = world:visit { mode = "at_once", up = 100, delay = 2 * second }
    world:run(100 * ms)
    world:drain_tunnel(1)
    world:run(200 * ms)
    ask()
    assert.equal("2", (world:shown()))
    world:run_until(60 * second, function()
      return world:result(pending).outcome ~= "running"
    end)
    assert.equal(2, #clients)
  end)
end)

describe("a tunnel that fails requests", function()
  after_each(function() scene.free(world) end)
  lazy_teardown(scene.clean)

  it("is left out of a policy's choice for a while, and comes back", function()
    make { policy = true }
    for _ = 1, 3 do
      assert.equal("timeout_head", ask(UNANSWERED).failure)
      assert.equal("1 2", (world:shown()))
    end
    assert.equal(1, count_of "tunnel_failing")
    assert.equal(2, ask().tunnel)
    assert.equal("2", (world:shown()))
    world:run(9 * second)
    assert.equal(2, ask().tunnel)
    assert.equal(0, count_of "tunnel_recovered")
    world:run(second)
    assert.equal(1, count_of "tunnel_recovered")
    assert.equal(1, ask().tunnel)
    assert.equal(1, count_of "tunnel_failing")
  end)

  it("loses its turn for a while", function()
    make { policy = false }
    ask_through(2)
    fail_in_turn(3, UNANSWERED)
    for _ = 1, 5 do
      assert.equal(2, ask().tunnel)
    end
    world:run(10 * second)
    assert.not_equal(ask().tunnel, ask().tunnel)
  end)

  it("is used where there is no other", function()
    make({}, 1)
    for _ = 1, 5 do ask(UNANSWERED) end
    assert.equal(1, count_of "tunnel_failing")
    assert.equal(200, ask().status)
  end)

  it("is one that breaks off before a head", function()
    make()
    ask_through(2)
    for _ = 1, 3 do
      assert.equal("upstream_reset", ask { mode = "abort", down = 100 }.failure)
      assert.equal(2, ask().tunnel)
    end
    assert.equal(2, ask().tunnel)
  end)

  it("is none that breaks off behind a head, or whose visitors leave", function()
    make()
    ask_through(2)
    for _ = 1, 3 do
      assert.equal("aborted", ask { mode = "abort", down = 1000000 }.outcome)
      assert.equal(2, ask().tunnel)
    end
    fail_in_turn(3, { mode = "never", cancel_after = 50 * ms })
    assert.equal(1, ask().tunnel)
    assert.equal(0, count_of "tunnel_failing")
  end)

  it("is one that takes no more of a request, but none that takes it slowly",
    function()
      make { link = { delay = 40 * ms } }
      ask_through(2)
      -- several round trips, each shorter than the time for an answer
      local upload = ask { method = "POST", up = 3000000 }
      assert.equal(200, upload.status)
      assert.is_true(upload.duration > 300 * ms)
      assert.equal(2, ask().tunnel)
      fail_in_turn(3, { method = "POST", mode = "never", up = 3000000 })
      assert.equal(1, count_of "tunnel_failing")
    end)

  it("is none whose failures are far apart", function()
    make { fail_duration = 5 * second }
    ask_through(2)
    for _ = 1, 6 do
      fail_in_turn(1, UNANSWERED)
      world:run(3 * second) -- two within any five seconds
    end
    assert.equal(0, count_of "tunnel_failing")
  end)

  it("may fail as many as is said, or any number", function()
    make { max_fails = 1, fail_duration = second }
    ask_through(2)
    fail_in_turn(1, UNANSWERED)
    assert.equal(2, ask().tunnel)
    scene.free(world)
    make { max_fails = 0xffffffff }
    ask_through(2)
    fail_in_turn(10, UNANSWERED)
    assert.equal(1, ask().tunnel)
  end)
end)
