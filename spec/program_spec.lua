-- Our two programs as people use them: started, asked, killed, started again.

local lfs = require "lfs"

local fixture = require "fixture"
local peers = require "peers"
local process = require "spec.process"
local programs = require "programs"
local visitor = require "visitor"

describe("a server and a client", function()
  local server, client

  before_each(function()
    if fixture.interop() then
      server = peers.reverst_server()
      client = peers.reverst_client(server)
      server:wait_for_ups(1)
    end
  end)

  after_each(function()
    programs.end_all()
    fixture.remove_folder()
  end)

  local function descriptors(program)
    local count = 0
    for _ in lfs.dir(("/proc/%d/fd"):format(program:pid())) do
      count = count + 1
    end
    return count
  end

  -- what a request over a connection of our own gets
  local function exchange(bytes, closes)
    local connection = programs.connect(server.http)
    connection:write(bytes)
    if not closes then
      connection:close_input()
    end
    connection:wait()
    programs.forget(connection)
    return connection:text "output"
  end

  it("answer HTTP/1.0, and close", function()
    fixture.need_interop(pending)
    local answer = exchange("GET /pong HTTP/1.0\r\nHost: localhost\r\n\r\n", true)
    assert.matches("^HTTP/1%.%d 200 ", answer)
    assert.matches("\r\n\r\nPONG\n$", answer)
    answer = exchange("GET /trailers HTTP/1.0\r\nHost: localhost\r\n\r\n", true)
    assert.matches("\r\n\r\nbody before trailers\n$", answer)
  end)

  it("keep a visitor's connection", function()
    fixture.need_interop(pending)
    local response = server:ask("/bytes/[1-3]", { "--write-out",
      "%{stderr}connects: %{num_connects}\\n", "--output", "/dev/null" })
    assert.equal(0, response.exit)
    assert.equal("0", response.trailers.connects)
  end)

  it("answer pipelined requests in order", function()
    fixture.need_interop(pending)
    local answer = exchange("GET /status/201 HTTP/1.1\r\nHost: localhost\r\n\r\n"
      .. "GET /status/202 HTTP/1.1\r\nHost: localhost\r\n\r\n"
      .. "GET /status/203 HTTP/1.1\r\nHost: localhost\r\n"
      .. "Connection: close\r\n\r\n", true)
    local statuses = {}
    for status in answer:gmatch "HTTP/1%.1 (%d+)" do
      table.insert(statuses, status)
    end
    assert.same({ "201", "202", "203" }, statuses)
  end)

  it("let an origin ask for the body of a careful visitor", function()
    fixture.need_interop(pending)
    local path = fixture.write("upload", fixture.bytes(2 * 1024 * 1024))
    local response = server:ask("/sink", { "--upload-file", path, "--header",
      "Expect: 100-continue", "--expect100-timeout", "30" })
    assert.equal(100, response.heads[1].status)
    assert.equal(("%d %s\n"):format(2 * 1024 * 1024, fixture.sha256(path)),
      response.body)
  end)

  it("leave nothing behind of visitors who lost patience", function()
    fixture.need_interop(pending)
    local before = { descriptors(server.program), descriptors(client.program) }
    local requests = {}
    for i = 1, 30 do
      requests[i] = server:start("/stuck", { "--max-time", "1" })
    end
    client.application:wait_for_events({ event = "stuck" }, 30)
    for _, request in ipairs(requests) do
      assert.same({ "exit", 28 }, { request:wait() })
    end
    client.application:wait_for_events({ event = "cancelled" }, 30)
    programs.wait_until(function()
      return descriptors(server.program) <= before[1]
        and descriptors(client.program) <= before[2] + 1 -- a kept connection
    end, "connections to be closed")
  end)

  it("say 404, 503 and 502 in words", function()
    fixture.need_interop(pending)
    local response = server:ask("/", { host = "nobody.example.test" })
    assert.equal(404, response.status)
    response = server:ask("/", { host = "tokens.example.test" })
    assert.equal(503, response.status)
    assert.equal("5", response.fields["retry-after"])
    client.application:signal "TERM"
    client.application:wait()
    response = server:ask "/"
    assert.equal(502, response.status)
    assert.matches("did not take the request", response.body, 1, true)
    assert.equal(0, server:downs())
  end)

  it("deliver an answer that a restart of the server meets", function()
    fixture.need_interop(pending)
    local request = server:start "/sse?gate=drain&count=2"
    server:ask "/release/drain"
    programs.wait_until(function()
      return request:text("output"):find("event 1", 1, true)
    end, "the first event")
    server.program:signal "TERM"
    programs.wait_until(function()
      return server:ask("/pong").status ~= 200
    end, "the server to drain")
    local release = visitor.start("http://" .. client.origin .. "/release/drain")
    local response = visitor.finish(request)
    assert.equal(0, response.exit)
    assert.matches("event 2", response.body, 1, true)
    assert.same({ "exit", 0 }, { server.program:wait() })
    visitor.finish(release)
  end)

  it("find each other again", function()
    fixture.need_interop(pending)
    server:ask "/pong"
    server.program:signal "TERM"
    assert.same({ "exit", 0 }, { server.program:wait() })
    server = peers.reverst_server { tunnel = server.tunnel, http = server.http }
    server:wait_for_ups(1)
    assert.equal("PONG\n", server:ask("/pong").body)
  end)

  it("leave no port taken, whatever the visitors do", function()
    fixture.need_interop(pending)
    local connection = programs.connect(server.http)
    connection:write "GET /pong HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection:wait_for "PONG"
    server.program:signal "TERM"
    assert.same({ "exit", 0 }, { server.program:wait() })
    connection:wait()
    server = peers.reverst_server { tunnel = server.tunnel, http = server.http }
    assert.is_string(server.http)
  end)

  it("forget a client that leaves", function()
    fixture.need_interop(pending)
    client.program:signal "TERM"
    assert.same({ "exit", 0 }, { client.program:wait() })
    local down = server.program:wait_for_event { event = "tunnel_down" }
    assert.same({ "closed_by_peer", "0" }, { down.cause, down.code })
    assert.equal(503, server:ask("/").status)
  end)

  it("answer everybody when one of two clients is killed", function()
    fixture.need_interop(pending)
    local other = peers.reverst_client(server, { may_fail = true })
    server:wait_for_ups(2)
    for _ = 1, 4 do
      assert.equal("PONG\n", server:ask("/pong").body)
    end
    other.program:signal "KILL"
    other.program:wait()
    local begun = process.now()
    assert.equal(("PONG\n"):rep(20),
      server:ask("/pong?[1-20]", { "--parallel", "--parallel-immediate" }).body)
    assert.is_true(process.now() - begun < 10)
  end)

  it("go on after a pause of either", function()
    fixture.need_interop(pending)
    for _, program in ipairs { client.program, server.program } do
      program:signal "STOP"
      local request = server:start "/pong"
      local paused = process.now() + 1.5
      programs.wait_until(function()
        return process.now() > paused
      end, "the pause to end")
      program:signal "CONT"
      assert.equal("PONG\n", visitor.finish(request).body)
    end
    assert.equal(0, server:downs())
  end)

  it("serve ten clients of a group in turn", function()
    fixture.need_interop(pending)
    for _ = 1, 9 do
      peers.reverst_client(server)
    end
    server:wait_for_ups(10)
    assert.equal(("PONG\n"):rep(100), server:ask("/pong?[1-100]").body)
  end)
end)

describe("a client without a server", function()
  after_each(function()
    programs.end_all()
    fixture.remove_folder()
  end)

  it("says so, keeps trying, and joins when the server comes", function()
    local nobody = { tunnel = "127.0.0.1:" .. process.free_port "udp" }
    local client = peers.reverst_client(nobody, { origin = "127.0.0.1:1" })
    client.program:wait_for "^reverst http: no tunnel to .*next try in"
    local server = peers.reverst_server { tunnel = nobody.tunnel }
    client.program:wait_for_event { event = "connected" }
    server:wait_for_ups(1)
    client.program:signal "TERM"
    assert.same({ "exit", 0 }, { client.program:wait() })
  end)
end)
