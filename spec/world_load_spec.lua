-- SPDX-License-Identifier: MIT
-- Many at once, slow ones beside quick ones, and what is left of them all.
--
-- REVERST_SPEC_FULL=1: 1 000 tunnels and 100 000 exchanges instead of 100 and
-- 5 000, and 100 seconds of a slow reader instead of 3.
local World = require "world"
local handlers = require "handlers"

local full = os.getenv("REVERST_SPEC_FULL") == "1"

local KILOBYTE = 1024
local MEGABYTE = 1024 * KILOBYTE

local function answer(_, request)
  request:respond { body = "PONG\n" }
end

local function heap()
  collectgarbage()
  collectgarbage()
  return World.heap_bytes()
end

describe("one tunnel", function()
  local world, server

  before_each(function()
    world = World.new()
    server = world:server { groups = { app = { "app.test" } } }
  end)
  after_each(function() world:close() end)

  it("carries 1 000 exchanges at once", function()
    local held = {}
    world:connected_client {
      group = "app",
      on_request = function(_, request) table.insert(held, request) end,
    }
    local load = world:start_load {
      connections = 1000, requests = 1000, body = "PONG\n",
    }
    world:run("1 000 requests", function() return #held == 1000 end, 60)
    assert.equal(1000, server:stats().exchanges)
    for _, request in ipairs(held) do answer(nil, request) end
    world:run("1 000 answers", function() return load:is_done() end, 60)
    assert.same({ right = 1000, wrong = 0, broken = 0, active = 0 },
      load:counts())
  end)

  it("carries many exchanges one after the other", function()
    world:connected_client { group = "app", on_request = answer }
    local counts = world:load {
      connections = 50, requests = 3000, body = "PONG\n",
    }
    assert.same({ right = 3000, wrong = 0, broken = 0, active = 0 }, counts)
    assert.equal(3000, server:stats().requests)
    assert.equal(0, server:stats().failures)
  end)
end)

describe("somebody slow", function()
  local world, server, client

  -- "/endless" streams for ever, "/sink" is never read, all else is PONG.
  local function serve()
    server = world:server { groups = { app = { "app.test" } } }
    client = world:connected_client {
      group = "app",
      on_request = function(_, request)
        if request:path() == "/endless" then
          request:start {}
          handlers.produce(request, math.maxinteger)
        elseif request:path():match("^/download") then
          request:start {}
          handlers.produce(request, tonumber(request:path():match("%d+")))
        elseif request:path() ~= "/sink" then
          answer(nil, request)
        end
      end,
    }
    world:load { connections = 10, requests = 100, body = "PONG\n" } -- warm
  end

  -- How many turns of the loop one small request takes, on the average.
  local function turns_per_request(count)
    local turns = 0
    local load = world:start_load {
      connections = 1, requests = count, body = "PONG\n",
    }
    world:run("small requests", function()
      turns = turns + 1
      return load:is_done()
    end)
    assert.equal(count, load:counts().right)
    world:close_object(load)
    return turns / count
  end

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  -- Downloads `total` bytes by a visitor who reads as `pace(visitor, length)`
  -- says before each turn, while small requests come and go. How much the heap
  -- grew at most, and how many small requests were answered per turn.
  local function download(total, pace)
    local idle = heap()
    local visitor = world:visitor { receive_buffer = 64 * KILOBYTE }
    local length, sum = 0, World.checksum("")
    visitor:ask { path = "/download?" .. total, on_body = function(piece)
      length, sum = length + #piece, World.checksum(piece, sum)
    end }
    local peak, small, turns, load = 0, 0, 0, nil
    world:run("the download", function()
      turns = turns + 1
      if turns % 500 == 0 then
        peak = math.max(peak, heap() - idle)
      end
      if not load or load:is_done() then
        if load then
          small = small + load:counts().right
          world:close_object(load)
        end
        load = world:start_load { requests = 10, body = "PONG\n" }
      end
      pace(visitor, length)
      return visitor:look()
    end, 300)
    assert.equal(total, length)
    assert.equal(handlers.checksum_of(total), sum)
    return peak, small / turns
  end

  -- The heap is that of both ends, and of this spec.
  it("who reads a few MB a second holds nobody else, and is held in 8 MB",
    function()
      serve()
      local pace = (full and 1 or 4) * MEGABYTE
      local start = World.now()
      local peak, rate = download((full and 100 or 16) * MEGABYTE,
        function(visitor, length)
          local allowed = (World.now() - start) * pace - length
          visitor.wire:rate(math.max(0, allowed // 1 | 0))
        end)
      assert.is_true(rate > 0.01, rate .. " small ones in a turn")
      assert.is_true(peak <= 8 * MEGABYTE, "grew by " .. peak)
    end)

  it("who reads 100 MB as fast as he can holds nobody else", function()
    serve()
    local peak, rate = download(100 * MEGABYTE, function(visitor)
      visitor.wire:rate(32 * KILOBYTE)
    end)
    assert.is_true(rate > 0.01, rate .. " small ones in a turn")
    -- as much as stream windows, which grow for those who keep up, may be
    assert.is_true(peak <= 20 * MEGABYTE, "grew by " .. peak)
  end)

  it("who reads nothing holds nobody else, and is bounded", function()
    serve()
    local alone = turns_per_request(100)
    local idle = heap()
    for _ = 1, 10 do
      local visitor = world:visitor { receive_buffer = 4096 }
      visitor.wire:rate(0)
      visitor:ask { path = "/endless" }
    end
    world:run("ten downloads", function()
      return client:stats().exchanges == 10
    end)
    local crowded = turns_per_request(300)
    assert.is_true(crowded < 10 * alone + 10, crowded .. " and " .. alone)
    assert.is_true(heap() - idle <= 10 * MEGABYTE, "grew by " .. heap() - idle)
    assert.is_true(server:stats().buffered_bytes <= 10 * MEGABYTE)
    -- it stands still
    local before = heap()
    turns_per_request(300)
    assert.is_true(heap() - before <= MEGABYTE)
  end)

  it("who uploads what nobody reads holds nobody else, and is bounded",
    function()
      serve()
      local alone = turns_per_request(100)
      local visitors = {}
      for i = 1, 10 do
        visitors[i] = world:visitor()
        visitors[i].wire:send("POST /sink HTTP/1.1\r\nHost: app.test\r\n" ..
          "Content-Length: 100000000\r\n\r\n")
      end
      world:run("ten uploads", function()
        return client:stats().exchanges == 10
      end)
      local piece = ("x"):rep(8 * MEGABYTE)
      local idle = heap()
      for i = 1, 10 do visitors[i].wire:send(piece) end
      local crowded = turns_per_request(300)
      assert.is_true(crowded < 10 * alone + 10, crowded .. " and " .. alone)
      local stuck = 0
      for i = 1, 10 do stuck = stuck + visitors[i].wire:unsent() end
      assert.is_true(stuck > 0)
      -- what the visitors themselves keep is part of the heap
      local growth = heap() - idle - 10 * 8 * MEGABYTE
      assert.is_true(growth <= 6 * MEGABYTE, "grew by " .. growth)
      assert.is_true(server:stats().buffered_bytes <= 10 * MEGABYTE)
      -- nobody could notice a mere close: its FIN waits behind the upload
      for i = 1, 10 do visitors[i].wire:reset() end
    end)
end)

describe("a server that saw many come and go", function()
  local rounds = full and 50 or 5
  local CLIENTS = 20
  local requests = full and 2000 or 1000

  it("holds what it held before", function()
    local world = World.new()
    local server = world:server { groups = { app = { "app.test" } } }
    local idle = server:stats()

    local function round(connections)
      local clients = {}
      for i = 1, CLIENTS do
        clients[i] = assert(world:client { group = "app", on_request = answer })
      end
      world:run("the tunnels", function()
        return server:stats().tunnels == CLIENTS
      end)
      local counts = world:load {
        connections = connections, requests = requests, body = "PONG\n",
      }
      assert.equal(requests, counts.right)
      for i = 1, CLIENTS do clients[i]:close() end
      world:run("the clients' end", function()
        for i = 1, CLIENTS do
          if not clients[i]:is_closed() then
            return false
          end
        end
        return true
      end)
      world:run("an idle server", function()
        return server:stats().live_objects == 0
      end)
      world:forget_closed()
      server.log = {}
      server.options.on_log = function() end
    end

    -- pools and tables find their sizes; how many closed connections linger,
    -- and how full a pool is, is never quite the same
    for _ = 1, 2 do round(3 * CLIENTS) end
    local before = heap()
    for _ = 1, rounds do round(CLIENTS) end
    local growth = heap() - before
    assert.is_true(growth <= 512 * KILOBYTE, "grew by " .. growth)
    local stats = server:stats()
    for _, name in ipairs { "tunnels", "pending_registrations", "connections",
      "exchanges", "live_objects", "failures" } do
      assert.equal(idle[name], stats[name], name)
    end
    -- a pool keeps the chunk that it fills at the moment
    assert.is_true(stats.buffered_bytes <= 16 * KILOBYTE)
    assert.equal((rounds + 2) * CLIENTS, stats.registrations_accepted)
    assert.equal((rounds + 2) * requests, stats.requests)
    world:close()
  end)
end)
