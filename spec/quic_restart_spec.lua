-- What an endpoint does for strangers, and for those who knew the one before.

local scene = require "quic_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second
local delay = 10 * ms

lazy_teardown(function()
  scene.clean()
end)

describe("a server that was killed and is back", function()
  local s

  after_each(function()
    s:free()
  end)

  -- its last words are lost; the next one has this secret
  local function start_anew(secret)
    local files = scene.certificate "localhost"
    s.world:link { delay = delay, blackhole = true }
    s.world:close_endpoint(s.server)
    s.world:run(ms)
    assert.is_nil(s.world:peer(s.peer).closed)
    s.world:link { delay = delay }
    assert.is_true(s.world:restart({ certificate = files.certificate,
      key = files.key, echo = true, secret = secret }, s.server))
  end

  local function start(options)
    s = scene.new(options)
    assert.is_true(s:until_handshake())
    s.world:run(second)
  end

  it("resets an idle client within one round trip of its next packet",
    function()
      start { server = { secret = 7 } }
      start_anew(7)
      s.world:ping(s.peer)
      local before = s.world:now()
      assert.equal("reset", s:until_closed(s.peer, second).kind)
      assert.equal(2 * delay, s.world:now() - before)
      assert.equal(1, s.world:stats(s.server).stateless_resets)
      -- and has it back by the next handshake
      local peer = s.world:connect(s.client, s.server, {
        ca = scene.certificate "localhost".certificate, name = "localhost" })
      assert.is_true(s.world:run_until(5 * 2 * delay, function()
        return s.world:peer(peer).handshake
      end))
    end)

  it("resets a client in the middle of a transfer", function()
    start { server = { secret = 7 } }
    s.world:open(s.peer, 1000000)
    s.world:run(25 * ms)
    start_anew(7)
    assert.equal("reset", s:until_closed(s.peer, second).kind)
  end)

  it("resets a client that uses another of its ids", function()
    start { server = { secret = 7 } }
    s.world:socket(s.client, "move")
    assert.is_true(s.world:migrate(s.peer, s.client))
    s.world:run(second)
    start_anew(7)
    s.world:ping(s.peer)
    assert.equal("reset", s:until_closed(s.peer, second).kind)
  end)

  it("is not believed with another secret", function()
    start { server = { secret = 7 }, connect = { max_idle_timeout = 5 * second } }
    start_anew(8)
    s.world:ping(s.peer)
    assert.equal("idle", s:until_closed(s.peer, 20 * second).kind)
    assert.is_true(s.world:stats(s.server).stateless_resets > 0)
  end)
end)

