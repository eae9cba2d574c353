-- Whole programs against each other: ours, those on quic-go, and the Go original
-- where REVERST_GO_SERVER and REVERST_GO_CLIENT name builds of it.

local expected_failures = require "expected_failures"
local fixture = require "fixture"
local peers = require "peers"
local programs = require "programs"
local rows = require "tunnel_behaviour"

local function describe_pair(name, start_server, start_client, variable)
  describe(name, function()
    local pair
    local expected = expected_failures[name] or {}

    local function start_pair()
      local server = start_server()
      pair = start_client(server)
      pair.server = server
      server:wait_for_ups(1)
      server:wait_until_it_serves()
    end

    lazy_setup(function()
      if fixture.interop() and (not variable or os.getenv(variable)) then
        start_pair()
      end
    end)

    lazy_teardown(function()
      programs.end_all()
      fixture.remove_folder()
    end)

    for _, row in ipairs(rows) do
      it(row.name, function()
        fixture.need_interop(pending)
        if variable and not os.getenv(variable) then
          pending(variable .. " is not set")
        end
        if row.alone then
          programs.end_all()
          start_pair()
        end
        if expected[row.name] then
          local works = pcall(programs.with_patience, 4, function()
            row.run(pair)
          end)
          assert.is_true(not works or expected[row.name].sometimes ~= nil,
            "works, though the peer " .. tostring(expected[row.name]))
          pair.server:wait_until_it_serves()
        else
          row.run(pair)
        end
      end)
    end
  end)
end

describe_pair("a go client on our server", peers.reverst_server, peers.go_client)
describe_pair("our client on our server", peers.reverst_server,
  peers.reverst_client)
describe_pair("our client on the go server", peers.go_server,
  peers.reverst_client)
describe_pair("the original client on our server", peers.reverst_server,
  peers.original_client, "REVERST_GO_CLIENT")
describe_pair("our client on the original server", peers.original_server,
  peers.reverst_client, "REVERST_GO_SERVER")

describe("our server", function()
  local server

  before_each(function()
    if fixture.interop() then
      server = peers.reverst_server()
    end
  end)

  after_each(function()
    programs.end_all()
    fixture.remove_folder()
  end)

  it("takes a go client with the right password", function()
    fixture.need_interop(pending)
    local client = peers.go_client(server)
    client.program:wait_for_event { event = "registered", code = 0 }
    assert.equal("PONG\n", server:ask("/fo").body)
  end)

  it("takes a go client with the right token", function()
    fixture.need_interop(pending)
    local client = peers.go_client(server,
      { group = "tokens", token = peers.token })
    client.program:wait_for_event { event = "registered", code = 0 }
    assert.equal("PONG\n",
      server:ask("/fo", { host = "tokens.example.test" }).body)
  end)

  it("takes a go client without credentials where anyone may join", function()
    fixture.need_interop(pending)
    local client = peers.go_client(server, { group = "open", username = false })
    client.program:wait_for_event { event = "registered", code = 0 }
    assert.equal("PONG\n",
      server:ask("/fo", { host = "open.example.test" }).body)
  end)

  local refusals = {
    { "a wrong password", { password = "wrong" }, "unauthorized" },
    { "a wrong user", { username = "other" }, "unauthorized" },
    { "a wrong token", { group = "tokens", token = "wrong" }, "unauthorized" },
    { "a token where a password is due", { token = peers.token },
      "unauthorized" },
    { "no credentials", { username = false }, "unauthorized" },
    { "an unknown group", { group = "nobody" }, "not found" },
  }
  for _, case in ipairs(refusals) do
    it("refuses a go client with " .. case[1], function()
      fixture.need_interop(pending)
      local client = peers.go_client(server, case[2])
      local refused = client.program:wait_for_event { event = "refused" }
      assert.same({ "2", "true", "true", case[3] },
        { refused.code, refused.app, refused.remote, refused.reason })
      server.program:wait_for_event { event = "registration_refused",
        reason = case[3], group = case[2].group or peers.group }
      assert.equal(503, server:ask("/fo").status)
      assert.equal(0, server:ups())
    end)
  end

  it("closes go clients with code 0 when it ends", function()
    fixture.need_interop(pending)
    local client = peers.go_client(server)
    client.program:wait_for_event { event = "registered" }
    server.program:signal "TERM"
    local closed = client.program:wait_for_event { event = "closed" }
    assert.same({ "exit", 0 }, { server.program:wait() })
    assert.same({ "0", "true", "server closing down" },
      { closed.code, closed.remote, closed.reason })
  end)

  it("forgets a go client that leaves", function()
    fixture.need_interop(pending)
    local client = peers.go_client(server)
    server:wait_for_ups(1)
    client.program:signal "TERM"
    local down = server.program:wait_for_event(server.down)
    assert.same({ "closed_by_peer", "0", "" },
      { down.cause, down.code, down.reason })
    assert.equal(503, server:ask("/fo").status)
  end)

  it("gets a go client back after it was away", function()
    fixture.need_interop(pending)
    local client = peers.go_client(server, { "-retry", "-1" })
    client.program:wait_for_event { event = "registered" }
    server.program:signal "TERM"
    assert.same({ "exit", 0 }, { server.program:wait() })
    client.program:wait_for_event { event = "closed" }
    server = peers.reverst_server { tunnel = server.tunnel, http = server.http }
    server:wait_for_ups(1)
    assert.equal("PONG\n", server:ask("/fo").body)
  end)

  it("stops using a go client that drains, and lets it finish", function()
    fixture.need_interop(pending)
    local client = peers.go_client(server)
    server:wait_for_ups(1)
    local request = server:start "/slow?gate=last"
    client.program:wait_for_event { event = "registered" }
    server:ask "/release/last?count=0"
    client.program:signal "USR1"
    client.program:wait_for_event { event = "draining" }
    programs.wait_until(function()
      return server:ask("/release/last").status == 503
        or request:text("output") ~= ""
    end, "no more requests for the client that drains")
    request:signal "TERM"
  end)
end)

