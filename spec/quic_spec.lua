-- QUIC connections over a simulated network in virtual time.

local scene = require "quic_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second

describe("a QUIC connection", function()
  local s

  after_each(function()
    s:free()
  end)

  lazy_teardown(scene.clean)

  it("completes a handshake and says which name was asked for", function()
    s = scene.new()
    assert.is_true(s:until_handshake())
    assert.equal("localhost", s.world:peer(s:other()).server_name)
  end)

  it("carries streams both ways", function()
    s = scene.new()
    s:until_handshake()
    assert.is_true(s:echo(s.peer, 300000))
    assert.is_true(s:echo(s:other(), 300000))
    assert.is_true(s:echo(s.peer, 0))
  end)

  it("carries unidirectional streams and grants new ones", function()
    s = scene.new { server = { max_streams_uni = 2 } }
    s:until_handshake()
    for _ = 1, 6 do
      local id = assert(s.world:open(s.peer, 1000, "uni"))
      s.world:run(second)
      local flow = s.world:flow(s:other(), id)
      assert.equal(1000, flow.received)
      assert.is_true(flow.fin_received and flow.intact and flow.closed)
    end
  end)

  it("gives a new bidi stream only when one was released", function()
    s = scene.new { server = { max_streams_bidi = 1 } }
    s:until_handshake()
    s.world:set(s:other(), "hold_credit", true)
    local id = assert(s.world:open(s.peer, 10))
    local _, reason = s.world:open(s.peer, 10)
    assert.equal("REVERST_ERR_AGAIN", reason)
    s.world:run(second)
    assert.is_true(s.world:flow(s.peer, id).closed)
    assert.is_truthy(s.world:open(s.peer, 10))
  end)

  it("ends with the code and the reason that were given", function()
    s = scene.new()
    s:until_handshake()
    local other = s:other()
    s.world:close(s.peer, 2, "unauthorized")
    s.world:close(s.peer, 3, "too late")
    assert.same({ kind = "application", by_peer = true, code = 2,
      reason = "unauthorized" }, s:until_closed(other))
    assert.same({ kind = "application", by_peer = false, code = 2,
      reason = "unauthorized" }, s:until_closed(s.peer))
  end)

  it("answers a peer that did not hear of its end", function()
    s = scene.new()
    s:until_handshake()
    s.world:link { delay = 10 * ms, blackhole = true }
    s.world:close(s.peer, 7, "gone")
    s.world:run(1 * ms)
    s.world:link { delay = 10 * ms }
    s.world:ping(s:other())
    local closed = s:until_closed(s:other(), second)
    assert.equal(7, closed.code)
    assert.equal("gone", closed.reason)
  end)

  it("is reset by an end that has forgotten it", function()
    s = scene.new()
    s:until_handshake()
    s.world:link { delay = 10 * ms, blackhole = true }
    s.world:close(s:other(), 7)
    s.world:run(5 * second)
    s.world:link { delay = 10 * ms }
    s.world:ping(s.peer)
    local closed = s:until_closed(s.peer, second)
    assert.equal("reset", closed.kind)
    assert.is_true(closed.by_peer)
    assert.equal(1, s.world:stats(s.server).stateless_resets)
  end)

  it("keeps unacknowledged bytes until its streams are closed", function()
    s = scene.new()
    s:until_handshake()
    s.world:open(s.peer, 500000)
    s.world:open(s:other(), 500000)
    s.world:run(25 * ms)
    s.world:link { delay = 10 * ms, blackhole = true }
    s.world:run(300 * ms)
    assert.is_true(s.world:peer(s.peer).has_unacknowledged)
    s.world:close(s.peer, 1)
    assert.is_truthy(s:until_closed(s.peer))
    assert.equal(2, s.world:peer(s.peer).closed_streams)
  end)

  it("resets and stops streams with their codes", function()
    s = scene.new()
    s:until_handshake()
    s.world:set(s:other(), "hold_credit", true)
    local reset = s.world:open(s.peer, 1000000)
    local stopped = s.world:open(s.peer, 1000000)
    s.world:run(100 * ms)
    s.world:reset(s.peer, reset, 0x10c)
    s.world:stop(s:other(), stopped, 0x100)
    s.world:reset(s:other(), stopped, 0x101)
    s.world:run(second)
    assert.equal(0x10c, s.world:flow(s:other(), reset).reset)
    assert.equal(0x100, s.world:flow(s.peer, stopped).stopped)
    assert.equal(0x101, s.world:flow(s.peer, stopped).reset)
    assert.is_true(s.world:flow(s.peer, reset).closed)
    assert.is_true(s.world:flow(s.peer, stopped).closed)
    assert.is_true(s:echo(s.peer, 1000))
  end)

  it("holds a stream back until it gets credit", function()
    s = scene.new { server = { stream_window = 65536 } }
    s:until_handshake()
    local other = s:other()
    s.world:set(other, "hold_credit", true)
    local id = s.world:open(s.peer, 200000, "uni")
    s.world:run(5 * second)
    assert.equal(65536, s.world:flow(other, id).received)
    assert.is_true(s.world:flow(s.peer, id).blocked)
    -- the others do not wait for it
    local second_id = s.world:open(s.peer, 50000, "uni")
    s.world:run(5 * second)
    assert.equal(50000, s.world:flow(other, second_id).received)
    s.world:set(other, "hold_credit", false)
    s.world:credit(other, id, 65536)
    s.world:run(5 * second)
    assert.equal(200000, s.world:flow(other, id).received)
  end)

  it("gives a stranger no more than the first window", function()
    s = scene.new { server = { strangers = true, connection_window = 100000 } }
    s:until_handshake()
    local other = s:other()
    local ids = {}
    for i = 1, 4 do
      ids[i] = s.world:open(s.peer, 100000, "uni")
    end
    local function received()
      local sum = 0
      for _, id in ipairs(ids) do
        sum = sum + (s.world:flow(other, id) or { received = 0 }).received
      end
      return sum
    end
    s.world:run(5 * second)
    assert.equal(100000, received())
    s.world:accept(other)
    s.world:run(5 * second)
    assert.equal(400000, received())
    assert.is_true(s.world:peer(s.peer).window_left >= 1024 * 1024)
  end)

  it("drops what an application no longer wants, with its credit", function()
    s = scene.new()
    s:until_handshake()
    s.world:set(s:other(), "refuse", true)
    local id = s.world:open(s.peer, 2000000, "uni")
    s.world:run(20 * second)
    assert.is_true(s.world:flow(s.peer, id).closed)
    assert.equal(2000000, s.world:flow(s.peer, id).acknowledged)
  end)
end)