describe("a server with many half-open connections", function()
  local s

  after_each(function()
    s:free()
  end)

  local function connect(client)
    return s.world:connect(client or s.client, s.server, {
      ca = scene.certificate "localhost".certificate, name = "localhost" })
  end

  -- a hello of two packets gets two of them
  local function retries()
    return s.world:stats(s.server).retries
  end

  it("has newcomers prove their address", function()
    s = scene.new { server = { strangers = true, retry_threshold = 2 } }
    s.world:run(second)
    local second_peer = connect()
    s.world:run(second)
    assert.is_true(s.world:peer(second_peer).handshake)
    assert.equal(0, retries())
    local third = connect()
    s.world:run(second)
    assert.is_true(s.world:peer(third).handshake)
    local before = retries()
    assert.is_true(before > 0)
    -- accepted ones do not count
    for _, peer in ipairs(s.world:peers(s.server)) do
      s.world:accept(peer)
    end
    local fourth = connect()
    s.world:run(second)
    assert.is_true(s.world:peer(fourth).handshake)
    assert.equal(before, retries())
  end)

  it("has them prove it where many wait at one address", function()
    s = scene.new { server = { strangers = true,
      max_pending_per_address = 4 } }
    s.world:run(second)
    for i = 2, 4 do
      local peer = connect()
      s.world:run(second)
      assert.is_true(s.world:peer(peer).handshake)
      assert.equal(i > 2, retries() > 0)
    end
    local before = retries()
    local elsewhere = connect(s.world:client {})
    s.world:run(second)
    assert.is_true(s.world:peer(elsewhere).handshake)
    assert.equal(before, retries())
  end)

  it("may have every newcomer prove it", function()
    s = scene.new { server = { retry_threshold = -1 } }
    assert.is_true(s:until_handshake())
    assert.is_true(retries() > 0)
    assert.is_true(s:echo(s.peer, 10000))
  end)

  it("does nothing for those who do not", function()
    s = scene.new { server = { strangers = true, retry_threshold = 1 } }
    s.world:run(second)
    assert.equal(1, #s.world:peers(s.server))
    -- who asks from elsewhere's address never hears of the Retry
    for _ = 1, 50 do
      connect()
      s.world:run(1)
      s.world:socket(s.client, "rebind")
    end
    s.world:run(15 * ms)
    assert.is_true(retries() >= 50)
    s.world:link { delay = delay, blackhole = true }
    s.world:run(ms)
    assert.equal(1, #s.world:peers(s.server))
  end)

  -- Forgets all, and what is on its way; what comes next finds a server with this secret.
  local function start_anew(secret)
    local files = scene.certificate "localhost"
    s.world:link { delay = delay, blackhole = true }
    s.world:close_endpoint(s.server)
    s.world:run(2 * delay)
    assert.is_true(s.world:restart({ certificate = files.certificate,
      key = files.key, retry_threshold = -1, secret = secret }, s.server))
    s.world:link { delay = delay }
  end

  -- the first words of a client that was sent a Retry, with its token
  local function words_with_token()
    s = scene.new { server = { retry_threshold = -1, secret = 7 } }
    s.world:run(2 * delay)
    assert.is_true(retries() > 0)
    local words = s.world:in_flight(s.server)
    assert.is_true(#words > 0)
    return words
  end

  -- how many connections they make
  local function say(words, from)
    local before = #s.world:peers(s.server)
    for _, word in ipairs(words) do
      s.world:inject(s.server, from, word)
    end
    s.world:run(delay)
    return #s.world:peers(s.server) - before
  end

  it("takes a token that the process before gave", function()
    local words = words_with_token()
    start_anew(7)
    assert.equal(1, say(words, s.client))
    assert.equal(0, retries())
    assert.is_true(s:until_handshake())
  end)

  it("takes no token that was made with another secret", function()
    local words = words_with_token()
    start_anew(8)
    assert.equal(0, say(words, s.client))
    local closed = s:until_closed(s.peer)
    assert.same({ "transport", 0x0b, true }, -- INVALID_TOKEN
      { closed.kind, closed.code, closed.by_peer })
  end)

  it("takes no token from another address", function()
    local words = words_with_token()
    start_anew(7)
    local elsewhere = s.world:client {}
    assert.equal(0, say(words, elsewhere))
    assert.equal(1, say(words, s.client))
  end)

  it("takes no token that is older than ten seconds", function()
    for seconds, count in pairs { [9] = 1, [11] = 0 } do
      local words = words_with_token()
      start_anew(7)
      s.world:link { delay = delay, blackhole = true }
      s.world:run(seconds * second)
      assert.equal(count, say(words, s.client))
      s:free()
    end
  end)
end)

describe("a server that is asked faster than it can answer", function()
  local s

  after_each(function()
    s:free()
  end)

  local function dial()
    return s.world:connect(s.client, s.server, {
      ca = scene.certificate "localhost".certificate, name = "localhost" })
  end

  -- how many connections the server made
  local function made()
    return #s.world:peers(s.server)
  end

  it("lets all in, and does nothing for those who have given up", function()
    s = scene.new()
    assert.is_true(s:until_handshake())
    s.world:set_pace(s.server, 200 * ms) -- five hellos in a second
    local waiting, inside, dials = {}, 0, 100
    for i = 1, 100 do
      waiting[i] = dial()
    end
    while inside < 100 and made() + dials < 450 do
      s.world:run(second)
      for i, peer in pairs(waiting) do
        if s.world:peer(peer).handshake then
          waiting[i], inside = nil, inside + 1
        elseif s.world:peer(peer).closed then
          waiting[i], dials = dial(), dials + 1
        end
      end
    end
    assert.equal(100, inside)
    assert.is_true(made() < 110)
  end)

  it("takes one hello in a turn, of one socket too", function()
    s = scene.new { server = { strangers = true } }
    assert.is_true(s:until_handshake())
    s.world:set_pace(s.server, second)
    for _ = 1, 10 do
      dial()
    end
    s.world:run(2.5 * second // 1)
    assert.is_true(made() <= 4)
  end)
end)
