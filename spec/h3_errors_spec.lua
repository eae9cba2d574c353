-- What an error of the peer costs: one exchange, or the connection.

local bytes = require "h3_bytes"

local data, frame, headers = bytes.data, bytes.frame, bytes.headers
local request, response, varint = bytes.request, bytes.response, bytes.varint

local long_name = ("n"):rep(300)
local value_80k = ("v"):rep(80 * 1024)

local function many(count)
  local fields = {}
  for i = 1, count do
    fields[i] = { "x-" .. i, "v" }
  end
  return fields
end

local function pseudo(more, without)
  local fields = {}
  for _, field in ipairs {
    { ":method", "GET" }, { ":scheme", "https" },
    { ":authority", "app.example.com" }, { ":path", "/" },
  } do
    if field[1] ~= without then
      fields[#fields + 1] = field
    end
  end
  for _, field in ipairs(more or {}) do
    fields[#fields + 1] = field
  end
  return headers(fields)
end

-- { what, bytes, code, [strict] }: FIN follows
local request_errors = {
  { "no :method", pseudo({}, ":method"), 0x10e },
  { "no :scheme", pseudo({}, ":scheme"), 0x10e },
  { "no :path", pseudo({}, ":path"), 0x10e },
  { "no authority", pseudo({}, ":authority"), 0x10e },
  { "an empty :path", pseudo({ { ":path", "" } }, ":path"), 0x10e },
  { "a repeated pseudo-field", pseudo { { ":path", "/" } }, 0x10e },
  { "an unknown pseudo-field", pseudo { { ":x", "1" } }, 0x10e },
  { ":status in a request", pseudo { { ":status", "200" } }, 0x10e },
  { "a pseudo-field after others",
    pseudo({ { "a", "b" }, { ":path", "/" } }, ":path"), 0x10e },
  { "a pseudo-field in trailers",
    request() .. headers { { ":status", "200" } }, 0x10e },
  { "upper case", request { { "Content-Length", "0" } }, 0x10e },
  { "a name that is no token", request { { "a b", "c" } }, 0x10e },
  { "an empty name", request { { "", "c" } }, 0x10e },
  { "a line feed in a value", request { { "a", "b\nc" } }, 0x10e },
  { "NUL in a value", request { { "a", "b\0c" } }, 0x10e },
  { "a line feed in :path", pseudo({ { ":path", "/\n" } }, ":path"), 0x10e },
  { "a name in an authority",
    pseudo({ { ":authority", "me@host" } }, ":authority"), 0x10e },
  { "another Host", request { { "host", "other.example.com" } }, 0x10e },
  { "two Hosts", pseudo({ { "host", "a" }, { "host", "a" } }, ":authority"),
    0x10e },
  { ":protocol without CONNECT", pseudo { { ":protocol", "websocket" } },
    0x10e },
  { "CONNECT with :path", headers { { ":method", "CONNECT" },
    { ":authority", "a:1" }, { ":path", "/" } }, 0x10e },
  { "Content-Length in words", request { { "content-length", "ten" } }, 0x10e },
  { "differing Content-Lengths",
    request { { "content-length", "1" }, { "content-length", "2" } } ..
    data "x", 0x10e },
  { "a body too short", request { { "content-length", "2" } } .. data "x",
    0x10e },
  { "no body where one is declared", request { { "content-length", "2" } },
    0x10e },
  { "a body too long", request { { "content-length", "2" } } .. data "xyz",
    0x10e },
  { "trailers before the body's end",
    request { { "content-length", "2" } } .. data "x" ..
    headers { { "a", "b" } }, 0x10e },
  { "a long name", request { { long_name, "1" } }, 0x10e },
  { "a large value", request { { "a", value_80k:sub(1, 70000) } }, 0x10e },
  { "a value above the limit", request { { "a", value_80k:sub(1, 20000) } },
    0x10e },
  { "too many fields", request(many(150)), 0x10e },
  { "a section that unfolds", "\1" .. varint(70002) .. "\0\0" ..
    ("\xc1"):rep(70000), 0x10e },
  { "connection-specific fields of a peer that should know better",
    request { { "connection", "close" } }, 0x10e, true },
  { "no head", "", 0x10d },
  { "a grease frame alone", frame(0x21, "abc"), 0x10d },
  { "DATA before HEADERS", data "x" .. request(), 0x105 },
  { "DATA after trailers",
    request() .. headers { { "a", "b" } } .. data "x", 0x105 },
  { "HEADERS after trailers", request() .. headers { { "a", "b" } } ..
    headers { { "a", "b" } }, 0x105 },
  { "a truncated HEADERS", request():sub(1, -2), 0x106 },
  { "a truncated DATA", request() .. data("xyz"):sub(1, -2), 0x106 },
  { "half a frame's head", request() .. "\0", 0x106 },
  { "junk for QPACK", frame(1, "\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
    0x200 },
  { "a dynamic reference", frame(1, "\2\0\x80"), 0x200 },
  { "an empty section", frame(1, ""), 0x200 },
  { "a HEADERS frame of 80 KiB and more", "\1" .. varint(80 * 1024 + 1),
    0x107 },
  { "a HEADERS frame of the largest length", "\1" .. varint((1 << 62) - 1),
    0x107 },
  { "64 KiB of unknown frames", request() .. frame(0x21, value_80k), 0x107 },
  { "ever more empty frames",
    request() .. frame(0x21, ""):rep(33000), 0x107 },
}

local response_errors = {
  { "no :status", headers { { "a", "b" } }, 0x10e },
  { ":status of two digits", response({}, 20), 0x10e },
  { ":status of four digits", response({}, 2000), 0x10e },
  { ":status in words", response({}, "abc"), 0x10e },
  { ":status 099", response({}, "099"), 0x10e },
  { ":status 101", response({}, 101), 0x10e },
  { ":path in a response", response { { ":path", "/" } }, 0x10e },
  { "upper case", response { { "X-A", "b" } }, 0x10e },
  { "FIN without a head", "", 0x10e },
  { "FIN after a 1xx head", response({}, 103), 0x10e },
  { "too many 1xx heads", response({}, 103):rep(17) .. response(), 0x10e },
  { "DATA after a 1xx head", response({}, 103) .. data "x", 0x105 },
  { "a short body", response { { "content-length", "5" } } .. data "x", 0x10e },
  { "a long body", response { { "content-length", "1" } } .. data "xyz",
    0x10e },
  { "DATA before HEADERS", data "x", 0x105 },
  { "a truncated DATA", response() .. data("xyz"):sub(1, -2), 0x106 },
  { "junk for QPACK", frame(1, "\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
    0x200 },
  { "a long name", response { { long_name, "1" } }, 0x10e },
  { "an 80 KB value", response { { "a", value_80k:sub(1, 79000) } }, 0x10e },
  { "a large HEADERS frame", "\1" .. varint(81921), 0x107 },
  { "64 KiB of unknown frames", response() .. frame(0x21, value_80k), 0x107 },
}

local control = bytes.control

-- { what, streams = { [id] = bytes }, code, fin }; a request is on its way
local on_both = {
  { "no SETTINGS first", { [2] = "\0" .. frame(bytes.GOAWAY, "\0") }, 0x10a },
  { "grease before SETTINGS", { [2] = "\0" .. frame(0x21, "") }, 0x10a },
  { "SETTINGS twice", { [2] = control(bytes.settings()) }, 0x105 },
  { "DATA on the control stream", { [2] = control(data "x") }, 0x105 },
  { "HEADERS on the control stream", { [2] = control(request()) }, 0x105 },
  { "PUSH_PROMISE on the control stream",
    { [2] = control(frame(bytes.PUSH_PROMISE, "\0")) }, 0x105 },
  { "SETTINGS on a request stream", { request = bytes.settings() }, 0x105 },
  { "GOAWAY on a request stream",
    { request = frame(bytes.GOAWAY, "\0") }, 0x105 },
  { "CANCEL_PUSH on a request stream",
    { request = frame(bytes.CANCEL_PUSH, "\0") }, 0x105 },
  { "MAX_PUSH_ID on a request stream",
    { request = frame(bytes.MAX_PUSH_ID, "\0") }, 0x105 },
  { "PRIORITY_UPDATE on a request stream",
    { request = frame(bytes.PRIORITY_UPDATE, "\0") }, 0x105 },
  { "PRIORITY_UPDATE of a push on a request stream",
    { request = frame(bytes.PRIORITY_UPDATE + 1, "\0") }, 0x105 },
  { "GOAWAY too short", { [2] = control(frame(bytes.GOAWAY, "")) }, 0x106 },
  { "GOAWAY cut", { [2] = control(frame(bytes.GOAWAY, "\x40")) }, 0x106 },
  { "GOAWAY too long", { [2] = control(frame(bytes.GOAWAY, "\0\0")) }, 0x106 },
  { "CANCEL_PUSH too long",
    { [2] = control(frame(bytes.CANCEL_PUSH, "\0\0")) }, 0x106 },
  { "SETTINGS cut", { [2] = "\0" .. frame(4, "\6") }, 0x106 },
  { "SETTINGS cut in a value", { [2] = "\0" .. frame(4, "\6\x40") }, 0x106 },
  { "a repeated setting", { [2] = "\0" .. bytes.settings(6, 1, 6, 1) }, 0x109 },
  { "ENABLE_CONNECT_PROTOCOL 2", { [2] = "\0" .. bytes.settings(8, 2) },
    0x109 },
  { "large SETTINGS", { [2] = "\0\4" .. varint(4097) }, 0x107 },
  { "a growing GOAWAY", { [2] = control(frame(bytes.GOAWAY, "\4") ..
    frame(bytes.GOAWAY, "\8")) }, 0x108 },
  { "the control stream closed", { [2] = control(), fin = true }, 0x104 },
  { "the encoder stream closed", { [2] = "\2", fin = true }, 0x104 },
  { "the decoder stream closed", { [2] = "\3", fin = true }, 0x104 },
  { "a second control stream", { [2] = control(), [6] = "\0" }, 0x103 },
  { "a second encoder stream", { [2] = "\2", [6] = "\2" }, 0x103 },
  { "a second decoder stream", { [2] = "\3", [6] = "\3" }, 0x103 },
  { "a capacity above 0", { [2] = "\2\x21" }, 0x201 },
  { "an insertion", { [2] = "\2\xc1\1a" }, 0x201 },
  { "a section acknowledgement", { [2] = "\3\x81" }, 0x202 },
  { "an insert count", { [2] = "\3\1" }, 0x202 },
  { "64 KiB of grease on the control stream",
    { [2] = control(frame(0x21, value_80k)) }, 0x107 },
}

for _, id in ipairs { 0, 2, 3, 4, 5 } do
  on_both[#on_both + 1] = { "reserved setting " .. id,
    { [2] = "\0" .. bytes.settings(id, 1) }, 0x109 }
end
for _, type in ipairs { 2, 6, 8, 9 } do
  on_both[#on_both + 1] = { "reserved frame " .. type,
    { [2] = control(frame(type, "")) }, 0x105 }
  on_both[#on_both + 1] = { "reserved frame on a request " .. type,
    { request = frame(type, "") }, 0x105 }
end

local on_responder = {
  { "PUSH_PROMISE", { request = frame(bytes.PUSH_PROMISE, "\0") }, 0x105 },
  { "a push stream", { [2] = "\1" }, 0x103 },
  { "MAX_PUSH_ID too long",
    { [2] = control(frame(bytes.MAX_PUSH_ID, "\0\0")) }, 0x106 },
}

local on_requester = {
  { "PUSH_PROMISE", { request = frame(bytes.PUSH_PROMISE, "\0") }, 0x108 },
  { "a push stream", { [2] = "\1" }, 0x108 },
  { "MAX_PUSH_ID", { [2] = control(frame(bytes.MAX_PUSH_ID, "\0")) }, 0x105 },
  { "PRIORITY_UPDATE",
    { [2] = control(frame(bytes.PRIORITY_UPDATE, "\0")) }, 0x105 },
}

local cuts = { 1, 1 << 30 }

describe("a responder that reads", function()
  after_each(bytes.finish_all)

  for _, row in ipairs(request_errors) do
    it(row[1] .. " fails that request alone", function()
      for _, cut in ipairs(#row[2] < 2000 and cuts or { 1000 }) do
        local world = bytes.world { role = "responder", strict = row[4],
          stream_window = 1 << 20 }
        world:feed(5, request())
        world:feed(1, row[2], true, cut)
        world:run()
        assert.equal(row[3], world:stream(1).reset)
        assert.equal(0, world:totals().close)
        assert.equal(world:stream(1).received, world:stream(1).credited)
        world:feed(9, request(), true)
        world:run()
        assert.equal("/pong", world:accept():head().path)
        assert.equal(2, world:totals().active)
      end
    end)
  end
end)

describe("a requester that reads", function()
  after_each(bytes.finish_all)

  for _, row in ipairs(response_errors) do
    it(row[1] .. " fails that exchange alone", function()
      for _, cut in ipairs(#row[2] < 2000 and cuts or { 1000 }) do
        local world = bytes.world { role = "requester" }
        local bad, good = world:request(bytes.post), world:request(bytes.get)
        world:run()
        world:feed(1, row[2], true, cut)
        world:run()
        assert.equal("origin_malformed", bad:failure())
        assert.equal(row[3], world:stream(1).reset)
        assert.equal(0, world:totals().close)
        world:feed(5, response() .. data "fine", true)
        assert.same({ "fine", "ended" }, { good:read() })
      end
    end)
  end

  it("HEADERS after trailers fails a response that seemed whole", function()
    local world = bytes.world { role = "requester" }
    local down = world:request(bytes.get)
    world:run()
    local trailers = headers { { "a", "b" } }
    world:feed(1, response() .. data "x" .. trailers .. trailers)
    assert.same({ "", "aborted" }, { down:read() })
    assert.equal(0x105, world:stream(1).stop)
    assert.equal(0, world:totals().close)
  end)

  it("DATA in an answer to HEAD fails that exchange alone", function()
    local world = bytes.world { role = "requester" }
    local down = world:request(bytes.with(bytes.get, { method = "HEAD" }))
    world:run()
    world:feed(1, response { { "content-length", "1" } })
    assert.equal(200, down:head().status)
    world:feed(1, data "x")
    assert.equal(0x10e, world:stream(1).stop)
    assert.equal(0, world:totals().close)
  end)
end)

local function feed_connection_error(world, row, base, cut)
  local ids = {}
  for id in pairs(row[2]) do
    if type(id) == "number" then
      ids[#ids + 1] = id
    end
  end
  table.sort(ids)
  for _, id in ipairs(ids) do
    world:feed(id + base, row[2][id], row[2].fin, cut)
  end
  if row[2].request then
    world:feed(1, row[2].request, false, cut)
  end
end

local function check_connection_errors(role, rows)
  for _, row in ipairs(rows) do
    it(row[1] .. " ends the connection", function()
      for _, cut in ipairs { 1, 1000 } do
        local world = bytes.world { role = role }
        local other = bytes.world {}
        if role == "requester" then
          world:request(bytes.get)
          world:run()
        end
        -- the requester is the QUIC server: its peer opens 2, 6, …
        feed_connection_error(world, row, role == "requester" and 0 or 1, cut)
        world:run()
        assert.equal(row[3], world:totals().close)
        local down = other:request(bytes.get)
        other:run()
        other:accept():respond { status = 204 }
        other:run()
        assert.equal(204, down:head().status)
      end
    end)
  end
end

describe("to a responder", function()
  after_each(bytes.finish_all)
  check_connection_errors("responder", on_both)
  check_connection_errors("responder", on_responder)
end)

describe("to a requester", function()
  after_each(bytes.finish_all)
  check_connection_errors("requester", on_both)
  check_connection_errors("requester", on_requester)

  it("a reset control stream ends the connection", function()
    local world = bytes.world { role = "requester" }
    world:feed(2, control())
    world:reset(2, 0x100)
    assert.equal(0x104, world:totals().close)
  end)

  it("our control stream stopped ends the connection", function()
    local world = bytes.world { role = "requester" }
    world:request(bytes.get)
    world:run()
    world:stop(3, 0x100)
    assert.equal(0x104, world:totals().close)
  end)
end)

describe("a reset of a response", function()
  after_each(bytes.finish_all)

  it("is a refusal with H3_REQUEST_REJECTED only", function()
    for code, word in pairs {
      [0x10b] = "refused", [0x10c] = "upstream_reset",
      [0x102] = "upstream_reset", [0x10e] = "upstream_reset",
    } do
      local world = bytes.world { role = "requester" }
      local down = world:request(bytes.post)
      world:run()
      world:stop(1, code)
      world:run()
      assert.equal("none", down:failure())
      world:reset(1, code)
      assert.equal(word, down:failure())
    end
  end)

  it("leaves a refused upload to another tunnel", function()
    local world = bytes.world { role = "requester" }
    local down = world:request(bytes.with(bytes.post, { router = true }))
    down:write(("x"):rep(20000))
    world:run()
    world:stop(1, 0x10b)
    world:run()
    down:write "more"
    world:run()
    world:reset(1, 0x10b)
    world:run()
    assert.equal("refused", down:failure())
    assert.is_true(down:may_retry())
  end)

  it("breaks off a body that has begun", function()
    local world = bytes.world { role = "requester" }
    local down = world:request(bytes.get)
    world:run()
    world:feed(1, response() .. data "part")
    world:reset(1, 0x10c)
    assert.equal("aborted", select(2, down:read()))
    assert.equal("upstream_reset", down:failure())
  end)
end)

describe("a reset of a request", function()
  after_each(bytes.finish_all)

  it("before its first byte closes our half too", function()
    local world = bytes.world { role = "responder" }
    world:reset(1, 0x10c)
    assert.equal(0x10c, world:stream(1).reset)
    assert.equal(0, world:totals().close)
  end)
end)

describe("what is no error", function()
  after_each(bytes.finish_all)

  it("is a connection-specific field from a Go application", function()
    local world = bytes.world { role = "requester" }
    local down = world:request(bytes.get)
    world:run()
    world:feed(1, response {
      { "connection", "keep-alive, x-hop" }, { "keep-alive", "timeout=5" },
      { "transfer-encoding", "chunked" }, { "x-a", "1" },
    }, true)
    assert.same({ { "x-a", "1" } }, down:head().fields)
  end)

  it("is grease on any stream", function()
    local world = bytes.world { role = "responder" }
    world:feed(3, "\0" .. bytes.settings(0x21, 5, 0x4242, 7) ..
      frame(0x21, "abc") .. frame(bytes.CANCEL_PUSH, "\1") ..
      frame(bytes.MAX_PUSH_ID, "\1") .. frame(bytes.PRIORITY_UPDATE, "\1u=1"),
      false, 1)
    world:feed(7, "\2\x20\x20", false, 1)
    world:feed(11, "\3\x40\x7f\x80\x01\x41", false, 1)
    world:feed(15, varint(0x21) .. "whatever")
    world:feed(1, frame(0x40, "x") .. request() .. frame(0x21, "") ..
      data "a" .. frame(0x21, "yy") .. data "" .. data "b" ..
      headers { { "x-t", "1" } } .. frame(0x21, "z"), true, 1)
    world:run()
    assert.equal(0, world:totals().close)
    assert.equal(0x103, world:stream(15).stop)
    local up = world:accept()
    assert.same({ "ab", "ended" }, { up:read() })
    assert.same({ { "x-t", "1" } }, up:trailers())
    for _, id in ipairs { 3, 7, 11, 15 } do
      assert.equal(world:stream(id).received, world:stream(id).credited)
    end
  end)

  it("is 40 KiB of it each minute", function()
    local world = bytes.world { role = "responder" }
    world:feed(3, control())
    for _ = 1, 5 do
      world:feed(3, frame(0x21, ("x"):rep(40000)))
      world:sleep(60)
    end
    assert.equal(0, world:totals().close)
  end)

  it("is a stream that ends before its type is known", function()
    local world = bytes.world { role = "responder" }
    world:feed(3, "\x40", true)
    world:feed(7, "", true)
    assert.equal(0, world:totals().close)
  end)

  it("is a blank around a value", function()
    local world = bytes.world { role = "responder" }
    world:feed(1, request { { "a", " \tb " } }, true)
    world:run()
    assert.same({ { "a", "b" } }, world:accept():head().fields)
  end)
end)

describe("GOAWAY from a responder", function()
  after_each(bytes.finish_all)

  for _, id in ipairs { 0, 4, 5, 9 } do
    it("with id " .. id .. " refuses the requests from there on", function()
      local world = bytes.world { role = "requester" }
      local downs = {}
      for i, path in ipairs { "/1", "/5", "/9" } do
        downs[i] = world:request(bytes.with(bytes.get, { path = path }))
      end
      world:run()
      world:feed(9, response()) -- has its head: it goes on
      world:feed(2, control(frame(bytes.GOAWAY, varint(id))))
      assert.equal(1 >= id and "refused" or "none", downs[1]:failure())
      assert.equal(5 >= id and "refused" or "none", downs[2]:failure())
      assert.equal("none", downs[3]:failure())
      world:feed(9, data "on", true)
      assert.equal("on", downs[3]:read())
      assert.is_true(world:totals().draining)
      assert.equal(0, world:totals().close)
    end)
  end
end)

describe("200 000 cancelled requests", function()
  after_each(bytes.finish_all)

  it("leave a responder as it was", function()
    local world = bytes.world { role = "responder" }
    local head = request()
    for i = 0, 199999 do
      local id = 4 * i + 1
      if i % 3 > 0 then
        world:feed(id, i % 3 == 1 and head or head:sub(1, 5))
      end
      if i % 2 == 0 then
        world:run()
      end
      world:reset(id, 0x10c)
      world:stop(id, 0x10c)
      world:close_stream(id)
      if i % 100 == 99 then
        world:run()
        for up in function() return world:accept() end do
          up:let_go()
        end
      end
    end
    world:run()
    assert.equal(0, world:totals().close)
    assert.equal(0, world:totals().streams)
    assert.equal(0, world:totals().exchanges)
    assert.equal(200000, world:totals().released)
  end)
end)
