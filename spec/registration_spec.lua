-- SPDX-License-Identifier: MIT
-- Registrations on the simulated network: who comes in, who does not and why,
-- and what a client makes of a server's answer.
local scene = require "tunnel_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second

local REJECTED = 0x10b -- H3_REQUEST_REJECTED
local OK = "\x84\xa7Version\xcc\x01\xa4Code\xcc\x00\xa8Metadata\xc0\xa4Body\xc0"

local function message(group)
  return "\x83\xa7Version\xcc\x01\xabTunnelGroup" ..
    string.char(0xa0 + #group) .. group .. "\xa8Metadata\xc0"
end

-- One that the group "guarded" takes for the given credentials.
local function guarded(credentials)
  local value = "Bearer " .. credentials
  return "\x83\xa7Version\xcc\x01\xabTunnelGroup\xa7guarded\xa8Metadata" ..
    "\x81\xadAuthorization" .. string.char(0xa0 + #value) .. value
end

local world

after_each(function()
  scene.free(world)
end)

lazy_teardown(scene.clean)

-- A raw peer behind its handshake.
local function raw_client()
  local raw = world:raw_connect {}
  assert.is_true(world:run_until(10 * second, function()
    return world:raw(raw).handshake
  end))
  return raw
end

local function raw_closing(raw, limit)
  world:run_until(limit or 60 * second, function()
    return world:raw(raw).closed
  end)
  return world:raw(raw).closed
end

local function stream(raw, id)
  return world:raw_stream(raw, id)
end

describe("a server", function()
  before_each(function()
    world = scene.world()
  end)

  -- What a client hears.
  local function refusal(options)
    local tunnel = world:dial(world:client(), options)
    local close = scene.closing(world, tunnel)
    assert.is_true(world:tunnel(tunnel).refused)
    assert.is_true(close.by_peer)
    assert.equal("application", close.kind)
    return close.code, close.reason
  end

  it("answers a Go client by exactly these bytes and a FIN", function()
    local raw = raw_client()
    local id = world:raw_open(raw, true)
    world:raw_write(raw, id, message "app", false)
    world:run(second)
    assert.equal(OK, stream(raw, id).bytes)
    assert.is_true(stream(raw, id).fin)
    world:raw_write(raw, id, "", true)
    world:run(second)
    assert.is_true(stream(raw, id).closed)
    assert.equal(1, world:stats().tunnels)
  end)

  it("says why it refuses", function()
    assert.same({ 2, "not found" }, { refusal { group = "nowhere" } })
    assert.same({ 2, "unauthorized" }, { refusal {
      group = "guarded", authorization = "Bearer reject" } })
    assert.same({ 2, "unauthorized" }, { refusal { group = "guarded" } })
    assert.same({ 2, "unauthorized" }, { refusal {
      group = "guarded", authorization = "Bearer reject:500" } })
    world:drain()
    assert.same({ 1, "draining" }, { refusal {} })
    assert.same({ 0, 0, 0 }, { world:stats().accepted,
      world:stats().pending, world:stats().tunnels })
  end)

  it("refuses what is no registration", function()
    local bad = {
      [message "app" .. "x"] = "bad request",
      ["\xc1"] = "bad request",
      ["\x91\x01"] = "bad request",
      [message "a\nb"] = "bad request",
      ["\xc0"] = "not found",
      ["\x80"] = "not found",
    }
    for bytes, reason in pairs(bad) do
      local raw = raw_client()
      world:raw_write(raw, world:raw_open(raw, true), bytes, false)
      local close = raw_closing(raw)
      assert.same({ "application", 2, reason },
        { close.kind, close.code, close.reason })
    end
    local raw = raw_client()
    world:raw_write(raw, world:raw_open(raw, true), "", true)
    assert.equal("not found", raw_closing(raw).reason)
  end)

  it("waits ten seconds for a registration, and no longer", function()
    local begin = world:now()
    local silent, half = raw_client(), raw_client()
    world:raw_write(half, world:raw_open(half, true),
      message "app":sub(1, 20), false)
    for _, raw in ipairs { silent, half } do
      local close = raw_closing(raw)
      assert.same({ 1, "timeout" }, { close.code, close.reason })
      local waited = close.at - begin
      assert.is_true(waited >= 10 * second and waited < 10500 * ms)
    end
    assert.equal(0, world:stats().connections)
  end)

  it("takes a registration that comes byte by byte", function()
    local raw = raw_client()
    local id = world:raw_open(raw, true)
    for byte in message "app":gmatch "." do
      world:raw_write(raw, id, byte, false)
      world:run(20 * ms)
    end
    world:run(second)
    assert.equal(OK, stream(raw, id).bytes)
  end)

  it("lets a decision take its time", function()
    local begin = world:now()
    local tunnel = world:dial(world:client(), {
      group = "guarded", authorization = "Bearer accept:3000" })
    world:run(2 * second)
    assert.equal(1, world:stats().pending)
    assert.is_true(scene.register(world, tunnel))
    assert.is_true(world:tunnel(tunnel).registered_at - begin >= 3 * second)
    assert.equal(0, world:stats().pending)
  end)

  it("does not wait for a decision for ever", function()
    local close
    local tunnel = world:dial(world:client(), {
      group = "guarded", authorization = "Bearer hold" })
    close = scene.closing(world, tunnel)
    assert.same({ 1, "timeout" }, { close.code, close.reason })
    assert.equal(0, world:stats().pending)
    world:decide(1, true)
    world:run(second)
    assert.same({ 0, 0 }, { world:stats().accepted, world:stats().tunnels })
  end)

  it("takes in nobody who was given up in the same moment", function()
    local first_packet = world:now() + 10 * ms
    world:dial(world:client(), {
      group = "guarded", authorization = "Bearer hold" })
    -- the timer has refused, and the turn that closes is still to come
    world:run_until(20 * second, function()
      return world:now() >= first_packet + 10 * second
    end)
    assert.equal(1, world:stats().pending)
    world:decide(1, true)
    world:run(second)
    assert.same({ 0, 0 }, { world:stats().accepted, world:stats().tunnels })
    assert.is_nil(world:log():find("tunnel_up", 1, true))
  end)

  it("forgets a decision when the client has gone", function()
    local tunnel = world:dial(world:client(), {
      group = "guarded", authorization = "Bearer hold" })
    world:run(second)
    world:close_tunnel(tunnel)
    world:run(second)
    assert.same({ 0, 0 }, { world:stats().pending, world:stats().connections })
    world:decide(1, true)
    assert.same({ 0, 0 }, { world:stats().accepted, world:stats().tunnels })
  end)

  it("takes another try after a registration was broken off", function()
    local raw = raw_client()
    local first = world:raw_open(raw, true)
    world:raw_write(raw, first, message "app":sub(1, 10), false)
    world:run(second)
    world:raw_reset(raw, first, 0)
    world:run(second)
    local again = world:raw_open(raw, true)
    assert.equal(4, again)
    world:raw_write(raw, again, message "app", false)
    world:run(second)
    assert.equal(OK, stream(raw, again).bytes)
    assert.equal(1, world:stats().tunnels)
  end)

  it("reads one registration at a time", function()
    for _, bytes in ipairs { guarded "hold":sub(1, 20), guarded "hold" } do
      local raw = raw_client()
      local first = world:raw_open(raw, true)
      world:raw_write(raw, first, bytes, false)
      world:run(second)
      local other = world:raw_open(raw, true)
      world:raw_write(raw, other, message "app", false)
      world:run(second)
      assert.equal(REJECTED, stream(raw, other).reset)
      assert.equal(REJECTED, stream(raw, other).stopped)
      world:raw_write(raw, first, guarded "hold":sub(#bytes + 1), false)
      world:run(second)
      world:decide(world:stats().registrations, true)
      world:run(second)
      assert.equal(OK, stream(raw, first).bytes)
    end
  end)

  it("reads none once one was accepted", function()
    local raw = raw_client()
    world:raw_write(raw, world:raw_open(raw, true), message "app", true)
    world:run(second)
    local other = world:raw_open(raw, true)
    world:raw_write(raw, other, message "app", false)
    world:run(second)
    assert.equal(REJECTED, stream(raw, other).reset)
    assert.equal(1, world:stats().tunnels)
  end)

  it("takes no bytes behind a registration before its answer", function()
    local raw = raw_client()
    local id = world:raw_open(raw, true)
    world:raw_write(raw, id, guarded "hold", false)
    world:run(second)
    world:raw_write(raw, id, "x", false)
    assert.equal("bad request", raw_closing(raw).reason)
    world:decide(1, true)
    assert.equal(0, world:stats().accepted)
  end)

  it("drops bytes behind a registration after its answer", function()
    local raw = raw_client()
    local id = world:raw_open(raw, true)
    world:raw_write(raw, id, message "app", false)
    world:run(second)
    for _ = 1, 40 do -- more than any window
      world:raw_write(raw, id, ("x"):rep(50000), false)
    end
    world:raw_write(raw, id, "", true)
    world:run(20 * second)
    assert.is_true(stream(raw, id).closed)
    assert.equal(1, world:stats().tunnels)
  end)

  it("survives that the answer cannot be sent any more", function()
    local raw = raw_client()
    local id = world:raw_open(raw, true)
    world:raw_write(raw, id, guarded "hold", false)
    world:run(second)
    world:raw_reset(raw, id, 0)
    world:run(second)
    world:decide(1, true)
    world:run(second)
    assert.equal(OK, stream(raw, id).bytes)
  end)
end)

describe("early bytes of a client", function()
  local CONTROL = "\x00\x04\x02\x08\x01"
  local ANSWER = "\x01\x03\x00\x00\xdb" -- :status 404

  before_each(function()
    world = scene.world { retries = 1 }
  end)

  -- A registered raw peer that has written to a stream of its own.
  local function early(bytes, late)
    local raw = raw_client()
    world:raw_write(raw, world:raw_open(raw, true), message "app", false)
    if late then
      world:run(second)
    end
    local control = world:raw_open(raw, false)
    world:raw_write(raw, control, bytes, false)
    world:run(second)
    return raw, control
  end

  local function ask(raw)
    local visit = world:visit { down = 0 }
    world:run(second)
    if world:raw(raw).closed then
      return world:result(visit)
    end
    assert.is_true(#stream(raw, 1).bytes > 0)
    world:raw_write(raw, 1, ANSWER, true)
    world:run(second)
    return world:result(visit)
  end

  it("are kept until there is a request", function()
    for _, late in ipairs { true, false } do
      local raw = early(CONTROL, late)
      assert.equal(404, ask(raw).status)
      world:raw_close(raw, 0, "")
      world:run(second)
    end
  end)

  it("are judged when they are read", function()
    local raw = early "\x00\x07\x01\x00"
    assert.is_nil(world:raw(raw).closed)
    assert.equal("failed", ask(raw).outcome)
    assert.equal(0x10a, world:raw(raw).closed.code)
  end)

  it("may have been broken off", function()
    local raw, control = early(CONTROL)
    world:raw_reset(raw, control, 0)
    world:run(second)
    assert.is_nil(world:raw(raw).closed)
    assert.equal("failed", ask(raw).outcome)
    assert.equal(0x104, world:raw(raw).closed.code)
  end)

  it("are not too many before it is accepted", function()
    local raw = raw_client()
    world:raw_write(raw, world:raw_open(raw, false), ("x"):rep(1025), false)
    assert.equal("bad request", raw_closing(raw).reason)
    raw = raw_client()
    for _ = 1, 5 do
      world:raw_write(raw, world:raw_open(raw, false), "\x21", false)
    end
    assert.equal("bad request", raw_closing(raw).reason)
  end)

  it("are read at once when they are too many after it", function()
    local raw = early(CONTROL .. "\x21\x44\x00" .. ("x"):rep(1024), true)
    assert.is_nil(world:raw(raw).closed)
    assert.equal(404, ask(raw).status)
  end)
end)

describe("a client", function()
  local client, tunnel, raw

  -- Its registration has come, the answer is still to be written.
  before_each(function()
    world = scene.world()
    world:raw_server()
    client = world:client()
    tunnel = world:dial(client, { to_raw = true, answer_timeout = 5 * second })
    world:run(second)
    raw = assert(world:raw_accepted())
    assert.matches("TunnelGroup", stream(raw, 0).bytes, 1, true)
  end)

  local function closing()
    local close = scene.closing(world, tunnel)
    return close, world:tunnel(tunnel).refused
  end

  it("is registered by the answer of a Go server", function()
    world:raw_write(raw, 0, OK, true)
    world:run(second)
    assert.is_true(world:tunnel(tunnel).registered)
    assert.is_true(stream(raw, 0).fin)
    world:run(10 * second)
    assert.is_nil(world:tunnel(tunnel).closed)
  end)

  it("is registered by an answer that comes byte by byte", function()
    for byte in OK:gmatch "." do
      assert.is_false(world:tunnel(tunnel).registered)
      world:raw_write(raw, 0, byte, false)
      world:run(50 * ms)
    end
    world:run(50 * ms)
    assert.is_true(world:tunnel(tunnel).registered)
  end)

  it("waits for the reason when a stream ends without an answer", function()
    world:raw_write(raw, 0, "", true)
    world:run(800 * ms)
    world:raw_close(raw, 1, "not found")
    local close, refused = closing()
    assert.is_true(refused)
    assert.same({ 1, "not found", true },
      { close.code, close.reason, close.by_peer })
  end)

  it("waits for it also when the stream was reset", function()
    world:raw_reset(raw, 0, 0)
    world:run(800 * ms)
    world:raw_close(raw, 2, "unauthorized")
    local close, refused = closing()
    assert.is_true(refused)
    assert.equal("unauthorized", close.reason)
  end)

  it("waits for a second only", function()
    local begin = world:now()
    world:raw_write(raw, 0, OK:sub(1, 10), true)
    local close, refused = closing()
    assert.is_false(refused)
    assert.same({ false, "application", "no answer to the registration" },
      { close.by_peer, close.kind, close.reason })
    assert.is_true(close.at - begin < 1200 * ms)
  end)

  it("does not wait for an answer for ever", function()
    local close, refused = closing()
    assert.is_false(refused)
    assert.equal("no answer to the registration", close.reason)
  end)

  it("takes a refusal by the code of an answer", function()
    local texts = { "bad request", "not found", "unauthorized", "server error" }
    for code, text in ipairs(texts) do
      local bytes = OK:gsub("Code\xcc\x00", "Code\xcc" .. string.char(code))
      world:raw_write(raw, 0, bytes, true)
      local close, refused = closing()
      assert.is_true(refused)
      assert.equal(text, close.reason)
      tunnel = world:dial(client, { to_raw = true })
      world:run(second)
      raw = world:raw_accepted()
    end
  end)

  it("does not go on with an answer that it cannot understand", function()
    world:raw_write(raw, 0, "\xc1", false)
    local close, refused = closing()
    assert.is_false(refused)
    assert.equal("the answer cannot be understood", close.reason)
    world:run(second)
    assert.equal(2, world:raw(raw).closed.code)
  end)

  it("serves a request that overtakes the answer", function()
    local visit = world:visit { elsewhere = true, down = 3 }
    local section = "\x00\x00\xd1\xd7\x51\x02/1\x50\x08app.test\x24x-id\x011"
    local id = world:raw_open(raw, true)
    assert.equal(1, id)
    world:raw_write(raw, id,
      "\x01" .. string.char(#section) .. section, true)
    world:run(second)
    assert.is_false(world:tunnel(tunnel).registered)
    assert.equal(1, world:result(visit).executions)
    assert.is_true(stream(raw, id).fin)
    world:raw_write(raw, 0, OK, true)
    world:run(second)
    assert.is_true(world:tunnel(tunnel).registered)
    assert.is_nil(world:tunnel(tunnel).closed)
  end)

  it("sees that the server goes away while it registers", function()
    world:raw_close(raw, 0, "server closing down")
    local close, refused = closing()
    assert.is_true(refused)
    assert.equal("server closing down", close.reason)
  end)
end)