describe("a QUIC connection on a bad network", function()
  local function survives(link, from, to)
    for seed = from, to do
      local s = scene.new { seed = seed, link = link }
      -- a handshake may fail within its ten seconds when a third is lost
      if s:until_handshake() then
        assert.is_true(s:echo(s.peer, 20000), "seed " .. seed)
        local other = s:other()
        assert.is_true(s:echo(other, 20000), "seed " .. seed)
        s.world:close(s.peer, 1, "done")
        s.world:link { delay = 10 * ms }
        -- the close itself may be lost: then the keep-alive finds out
        local closed = s:until_closed(other, 100 * second)
        assert.is_truthy(closed, "seed " .. seed)
      else
        local closed = s.world:peer(s.peer).closed
        -- a Retry token that was changed on its way is answered
        if closed.code ~= 0xb or not link.corruption then
          assert.equal("handshake_timeout", closed.kind, "seed " .. seed)
        end
        assert.is_true((link.loss or 0) > 100 or closed.code == 0xb,
          "seed " .. seed)
      end
      s:free()
    end
  end

  local rounds = tonumber(os.getenv "REVERST_SEEDS") or 250

  it("delays", function()
    survives({ delay = 300 * ms }, 1, 10)
  end)

  it("reorders and repeats", function()
    survives({ delay = 5 * ms, jitter = 40 * ms, duplication = 200 },
      1, rounds)
  end)

  it("loses a hundredth", function()
    survives({ delay = 10 * ms, loss = 10 }, 1, rounds)
  end)

  it("loses a tenth and reorders", function()
    survives({ delay = 10 * ms, jitter = 10 * ms, loss = 100 }, 1, rounds)
  end)

  it("changes bytes", function()
    survives({ delay = 10 * ms, jitter = 5 * ms, corruption = 100 },
      1, rounds)
  end)

  it("loses a third", function()
    survives({ delay = 10 * ms, jitter = 20 * ms, loss = 300,
      duplication = 50 }, 1, rounds)
  end)
end)

