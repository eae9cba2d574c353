-- auth.external against a service that answers over a real connection.

local host = require "host"

local server

-- `more` of the strategy's table; the service is the spec's listener
local function start(more)
  server = host.start_server { host.config(('external { endpoint = '
    .. '"http://%s/tunnels?x=1", %s }'):format(host.origin_address(),
      more or "")) }
end

local function start_client(token)
  return host.start_client(server, { "--token", token or "t0ken" })
end

local function answer(connection, status, more)
  connection:write(("HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: 2\r\n\r\nno")
    :format(status, more or ""))
  connection:shutdown()
  host.await_close(connection)
end

-- the client was refused, and the log's detail
local function refusal(reason)
  return server:wait_for_event { event = "registration_refused",
    reason = reason }.detail
end

before_each(function()
  host.open()
  host.make_certificate "server"
end)

after_each(host.close)

describe("auth.external", function()
  it("asks with the credentials, and accepts for 2xx", function()
    start 'headers = { ["X-Api-Key"] = "k" }'
    local client = start_client()
    local connection = host.accept_request()
    local head = connection:received()
    assert.matches("^GET /tunnels%?x=1 HTTP/1.1\r\n", head)
    for _, line in ipairs { "authorization: Bearer t0ken", "x-api-key: k",
      "x-reverst-tunnel-group: app", "x-forwarded-for: 127.0.0.1" } do
      assert.truthy(("\r\n" .. head:lower()):find(
        "\r\n" .. line:lower() .. "\r\n", 1, true), line)
    end
    assert.truthy(head:find("Bearer t0ken", 1, true))
    answer(connection, "204 No Content")
    client:wait_for "registered"
  end)

  it("rejects for 401 and 403", function()
    start()
    for _, status in ipairs { "401 Unauthorized", "403 Forbidden" } do
      local client = start_client()
      answer(host.accept_request(), status)
      client:wait_for "unauthorized"
      assert.equal("the service answered " .. status:match "%d+",
        refusal "unauthorized")
    end
  end)

  it("does not follow a redirection", function()
    start()
    local client = start_client()
    answer(host.accept_request(), "302 Found",
      ("Location: http://%s/other\r\n"):format(host.origin_address()))
    client:wait_for "server error"
    assert.matches("the service answered 302",
      server:wait_for_event { event = "authenticate_failed" }.error)
  end)

  it("refuses while the service is not well", function()
    start()
    local client = start_client()
    answer(host.accept_request(), "500 Oops")
    client:wait_for "server error"
    assert.matches("^auth.external: the service answered 500",
      server:wait_for_event { event = "authenticate_failed" }.error)
    -- the client tries again by itself
    host.accept_request():close()
    server:wait_for_events({ event = "registration_refused" }, 2)
    answer(host.accept_request(), "200 OK")
    client:wait_for "registered"
  end)

  it("refuses when the answer takes too long", function()
    start 'timeout = "200ms"'
    local client = start_client()
    local connection = host.accept_request()
    client:wait_for "server error"
    assert.matches("^auth.external: .*no answer within 200 ms",
      server:wait_for_event { event = "authenticate_failed" }.error)
    host.await_close(connection)
  end)

  it("keeps nobody waiting for another", function()
    start()
    local slow = start_client "slow"
    local waiting = host.accept_request()
    local quick = start_client "quick"
    local connection = host.accept_request()
    assert.matches("Bearer quick", connection:received())
    answer(connection, "200 OK")
    quick:wait_for "registered"
    assert.is_nil(slow:text "errors":match "registered")
    answer(waiting, "200 OK")
    slow:wait_for "registered"
  end)

  it("does not ask about other schemes", function()
    start()
    host.start_client(server, { "--username", "u", "--password", "p" })
      :wait_for "unauthorized"
    assert.equal("expected bearer credentials", refusal "unauthorized")
  end)

  it("names no credentials in the log", function()
    start 'headers = { ["X-Api-Key"] = "k71777" }'
    local client = start_client "t71777"
    answer(host.accept_request(), "500 Oops")
    client:wait_for "server error"
    server:wait_for_event { event = "authenticate_failed" }
    assert.is_nil(server:text "errors":find("71777", 1, true))
  end)
end)

describe("a service among other strategies", function()
  local function start_with(strategy)
    server = host.start_server { host.config(strategy:gsub("ENDPOINT",
      ("http://%s/"):format(host.origin_address()))) }
  end

  it("may be down when auth.any has another", function()
    start_with [[any { auth.external { endpoint = "ENDPOINT" },
      auth.bearer { token = "backup" } }]]
    local client = start_client "backup"
    answer(host.accept_request(), "500 Oops")
    client:wait_for "registered"
    local other = start_client "other"
    answer(host.accept_request(), "500 Oops")
    other:wait_for "server error"
    assert.matches("answered 500; wrong token",
      server:wait_for_event { event = "authenticate_failed" }.error)
  end)

  it("may be joined by a function that names the tunnel", function()
    start_with [[all { auth.external { endpoint = "ENDPOINT" },
      function(registration) return { name = "blue" } end }]]
    local client = start_client()
    answer(host.accept_request(), "200 OK")
    client:wait_for "registered"
    assert.equal("blue", server:wait_for_event { event = "tunnel_up" }.name)
  end)
end)

describe("the function in the README", function()
  it("does what is written beside it", function()
    local file = assert(io.open("README.md", "rb"))
    local code = file:read "a":match "\n(authenticate = function%(registration%)\n.-\nend,)\n```"
    file:close()
    server = host.start_server { host.write("config.lua", ([[
      local http = require "reverst.http"
      return { groups = { app = { hosts = { "app.test" }, %s } } }]]):format(
        code:gsub("https://teams.example.com",
          "http://" .. host.origin_address()))) }

    local client = start_client()
    local connection = host.accept_request()
    assert.matches("^POST /token HTTP/1.1\r\n.*\r\n\r\n", connection:received())
    host.wait_until(function()
      return connection:received():match "\r\n\r\nt0ken$"
    end, "the body")
    answer(connection, "200 OK", "X-Team: blue\r\n")
    client:wait_for "registered"
    assert.equal("blue", server:wait_for_event { event = "tunnel_up" }.name)

    client = start_client "wrong"
    answer(host.accept_request(), "404 Not Found")
    client:wait_for "unauthorized"
    assert.equal("no such token", refusal "unauthorized")

    client = start_client()
    host.accept_request():close()
    client:wait_for "server error"

    host.start_client(server, { "--username", "u", "--password", "p" })
      :wait_for "unauthorized"
    assert.equal("expected a token", refusal "unauthorized")
  end)
end)
