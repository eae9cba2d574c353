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

-- ---- frames and field sections (RFC 9114 section 7, RFC 9204 section 4.5) ----

local function varint(n)
  if n < 64 then
    return string.char(n)
  elseif n < 16384 then
    return string.pack(">I2", n | 0x4000)
  end
  return string.pack(">I4", n | 0x80000000)
end

local function frame(kind, payload)
  return varint(kind) .. varint(#payload) .. payload
end

-- An integer with a prefix of so many bits, below `flags`.
local function prefixed(flags, bits, n)
  local most = (1 << bits) - 1
  if n < most then
    return string.char(flags | n)
  end
  local bytes = { string.char(flags | most) }
  n = n - most
  while n >= 128 do
    bytes[#bytes + 1] = string.char(n % 128 + 128)
    n = n // 128
  end
  bytes[#bytes + 1] = string.char(n)
  return table.concat(bytes)
end

local function field(name, value)
  return prefixed(0x20, 3, #name) .. name .. prefixed(0, 7, #value) .. value
end

local function head(status, fields)
  return frame(1, "\0\0" .. field(":status", tostring(status)) .. (fields or ""))
end

local function any_bytes(most)
  local bytes = {}
  for i = 1, math.random(most) do
    bytes[i] = string.char(math.random(0, 255))
  end
  return table.concat(bytes)
end

-- What a rogue may do with a request: each gets the rogue and the stream.
local deeds = {
  function(rogue, id) rogue:reset(id, 0x10b + math.random(0, 1)) end,
  function(rogue, id) rogue:stop(id, 0x100) end,
  function(rogue, id) rogue:send(id, head(103):rep(math.random(20))) end,
  function(rogue, id) rogue:send(id, head(200), math.random(3) == 1) end,
  function(rogue, id)
    local length = tostring(math.random(0, 9))
    rogue:send(id, head(200, field("content-length", length)))
  end,
  function(rogue, id)
    local data = ("d"):rep(math.random(0, 200000))
    rogue:send(id, frame(0, data), math.random(2) == 1)
  end,
  function(rogue, id)
    rogue:send(id, frame(1, "\0\0" .. field("x", "y")), math.random(2) == 1)
  end,
  function(rogue, id)
    rogue:send(id, head(200, field("x", ("v"):rep(math.random(0, 70000)))))
  end,
  function(rogue, id)
    rogue:send(id, frame(0x21, ("g"):rep(math.random(0, 30000))))
  end,
  function(rogue, id) rogue:send(id, "", true) end,
  function(rogue, id) rogue:send(id, head(204) .. frame(0, "no body")) end,
  function(rogue, id) rogue:send(id, any_bytes(30)) end,
  function(rogue) rogue:hold(math.random(2) == 1) end,
  function(rogue)
    local id = rogue:open(false)
    if id then
      rogue:send(id, ({ "\0\4\0\7\1\0", "\2\32", "\3\65", "!abc" })[
        math.random(4)], math.random(4) == 1)
    end
  end,
}

describe("tunnel clients that send anything", function()
  local world, rogues, visitors

  local function visit()
    local method = ({ "GET", "HEAD", "POST", "PUT" })[math.random(4)]
    local body = #method > 3 and method ~= "HEAD" and
      ("b"):rep(math.random(0, 100000)) or nil
    table.insert(visitors, world:visitor():ask { method = method, body = body })
  end

  local function leave()
    table.remove(visitors, math.random(#visitors)).wire:close()
  end

  local function misbehave(i)
    local facts = rogues[i]:facts()
    if facts.gone then
      rogues[i]:close()
      world.open[rogues[i]] = nil
      rogues[i] = Rogue.new(world):register "app"
    elseif #facts.requests > 0 then
      deeds[math.random(#deeds)](
        rogues[i], facts.requests[math.random(#facts.requests)])
    end
  end

  for seed = 1, 10 do
    it("leave nothing behind, seed " .. seed, function()
      math.randomseed(seed)
      world, rogues, visitors = World.new(), {}, {}
      world:server { groups = { app = { "app.test" } } }
      for i = 1, 3 do
        rogues[i] = Rogue.new(world):register "app"
      end
      for _ = 1, 150 do
        local action = math.random(10)
        if action <= 4 and #visitors < 60 then
          visit()
        elseif action == 5 and #visitors > 0 then
          leave()
        else
          misbehave(math.random(3))
        end
        world:turns(1)
      end
      world:close() -- sees to it that no object is left
    end)
  end
end)