describe("time on a QUIC connection", function()
  local s

  after_each(function()
    s:free()
  end)

  it("ends it silently when nothing comes for the idle timeout", function()
    s = scene.new { connect = { max_idle_timeout = 20 * second } }
    s:until_handshake()
    local other = s:other()
    s.world:link { delay = 10 * ms, blackhole = true }
    local start = s.world:now()
    assert.equal("idle", s:until_closed(s.peer, 100 * second).kind)
    local waited = s.world:now() - start
    assert.is_true(waited > 19 * second and waited < 41 * second)
    assert.equal("idle", s:until_closed(other, 100 * second).kind)
  end)

  it("keeps it for a day by few PINGs", function()
    s = scene.new()
    s:until_handshake()
    s.world:run(second)
    local steps = s.world:steps()
    s.world:run(24 * 3600 * second)
    assert.is_nil(s.world:peer(s.peer).closed)
    assert.is_true(s.world:steps() - steps < 24 * 120 * 40)
    assert.is_true(s:echo(s.peer, 10000))
  end)

  it("ends an idle one when no PINGs are wanted", function()
    local never = -1
    s = scene.new { connect = { keep_alive_period = never },
      server = { keep_alive_period = never } }
    s:until_handshake()
    assert.equal("idle", s:until_closed(s.peer, 100 * second).kind)
  end)

  it("keeps one whose idle timeout is shorter than the period", function()
    s = scene.new { server = { max_idle_timeout = 10 * second } }
    s:until_handshake()
    s.world:run(300 * second)
    assert.is_true(s:echo(s.peer, 1000))
  end)

  it("limits a handshake", function()
    s = scene.new { link = { blackhole = true } }
    assert.equal("handshake_timeout", s:until_closed(s.peer).kind)
  end)

  it("lets a PING tell whether the peer is there", function()
    s = scene.new()
    s:until_handshake()
    s.world:run(3 * second)
    local before = s.world:peer(s.peer).last_received
    s.world:ping(s.peer)
    s.world:run(100 * ms)
    assert.is_true(s.world:peer(s.peer).last_received > before)
    assert.is_false(s.world:peer(s.peer).has_unacknowledged)
  end)

  it("stands still while nothing happens", function()
    s = scene.new()
    s:until_handshake()
    s.world:run(3 * second)
    local steps = s.world:steps()
    s.world:run(9 * second)
    assert.is_true(s.world:steps() - steps < 10)
  end)
end)

describe("a QUIC connection whose path changes", function()
  local s

  after_each(function()
    s:free()
  end)

  local function in_transfer(change)
    s = scene.new()
    s:until_handshake()
    s.world:run(200 * ms)
    local before = s.world:peer(s:other()).address
    local down = s.world:open(s:other(), 2000000)
    local up = s.world:open(s.peer, 2000000)
    s.world:run(60 * ms)
    change()
    local done = s.world:run_until(60 * second, function()
      return s.world:flow(s.peer, up).closed and
        s.world:flow(s:other(), down).closed
    end)
    assert.is_true(done)
    assert.is_true(s.world:flow(s.peer, up).intact)
    assert.is_true(s.world:flow(s:other(), down).intact)
    assert.not_equal(before, s.world:peer(s:other()).address)
  end

  it("survives a NAT that gives it another address", function()
    in_transfer(function()
      s.world:socket(s.client, "rebind")
    end)
  end)

  it("migrates when told so", function()
    in_transfer(function()
      s.world:socket(s.client, "move")
      assert.is_true(s.world:migrate(s.peer, s.client))
    end)
  end)

  it("is found by a PING after a rebinding while idle", function()
    s = scene.new()
    s:until_handshake()
    s.world:run(5 * second)
    s.world:socket(s.client, "rebind")
    s.world:ping(s.peer)
    s.world:run(second)
    assert.is_true(s:echo(s:other(), 1000))
  end)
end)