describe("our client", function()
  after_each(function()
    programs.end_all()
    fixture.remove_folder()
  end)

  it("joins a go server with a token", function()
    fixture.need_interop(pending)
    local server = peers.go_server { bearer = true }
    peers.reverst_client(server, { token = peers.token })
    server:wait_for_ups(1)
    assert.equal("PONG\n", server:ask("/fo").body)
  end)

  local refusals = {
    { "a wrong password", { password = "wrong" },
      'unauthorized: the server rejected user "user" for group "main" '
      .. "(check --username and --password)" },
    { "a wrong token", { token = "wrong" },
      'unauthorized: the server rejected the token for group "main" '
      .. "(check --token)" },
    { "an unknown group", { group = "nobody" },
      'not found: the server has no group "nobody" (check --tunnel-group)' },
  }
  for _, case in ipairs(refusals) do
    it("says what is wrong with " .. case[1] .. " on a go server", function()
      fixture.need_interop(pending)
      local server = peers.go_server()
      case[2].may_fail = true
      local client = peers.reverst_client(server, case[2])
      client.program:wait_for_line(function(line)
        return line:find(case[3], 1, true)
      end, case[3])
      assert.equal(0, server:ups())
    end)
  end

  it("tries a busy server again", function()
    fixture.need_interop(pending)
    local server = peers.go_server { "-refuse", "busy", "-refuse-code", "1" }
    peers.reverst_client(server)
    server.program:wait_for_events({ event = "refused", reason = "busy" }, 2)
  end)

  it("redials at once when a go server closes after a failure", function()
    fixture.need_interop(pending)
    local server = peers.go_server()
    local client = peers.reverst_client(server)
    server:wait_for_ups(1)
    for i = 1, 5 do
      -- a failure shows as one only if no head was sent yet
      programs.wait_until(function()
        server:ask "/reset"
        server:ask "/pong"
        return server:downs() >= i
      end, "a failure that makes the server close")
      server:wait_until_it_serves()
    end
    for _, loss in ipairs(client.program:events { event = "disconnected" }) do
      assert.same({ "Connection closing", "0" },
        { loss.reason, loss.retry_in_ms })
    end
  end)
end)
