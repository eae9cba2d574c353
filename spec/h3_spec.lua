-- Exchanges over HTTP/3, between two sessions.

local bytes = require "h3_bytes"

local get, post, with = bytes.get, bytes.post, bytes.with

local function text(length, seed)
  local parts = {}
  for i = 1, length // 16 + 1 do
    parts[i] = ("%015d\n"):format(i * 7919 + (seed or 0))
  end
  return table.concat(parts):sub(1, length)
end

-- moves bytes from one party to the other until both are done
local function relay(world, from, to, body)
  local got, state = {}, "open"
  from:write(body)
  from:finish()
  for _ = 1, 10000 do
    world:run()
    local part
    part, state = to:read()
    got[#got + 1] = part
    if part == "" and state ~= "open" then
      break
    end
  end
  return table.concat(got), state
end

-- all requests that arrived, by path
local function by_path(world)
  local found = {}
  for up in function() return world:accept() end do
    found[up:head().path] = up
  end
  return found
end

local function answer(world, up, status, body)
  up:respond { status = status, fields = { { "x-test", "yes" } } }
  up:write(body)
  up:finish()
  world:run()
end

describe("an HTTP/3 exchange", function()
  local world

  before_each(function()
    world = bytes.world {}
  end)

  after_each(bytes.finish_all)

  it("carries a GET and its answer", function()
    local down = world:request(with(get, { fields = {
      { "accept", "*/*" }, { "cookie", "a=1" }, { "cookie", "b=2" },
      { "x-empty", "" }, { "x-obs", "caf\xe9" },
    } }))
    world:run()
    local up = world:accept()
    local head = up:head()
    assert.equal("GET", head.method)
    assert.equal("https", head.scheme)
    assert.equal("app.example.com", head.authority)
    assert.equal("/pong", head.path)
    assert.is_true(head.no_body)
    assert.same({
      { "accept", "*/*" }, { "cookie", "a=1" }, { "cookie", "b=2" },
      { "x-empty", "" }, { "x-obs", "caf\xe9" },
    }, head.fields)
    answer(world, up, 200, "PONG\n")
    assert.equal(200, down:head().status)
    assert.same({ { "x-test", "yes" } }, down:head().fields)
    assert.same({ "PONG\n", "ended" }, { down:read() })
    assert.equal("none", down:failure())
  end)

  it("carries large bodies both ways", function()
    local down = world:request(post)
    world:run()
    local up = world:accept()
    local upload, download = text(1500000), text(2500000, 5)
    assert.is_true(relay(world, down, up, upload) == upload)
    up:respond { status = 200 }
    local got, state = relay(world, up, down, download)
    assert.is_true(got == download)
    assert.equal("ended", state)
  end)

  it("takes no more from a pipe than the peer's window allows", function()
    local down = world:request(post)
    world:run()
    local up = world:accept()
    down:write(text(1000000))
    world:run()
    -- frame heads are credited at once
    assert.is_true(world:stream(1).written <= 128 * 1024 + 200)
    local first = up:read(50000)
    assert.equal(50000, #first)
    local before = world:stream(1).written
    world:run()
    assert.is_true(world:stream(1).written > before)
  end)

  it("answers before the upload is complete, and stops the rest", function()
    local down = world:request(post)
    down:write "first"
    world:run()
    local up = world:accept()
    up:respond { status = 403, no_body = true }
    world:run()
    assert.equal(403, down:head().status)
    assert.same({ "", "ended" }, { down:read() })
    world:run()
    assert.equal(0, world:totals("responder").active)
    assert.equal(0, world:totals("requester").active)
  end)

  it("goes on with the response when the upload was stopped", function()
    local down = world:request(post)
    down:write(text(300000))
    world:run()
    local up = world:accept()
    up:stop()
    up:respond { status = 200 }
    up:write "some"
    world:run()
    assert.same({ "some", "open" }, { down:read() })
    up:write " more"
    up:finish()
    world:run()
    assert.same({ " more", "ended" }, { down:read() })
    assert.equal("none", down:failure())
  end)

  it("passes informational heads and trailers", function()
    local down = world:request(get)
    world:run()
    local up = world:accept()
    up:respond { status = 103, fields = { { "link", "</a.css>" } } }
    up:respond { status = 100 }
    world:run()
    assert.equal(103, down:informational())
    assert.equal(100, down:informational())
    assert.is_nil(down:head())
    up:respond { status = 200 }
    up:write "x"
    up:finish { fields = { { "x-sum", "42" }, { "content-length", "7" } } }
    world:run()
    assert.same({ "x", "ended" }, { down:read() })
    assert.same({ { "x-sum", "42" } }, down:trailers())
  end)

  it("sends request trailers to those who can read them only", function()
    for _, can in ipairs { true, false } do
      local other = bytes.world { request_trailers = can }
      local down = other:request(post)
      down:write "x"
      down:finish { fields = { { "x-sum", "42" } } }
      other:run()
      local up = other:accept()
      assert.same({ "x", "ended" }, { up:read() })
      assert.same(can and { { "x-sum", "42" } } or {}, up:trailers())
    end
  end)

  it("has no body in answers to HEAD, and with 204 and 304", function()
    for _, case in ipairs {
      { "HEAD", 200 }, { "GET", 204 }, { "GET", 304 },
    } do
      local down = world:request(with(get, { method = case[1] }))
      world:run()
      world:accept():respond {
        status = case[2], fields = { { "content-length", "10" } },
        content_length = 10,
      }
      world:run()
      assert.equal(case[2], down:head().status)
      assert.is_true(down:head().no_body)
      assert.same({ "", "ended" }, { down:read() })
    end
  end)

  it("leaves connection-specific fields and Host out", function()
    local down = world:request(with(get, { fields = {
      { "connection", "x-drop" }, { "transfer-encoding", "chunked" },
      { "host", "app.example.com" }, { "te", "trailers" }, { "x-a", "1" },
    } }))
    assert.is_truthy(down)
    world:run()
    assert.same({ { "te", "trailers" }, { "x-a", "1" } },
      world:accept():head().fields)
  end)

  it("opens a two-way tunnel for an extended CONNECT", function()
    world:request(get)
    world:run()
    assert.is_true(world:totals("requester").connect_protocol)
    local down = world:request {
      method = "CONNECT", protocol = "websocket", scheme = "https",
      authority = "app.example.com", path = "/chat",
    }
    world:run()
    world:accept()
    local up = world:accept()
    assert.equal("websocket", up:head().protocol)
    up:respond { status = 200 }
    world:run()
    assert.equal(200, down:head().status)
    for _ = 1, 3 do
      down:write "ping"
      world:run()
      assert.equal("ping", up:read())
      up:write "pong"
      world:run()
      assert.equal("pong", down:read())
    end
    down:finish()
    world:run()
    assert.same({ "", "ended" }, { up:read() })
    up:finish()
    world:run()
    assert.same({ "", "ended" }, { down:read() })
    assert.equal(0, world:totals("responder").streams - 2)
  end)

  it("leaves a tunnel half open when the origin ends its half", function()
    for _, ending in ipairs { "finish", "stop" } do
      local down = world:request {
        method = "CONNECT", protocol = "websocket", scheme = "https",
        authority = "app.example.com", path = "/chat",
      }
      world:run()
      local up = world:accept()
      up:respond { status = 200 }
      up:write "bye"
      up:finish()
      world:run()
      assert.same({ "bye", "ended" }, { down:read() })
      down:write "still here"
      world:run()
      assert.same({ "still here", "open" }, { up:read() })
      if ending == "finish" then
        down:finish()
        world:run()
        assert.same({ "", "ended" }, { up:read() })
      else
        up:stop()
        world:run()
      end
      world:run()
      assert.equal(0, world:totals("responder").streams)
      assert.equal(0, world:totals("requester").streams)
    end
  end)

  it("is cancelled within one round trip", function()
    local down = world:request(post)
    down:write(text(10000))
    world:run()
    local up = world:accept()
    down:cancel()
    world:run()
    assert.is_true(up:cancelled())
    assert.equal(0, world:totals("requester").streams)
    assert.equal(0, world:totals("responder").streams)
  end)

  it("frees everything when the visitor leaves", function()
    local down = world:request(get)
    world:run()
    local up = world:accept()
    up:respond { status = 200 }
    up:write(text(500000))
    world:run()
    down:let_go()
    world:run()
    up:let_go()
    world:run()
    assert.equal(0, world:totals("responder").streams)
    assert.equal(0, world:totals("responder").exchanges)
    assert.is_true(world:totals("responder").chunks <= 1) -- the one in use
  end)

  it("goes round robin among large bodies, small ones pass", function()
    local large = {}
    for i = 1, 4 do
      large[i] = world:request(with(post, { path = "/" .. i }))
      large[i]:write(text(100000, i))
    end
    local small = world:request(get)
    world:run()
    local ups = by_path(world)
    for i = 1, 4 do
      assert.equal(100000, #ups["/" .. i]:read())
    end
    answer(world, ups["/pong"], 200, "ok")
    assert.equal("ok", small:read())
  end)

  it("is one of 1000 at a time", function()
    local downs = {}
    for i = 1, 1000 do
      downs[i] = assert(world:request(with(get, { path = "/" .. i })))
    end
    assert.is_nil((world:request(get)))
    assert.equal("REVERST_ERR_AGAIN", select(2, world:request(get)))
    world:run()
    assert.equal(1000, world:totals("responder").active)
    for _ = 1, 1000 do
      local up = world:accept()
      up:respond { status = 200 }
      up:write(up:head().path)
      up:finish()
    end
    world:run()
    for i = 1, 1000 do
      assert.equal("/" .. i, downs[i]:read())
    end
    assert.equal(1000, world:totals("responder").released)
    assert.equal(1000, world:totals("requester").streams_left)
  end)
end)

describe("stream credit", function()
  after_each(bytes.finish_all)

  it("is given once for each byte, whatever becomes of it", function()
    for seed = 1, 40 do
      local world = bytes.world { seed = seed, request_trailers = true }
      local downs = {}
      world:hold { acks = true } -- no stream closes, so that all can be counted
      for i = 1, 8 do
        downs[i] = world:request(post)
        downs[i]:write(text(40000 + 1000 * i))
        if i % 2 == 0 then
          downs[i]:finish { fields = { { "x-sum", "1" } } }
        end
      end
      world:run()
      for i = 1, 8 do
        local up = world:accept()
        if i % 4 == 0 then
          up:stop()
        elseif i % 4 == 1 then
          up:fail "origin_malformed"
          up:let_go()
        elseif i % 4 == 2 then
          up:read()
          answer(world, up, 200, text(70000))
        end
      end
      world:run()
      for i = 1, 8 do
        if i % 3 == 0 then
          downs[i]:cancel()
        elseif i % 3 == 1 then
          downs[i]:read()
        end
        world:run()
      end
      for _ = 1, 20 do
        world:run()
      end
      for i = 1, 8 do
        downs[i]:let_go()
      end
      world:run()
      for _, role in ipairs { "requester", "responder" } do
        local totals = world:totals(role)
        assert.is_true(totals.received > 0)
        assert.equal(totals.received, totals.credited)
      end
      bytes.finish_all()
    end
  end)
end)

describe("an exchange that fails", function()
  local world

  before_each(function()
    world = bytes.world {}
  end)

  after_each(bytes.finish_all)

  it("leaves its unacknowledged bytes to the stream", function()
    world:hold { acks = true }
    local down = world:request(post)
    down:write(text(90000))
    world:run()
    local up = world:accept()
    up:respond { status = 200 }
    up:write(text(90000, 3))
    world:run()
    up:fail "upstream_reset"
    up:let_go()
    world:run()
    assert.equal("upstream_reset", down:failure())
    down:let_go()
    world:run()
    assert.equal(0, world:totals("requester").exchanges)
    assert.equal(1, world:totals("requester").active +
      world:totals("requester").streams - 1)
    world:hold { acks = false }
    world:run()
    assert.equal(0, world:totals("requester").streams)
  end)

  it("is answered in words where another tunnel would do no better", function()
    for word, status in pairs {
      origin_malformed = 502, timeout_head = 504, upstream_reset = 502,
      internal = 500, method_not_allowed = 405,
    } do
      local down = world:request(post)
      world:run()
      local up = world:accept()
      up:fail(word)
      up:let_go()
      world:run()
      assert.equal(status, down:head().status)
      local body, state = down:read()
      assert.matches("^[A-Z].*%.\n$", body)
      assert.equal("ended", state)
    end
  end)

  it("is refused where another tunnel may do better", function()
    for _, word in ipairs { "origin_unreachable", "limit", "draining" } do
      local down = world:request(get)
      world:run()
      local up = world:accept()
      up:fail(word)
      up:let_go()
      world:run()
      assert.is_nil(down:head())
      assert.equal("refused", down:failure())
    end
  end)

  it("is reset once its head was sent", function()
    local down = world:request(get)
    world:run()
    local up = world:accept()
    up:respond { status = 200 }
    up:write "part"
    world:run()
    up:fail "timeout_body"
    world:run()
    assert.equal("upstream_reset", down:failure())
    assert.equal("aborted", select(2, down:read()))
  end)

  it("is reset when its body is not as long as declared", function()
    for _, body in ipairs { "short", "longer than ten" } do
      local down = world:request(get)
      world:run()
      local up = world:accept()
      up:respond { status = 200, content_length = 10,
        fields = { { "content-length", "10" } } }
      up:write(body)
      up:finish()
      world:run()
      assert.equal("upstream_reset", down:failure())
    end
    local upload = world:request(with(post, { content_length = 10,
      fields = { { "content-length", "10" } } }))
    upload:write "short"
    upload:finish()
    world:run()
    assert.equal("request_malformed", upload:failure())
  end)

  it("fails as refused or lost with the connection", function()
    local sent = world:request(get)
    local answered = world:request(with(get, { path = "/answered" }))
    world:run()
    by_path(world)["/answered"]:respond { status = 200 }
    world:run()
    local unsent = world:request(get)
    world:lose()
    assert.equal("tunnel_lost", sent:failure())
    assert.equal("tunnel_lost", answered:failure())
    assert.equal("aborted", select(2, answered:read()))
    assert.equal("refused", unsent:failure())
  end)
end)

describe("a session that drains", function()
  after_each(bytes.finish_all)

  it("finishes what it has and takes no more", function()
    local world = bytes.world {}
    local down = world:request(get)
    world:run()
    local up = world:accept()
    world:drain "responder"
    world:run()
    assert.is_true(world:totals("requester").draining)
    assert.equal(0, world:totals("requester").streams_left)
    assert.equal("REVERST_ERR_CLOSED", select(2, world:request(get)))
    answer(world, up, 200, "still")
    assert.equal("still", down:read())
  end)

  it("is told by a requester too", function()
    local world = bytes.world {}
    world:drain "requester"
    world:run()
    assert.is_true(world:totals("responder").draining)
    local down = world:request(get)
    world:run()
    answer(world, world:accept(), 200, "yes")
    assert.equal("yes", down:read())
  end)

  it("refuses what comes when memory is short", function()
    local world = bytes.world {}
    world:set_budget(16384)
    world:lend(("x"):rep(100000))
    local down = world:request(get)
    world:run()
    assert.equal("refused", down:failure())
    assert.is_nil(world:accept())
  end)
end)