describe("a QUIC handshake", function()
  local s

  after_each(function()
    s:free()
  end)

  local function failing(options)
    s = scene.new(options)
    assert.is_false(s:until_handshake())
    local closed = s.world:peer(s.peer).closed
    assert.equal("transport", closed.kind)
    return closed
  end

  it("fails for a wrong host name", function()
    local closed = failing { connect = { name = "other.example" } }
    assert.equal(0x12a, closed.code)
    assert.is_false(closed.by_peer)
    assert.equal(0x12a, s:until_closed(s:other()).code)
  end)

  it("fails for an unknown authority", function()
    local other = scene.certificate "stranger.example"
    local closed = failing { connect = { ca = other.certificate } }
    assert.equal(0x130, closed.code)
  end)

  it("fails for another protocol", function()
    local closed = failing { client = { alpn = "h3" } }
    assert.equal(0x178, closed.code)
    assert.is_true(closed.by_peer)
  end)

  it("fails without a protocol", function()
    s = scene.new { client = { no_alpn = true } }
    local closed = s:until_closed(s.peer)
    assert.equal(0x178, closed.code)
    assert.is_true(closed.by_peer)
    assert.equal(0x178, s:until_closed(s:other()).code)
  end)

  it("goes on when the second half of a hello comes first", function()
    local retries = 0
    for seed = 1, 40 do
      s = scene.new { seed = seed, link = { jitter = 5 * ms } }
      assert.is_true(s:until_handshake())
      retries = retries + s.world:stats(s.server).retries
      s:free()
    end
    assert.is_true(retries > 5)
  end)

  it("uses a new certificate from the next one on", function()
    s = scene.new()
    s:until_handshake()
    local files = scene.certificate "renewed.example"
    assert.is_true(s.world:renew(s.server, files))
    local peer = s.world:connect(s.client, s.server,
      { ca = files.certificate, name = "renewed.example" })
    s.world:run(second)
    assert.is_true(s.world:peer(peer).handshake)
    assert.is_true(s:echo(s.peer, 1000))
  end)

  it("takes any certificate when told so", function()
    s = scene.new { connect = { name = "other.example", insecure = true } }
    assert.is_true(s:until_handshake())
  end)

  for _, name in ipairs { "127.0.0.1", "::1", "tunnel.example.com",
    "server" } do
    it("knows " .. name .. " by its certificate", function()
      local files = scene.certificate(name)
      s = scene.new { server = files,
        connect = { ca = files.certificate, name = name } }
      assert.is_true(s:until_handshake())
    end)

    it("does not take " .. name .. " for another", function()
      local files = scene.certificate "localhost"
      failing { server = files,
        connect = { ca = files.certificate, name = name } }
    end)
  end
end)

