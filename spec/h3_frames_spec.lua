-- The bytes of HTTP/3: split anywhere, as captured, and at random.

local bytes = require "h3_bytes"
local h3 = require "spec.h3"

local data, frame, headers = bytes.data, bytes.frame, bytes.headers
local request, response, varint = bytes.request, bytes.response, bytes.varint

local function unhex(text)
  return (text:gsub("%s", ""):gsub("..", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

describe("frames", function()
  after_each(bytes.finish_all)

  it("mean the same wherever they are split", function()
    local message = request { { "x-a", "1" } } .. data "one" ..
      frame(0x1f * 9 + 0x21, "grease") .. data "" .. data(("two"):rep(40)) ..
      headers { { "x-t", "3" } }
    for at = 1, #message - 1 do
      local world = bytes.world { role = "responder" }
      world:feed(1, message:sub(1, at))
      world:run()
      world:feed(1, message:sub(at + 1), true)
      world:run()
      local up = world:accept()
      assert.same({ { "x-a", "1" } }, up:head().fields)
      assert.same({ "one" .. ("two"):rep(40), "ended" }, { up:read() })
      assert.same({ { "x-t", "3" } }, up:trailers())
      assert.equal(0, world:totals().close)
    end
    for cut = 1, 9 do
      local world = bytes.world { role = "responder" }
      world:feed(1, message, true, cut)
      world:run()
      assert.equal("one" .. ("two"):rep(40), world:accept():read())
    end
  end)

  it("may have lengths in the longest form", function()
    local world = bytes.world { role = "responder" }
    local section = request():sub(3)
    world:feed(1, "\x40\1" .. string.pack(">I8", #section | 3 << 62) ..
      section .. "\x80\0\0\0\xc0\0\0\0\0\0\0\2ab", true, 1)
    world:run()
    assert.equal("ab", world:accept():read())
  end)

  it("may announce more than is ever sent", function()
    local world = bytes.world { role = "responder" }
    world:feed(1, request() .. "\0" .. varint((1 << 62) - 1) .. "abc")
    world:run()
    assert.equal("abc", world:accept():read())
    assert.is_true(world:totals().chunks <= 1)
  end)

  it("wrap each part of a body once", function()
    local world = bytes.world { role = "requester" }
    local down = world:request(bytes.post)
    local body = ("0123456789"):rep(5000)
    down:write(body)
    down:finish()
    world:run()
    local sent = world:stream(1)
    assert.is_true(sent.fin)
    assert.equal(body, bytes.body(sent.bytes))
    local frames = bytes.frames(sent.bytes)
    assert.equal(bytes.HEADERS, frames[1][1])
    assert.is_true(#frames <= 5)
  end)

  it("carry FIN with the head of a request without body", function()
    local world = bytes.world { role = "requester" }
    world:request(bytes.get)
    world:run()
    local sent = world:stream(1)
    assert.is_true(sent.fin)
    assert.equal(1, #bytes.frames(sent.bytes))
    assert.same({ ":method: GET", ":scheme: https",
      ":authority: app.example.com", ":path: /pong" },
      h3.fields(bytes.frames(sent.bytes)[1][2]))
  end)
end)

describe("a control stream", function()
  after_each(bytes.finish_all)

  local function settings(world, id)
    local sent = world:stream(id).bytes
    assert.equal(0, sent:byte(1))
    local frames = bytes.frames(sent, 2)
    assert.equal(bytes.SETTINGS, frames[1][1])
    local found, at = {}, 1
    local payload = frames[1][2]
    while at <= #payload do
      local pair = {}
      for i = 1, 2 do
        local size = 1 << (payload:byte(at) >> 6)
        local n = string.unpack(">I" .. size, payload, at)
        pair[i] = n & ~(3 << (8 * size - 2))
        at = at + size
      end
      found[pair[1]] = pair[2]
    end
    return found, frames
  end

  it("begins with SETTINGS, a responder's at once", function()
    local world = bytes.world { role = "responder" }
    world:run()
    local found = settings(world, 2)
    assert.equal(80 * 1024, found[6])
    assert.equal(1, found[8])
    local grease = 0
    for id in pairs(found) do
      grease = grease + ((id - 0x21) % 0x1f == 0 and 1 or 0)
    end
    assert.equal(1, grease)
  end)

  it("is opened by a requester with its first request", function()
    local world = bytes.world { role = "requester" }
    world:run()
    assert.is_nil(world:stream(3))
    world:request(bytes.get)
    world:run()
    local found = settings(world, 3)
    assert.is_nil(found[8])
  end)

  it("waits until the peer allows it", function()
    local world = bytes.world { role = "responder", uni_streams = 0 }
    world:run()
    assert.is_nil(world:stream(2))
    world:hold { uni = 1 }
    world:grow(-1, 0)
    world:run()
    assert.is_truthy(settings(world, 2))
  end)

  it("ends with GOAWAY: behind the last request seen", function()
    local world = bytes.world { role = "responder" }
    world:feed(5, request(), true)
    world:drain()
    world:feed(1, request(), true) -- late, but named as accepted
    world:feed(9, request())
    world:run()
    local _, frames = settings(world, 2)
    assert.same({ bytes.GOAWAY, "\9" }, frames[2])
    assert.is_truthy(world:accept())
    assert.is_truthy(world:accept())
    assert.is_nil(world:accept())
    assert.equal(0x10b, world:stream(9).reset)
    assert.equal(0x10b, world:stream(9).stop)
    world:close_stream(9)
    world:run()
    assert.equal(1, world:totals().released)
  end)

  it("is what Go peers send, late or never", function()
    local world = bytes.world { role = "requester" }
    local down = world:request(bytes.get)
    world:run()
    world:feed(1, response() .. data "PONG\n", true)
    assert.same({ "PONG\n", "ended" }, { down:read() })
    assert.is_false(world:totals().connect_protocol)
    world:feed(2, unhex "0004020801")
    assert.is_true(world:totals().connect_protocol)
    assert.is_true(world:totals().news > 0)
    local responder = bytes.world { role = "responder" }
    responder:feed(3, unhex "000400")
    responder:feed(1, request(), true)
    responder:run()
    assert.equal("/pong", responder:accept():head().path)
  end)
end)

describe("field sections", function()
  after_each(bytes.finish_all)

  it("are read as quic-go writes them, in Huffman code", function()
    -- :authority example.com in Huffman code, :method GET, :scheme https and
    -- :path / from the static table
    local world = bytes.world { role = "responder" }
    world:feed(1, frame(1, unhex "0000 5088 2f91d35d055c87a7 d1 d7 c1"), true)
    world:run()
    local head = world:accept():head()
    assert.equal("example.com", head.authority)
    assert.equal("GET", head.method)
    assert.equal("https", head.scheme)
    assert.equal("/", head.path)
  end)

  it("of one stream do not concern the next, whatever was in them", function()
    local world = bytes.world { role = "responder" }
    for i = 0, 99 do
      local id = 8 * i + 1
      world:feed(id, frame(1, ("\0\0\xff\xff\xff\xff\xff"):rep(1 + i % 3)))
      world:feed(id + 4, request { { "x-n", tostring(i) } }, true)
      world:run()
      local up = world:accept()
      assert.same({ { "x-n", tostring(i) } }, up:head().fields)
      up:let_go()
    end
  end)
end)

describe("random bytes", function()
  after_each(bytes.finish_all)

  local pieces

  local function random_bytes(length)
    local all = {}
    for i = 1, length do
      all[i] = string.char(math.random(0, 255))
    end
    return table.concat(all)
  end

  -- well-formed frames with some bytes changed, cut or put in
  local function random_message()
    local all = {}
    for i = 1, math.random(1, 6) do
      all[i] = pieces[math.random(#pieces)]
    end
    local message = table.concat(all)
    for _ = 1, math.random(0, 3) do
      local at = math.random(1, #message + 1)
      message = message:sub(1, at - 1) .. random_bytes(math.random(0, 3)) ..
        message:sub(at + math.random(0, 3))
    end
    return message
  end

  before_each(function()
    pieces = {
      request(), response(), response({}, 103), data "abc", data "",
      headers { { "x-t", "1" } }, frame(0x21, "grease"), bytes.settings(6, 100),
      frame(bytes.GOAWAY, "\4"), frame(bytes.CANCEL_PUSH, "\1"),
      request { { "content-length", "3" } }, "\0", "\2\x20", "\3\x41",
    }
  end)

  for _, role in ipairs { "requester", "responder" } do
    it("on any stream do no harm to a " .. role, function()
      for seed = 1, 1500 do
        math.randomseed(seed)
        local world = bytes.world { role = role, seed = seed }
        local ids = role == "requester" and { 1, 5, 9, 2, 6, 0 } or
          { 1, 5, 9, 3, 7, 11 }
        if role == "requester" then
          for _ = 1, 3 do
            world:request(seed % 2 == 0 and bytes.get or bytes.post)
          end
        end
        world:run()
        for _ = 1, math.random(1, 12) do
          local id = ids[math.random(#ids)]
          local sent = math.random(4) == 1 and random_bytes(math.random(0, 40))
            or random_message()
          world:feed(id, sent, math.random(6) == 1, math.random(1, 60))
          if math.random(8) == 1 then
            world:reset(id, 0x100 + math.random(0, 16))
          elseif math.random(8) == 1 then
            world:stop(id, 0x100 + math.random(0, 16))
          end
          world:run()
          local up = world:accept()
          if up and math.random(2) == 1 then
            up:respond { status = 200 }
            up:write "answer"
            up:finish()
          elseif up then
            up:let_go()
          end
        end
        world:run()
        bytes.finish_all()
      end
    end)
  end
end)
