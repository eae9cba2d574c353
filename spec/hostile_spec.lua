-- Hostile peers against our server: each is closed with the code and reason that
-- it deserves, and nobody else notices.

local fixture = require "fixture"
local peers = require "peers"
local programs = require "programs"
local rows = require "hostile_rows"

local hostile_host = "open.example.test"

describe("our server", function()
  local server, others

  lazy_setup(function()
    if fixture.interop() then
      server = peers.reverst_server()
      others = peers.go_client(server)
      server:wait_for_ups(1)
    end
  end)

  lazy_teardown(function()
    programs.end_all()
    fixture.remove_folder()
  end)

  local function count(event, group)
    return #server.program:events { event = event, group = group }
  end

  local hostile = {}

  local function start_raw(mode, ...)
    local peer = programs.start { fixture.interop(), "raw", "-address",
      server.tunnel, "-insecure", "-group", "open", "-mode", mode, "-for", "40s",
      name = "raw " .. mode, ... }
    table.insert(hostile, peer)
    return peer
  end

  -- one that was accepted, and is the only one of its group
  local function start_accepted(mode, ...)
    programs.wait_until(function()
      return count("tunnel_up", "open") == count("tunnel_down", "open")
    end, "the last hostile tunnel to go")
    local peer = start_raw(mode, ...)
    peer:wait_for_event { event = "registered" }
    return peer
  end

  local function ask_hostile(path)
    return server:ask(path or "/", { host = hostile_host })
  end

  local function finish(peer)
    peer:signal "TERM"
    peer:wait()
    programs.forget(peer)
  end

  after_each(function()
    for _, peer in ipairs(hostile) do
      finish(peer)
    end
    hostile = {}
  end)

  local function assert_closed(peer, code, reason, is_transport)
    local closed = peer:wait_for_event { event = "closed" }
    assert.same({ tostring(code), tostring(not is_transport), "true" },
      { closed.code, closed.app, closed.remote })
    if reason then
      assert.equal(reason, closed.reason)
    end
    peer:wait()
    programs.forget(peer)
  end

  -- new tunnels and visitors of others, meanwhile
  local function assert_others_are_served()
    local newcomers = peers.go_client(server,
      { "-count", "20", group = "tokens", token = peers.token })
    newcomers.program:wait_for_events({ event = "registered" }, 20)
    assert.equal(("PONG\n"):rep(1000), server:ask("/pong?[1-1000]").body)
    finish(newcomers.program)
  end

  local function assert_others_noticed_nothing()
    assert.equal("PONG\n", server:ask("/pong").body)
    assert.equal(0, count("tunnel_down", peers.group))
    assert.is_true(others.program:is_running())
  end

  describe("before it has accepted", function()
    it("ends a handshake without ALPN, or with another one", function()
      fixture.need_interop(pending)
      assert_closed(start_raw "noalpn", 0x178, nil, true)
      assert_closed(start_raw "wrongalpn", 0x178, nil, true)
      assert_others_noticed_nothing()
    end)

    local refused = {
      { "a group of 4 GiB", "bad request", "huge" },
      { "100 000 levels of nesting", "bad request", "nest" },
      { "HTTP/1.1", "bad request", "badfirst" },
      { "a registration without a group", "not found", "register", "-hex", "80" },
      { "no registration at all", "not found", "empty" },
      { "a flood of uni streams", "bad request", "uniflood" },
      { "an array as registration", "bad request", "register", "-hex",
        "93cc01a46d61696ec0" },
      { "Version 2", "bad request", "register", "-hex",
        "82a756657273696f6e02ab54756e6e656c47726f7570a46f70656e" },
    }
    for _, case in ipairs(refused) do
      it("refuses " .. case[1], function()
        fixture.need_interop(pending)
        assert_closed(start_raw(table.unpack(case, 3)), 2, case[2])
        assert_others_noticed_nothing()
      end)
    end

    it("gives up those who never finish to register", function()
      fixture.need_interop(pending)
      local idle = {
        start_raw "idle", start_raw "half", start_raw "abort",
        start_raw "bidiflood", start_raw("drip", "-pause", "1s"),
      }
      assert_others_are_served()
      for _, peer in ipairs(idle) do
        assert_closed(peer, 1, "timeout")
      end
      assert_others_noticed_nothing()
    end)

    it("serves others beside 40 floods", function()
      fixture.need_interop(pending)
      local peers_of_it = {}
      for _, mode in ipairs { "huge", "nest", "uniflood", "bidiflood" } do
        for _ = 1, 10 do
          table.insert(peers_of_it, start_raw(mode))
        end
      end
      assert_others_are_served()
      for _, peer in ipairs(peers_of_it) do
        finish(peer)
      end
      assert_others_noticed_nothing()
    end)
  end)

  describe("towards a tunnel", function()
    it("serves others while one never answers", function()
      fixture.need_interop(pending)
      local peer = start_accepted "silent"
      local requests = {}
      for i = 1, 10 do
        requests[i] = server:start("/", { host = hostile_host })
      end
      peer:wait_for_events({ event = "request" }, 10)
      assert_others_are_served()
      finish(peer)
      for _, request in ipairs(requests) do
        assert.same({ "exit", 0 }, { request:wait() })
        programs.forget(request)
      end
    end)

    it("refuses a second registration and keeps the tunnel", function()
      fixture.need_interop(pending)
      local peer = start_accepted "second"
      assert.equal(200, ask_hostile().status)
      assert.equal(200, ask_hostile().status)
      finish(peer)
    end)

    it("closes one that floods the control stream", function()
      fixture.need_interop(pending)
      local peer = start_accepted "controlflood"
      ask_hostile()
      assert_others_are_served()
      assert_closed(peer, 0x107)
      assert_others_noticed_nothing()
    end)

    it("tries another one when one rejects", function()
      fixture.need_interop(pending)
      local peer = start_accepted("answer", "-reset", "267", "-stop", "267")
      assert.equal(502, ask_hostile().status)
      local good = peers.go_client(server, { group = "open", username = false })
      good.program:wait_for_event { event = "registered" }
      for _ = 1, 4 do
        assert.equal("PONG\n", ask_hostile("/pong").body)
      end
      finish(good.program)
      finish(peer)
    end)
  end)

  local function hex_arguments(streams, first)
    local arguments = {}
    for i = first, #streams do
      table.insert(arguments, "-hex")
      table.insert(arguments, streams[i])
    end
    return arguments
  end

  describe("closes a tunnel on", function()
    for _, row in ipairs(rows.control) do
      it(row[1], function()
        fixture.need_interop(pending)
        local arguments = hex_arguments(row, 3)
        if not row.ended then
          table.insert(arguments, "-keep")
        end
        local peer = start_accepted("control", table.unpack(arguments))
        ask_hostile()
        assert_closed(peer, row[2])
        assert_others_noticed_nothing()
      end)
    end

    for _, row in ipairs(rows.fatal) do
      it(row[1] .. " on a request's stream", function()
        fixture.need_interop(pending)
        local peer = start_accepted("answer", "-hex", row[3])
        assert.equal(502, ask_hostile().status)
        assert_closed(peer, row[2])
        assert_others_noticed_nothing()
      end)
    end
  end)

  describe("is not impressed by", function()
    for _, row in ipairs(rows.harmless) do
      it(row[1], function()
        fixture.need_interop(pending)
        local peer = start_accepted("control", "-keep",
          table.unpack(hex_arguments(row, 2)))
        assert.equal(200, ask_hostile().status)
        assert.equal(200, ask_hostile().status)
        finish(peer)
      end)
    end

    it("an unknown frame before a head", function()
      fixture.need_interop(pending)
      local peer = start_accepted("answer", "-hex", "2103616263" .. rows.ok)
      assert.equal(200, ask_hostile().status)
      finish(peer)
    end)
  end)

  describe("fails one exchange alone on", function()
    for _, row in ipairs(rows.answer) do
      it(row[1], function()
        fixture.need_interop(pending)
        local peer = start_accepted("answer", "-hex", row[2], "-hex", rows.ok)
        assert.equal(502, ask_hostile().status)
        assert.equal(200, ask_hostile().status)
        finish(peer)
        assert_others_noticed_nothing()
      end)
    end

    for _, row in ipairs(rows.broken) do
      it(row[1], function()
        fixture.need_interop(pending)
        local peer = start_accepted("answer", "-hex", row[2], "-hex", rows.ok)
        local response = ask_hostile()
        assert.is_true(response.status == 502 or response.exit ~= 0)
        assert.equal(200, ask_hostile().status)
        finish(peer)
      end)
    end
  end)
end)