describe("a QUIC endpoint", function()
  local s

  after_each(function()
    s:free()
  end)

  it("refuses those beyond the limit of pending connections", function()
    s = scene.new { server = { strangers = true, max_pending = 2 } }
    local ca = scene.certificate("localhost").certificate
    local peers = { s.peer }
    for i = 2, 3 do
      peers[i] = s.world:connect(s.client, s.server,
        { ca = ca, name = "localhost" })
      s.world:run(second)
    end
    local closed = s.world:peer(peers[3]).closed
    assert.equal("transport", closed.kind)
    assert.equal(2, closed.code) -- CONNECTION_REFUSED
    assert.is_true(s.world:peer(peers[2]).handshake)
    -- accepting one makes room
    s.world:accept(s.world:peers(s.server)[1])
    local again = s.world:connect(s.client, s.server,
      { ca = ca, name = "localhost" })
    s.world:run(second)
    assert.is_true(s.world:peer(again).handshake)
  end)

  it("limits the pending connections of one address", function()
    s = scene.new { server = { strangers = true,
      max_pending_per_address = 1 } }
    local ca = scene.certificate("localhost").certificate
    s.world:run(second)
    local same = s.world:connect(s.client, s.server,
      { ca = ca, name = "localhost" })
    local elsewhere = s.world:connect(s.world:client {}, s.server,
      { ca = ca, name = "localhost" })
    s.world:run(second)
    assert.equal(2, s.world:peer(same).closed.code)
    assert.is_true(s.world:peer(elsewhere).handshake)
  end)

  it("keeps what a full socket does not take", function()
    s = scene.new()
    s:until_handshake()
    local id = s.world:open(s.peer, 300000)
    for _ = 1, 20 do
      s.world:socket(s.client, "full")
      s.world:run(30 * ms)
      s.world:socket(s.client, "free")
      s.world:run(3 * ms)
    end
    assert.is_true(s.world:run_until(20 * second, function()
      return s.world:flow(s.peer, id).closed
    end))
    assert.equal(300000, s.world:flow(s.peer, id).received)
  end)

  it("does not wait for a full socket when it closes", function()
    s = scene.new()
    s:until_handshake()
    s.world:open(s.peer, 100000)
    s.world:socket(s.client, "full")
    s.world:run(15 * ms)
    s.world:close_endpoint(s.client)
    assert.equal("application", s:until_closed(s.peer, second).kind)
  end)

  it("closes what is open when it closes", function()
    s = scene.new()
    s:until_handshake()
    s.world:open(s.peer, 100000)
    s.world:run(15 * ms)
    local other = s:other()
    s.world:close_endpoint(s.client)
    assert.equal("application", s:until_closed(s.peer, second).kind)
    assert.equal("application", s:until_closed(other, second).kind)
  end)

  it("names its version to those who speak another", function()
    s = scene.new()
    local hello = "\xc0\x5a\x5a\x5a\x5a\x08AAAAAAAA\x08BBBBBBBB"
    s.world:inject(s.server, s.client, hello .. ("\0"):rep(1200 - #hello))
    s.world:inject(s.server, s.client, hello .. ("\0"):rep(1000))
    s.world:run(second)
    assert.equal(1, s.world:stats(s.server).version_negotiations)
  end)

  it("survives any bytes from anyone", function()
    s = scene.new()
    s:until_handshake()
    local world = s.world
    local first = { 0xc0, 0xc3, 0x40, 0x00, 0xff, 0xe0, 0xd0, 0xf0 }
    for _ = 1, 3000 do
      local length = world:random() % 1400
      local bytes = {}
      for i = 1, math.min(length, 60) do
        bytes[i] = string.char(world:random() % 256)
      end
      local data = table.concat(bytes) .. ("\0"):rep(length - #bytes)
      local kind = world:random() % 3
      if kind == 1 then
        data = string.char(first[1 + world:random() % #first]) .. data
      elseif kind == 2 then
        -- a well-formed first packet with a body of noise
        data = "\xc3\0\0\0\1\8" .. data:sub(1, 8) .. "\8" .. data:sub(9, 16)
          .. "\0\x44\x9e" .. data .. ("\0"):rep(1200)
      end
      world:inject(world:random() % 2 == 0 and s.server or s.client,
        s.client, data)
      if world:random() % 50 == 0 then
        world:run(20 * ms)
      end
    end
    world:run(second)
    assert.is_nil(world:peer(s.peer).closed)
    assert.is_true(s:echo(s.peer, 10000))
    assert.is_true(world:stats(s.server).stateless_resets <= 200)
  end)
end)
