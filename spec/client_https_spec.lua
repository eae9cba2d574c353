-- A client in front of a local service that speaks TLS (openssl s_server).

local host = require "host"
local programs = require "programs"

describe("a client in front of an https service", function()
  local server, service

  local function check(sentence, body)
    it(sentence, function()
      if not os.execute "openssl version >/dev/null 2>&1" then
        return pending "without openssl"
      end
      host.open()
      finally(host.close)
      host.make_certificate "server"
      host.make_certificate "service"
      server = host.start_server { host.config() }
      service = programs.start { "openssl", "s_server", "-accept",
        "127.0.0.1:0", "-cert", host.path "service.crt", "-key",
        host.path "service.key", input = true, may_fail = true }
      service.port = service:wait_for "^ACCEPT 127%.0%.0%.1:(%d+)"
      body()
    end)
  end

  local function start_client(roots, name)
    local client = programs.start { host.reverst, "http", "-a", server.tunnel,
      "-n", "localhost", "-c", host.path "server.crt", "-g", "app",
      "--origin-cacert-path", host.path(roots), "-l", "debug",
      ("https://%s:%s"):format(name or "localhost", service.port),
      may_fail = true, name = "client" }
    server:wait_for_event { event = "tunnel_up" }
    return client
  end

  check("passes requests on, for the host that the visitor asked for", function()
    start_client "service.crt"
    local visitor = host.ask(server, "/path")
    service:wait_for "^GET /path HTTP/1.1"
    service:wait_for "^host: app.test"
    service:write "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    assert.same({ "exit", 0 }, { host.await(visitor) })
    assert.matches("\r\n\r\nhello$", visitor:text "output")
  end)

  for name, case in pairs {
    ["whose root is another"] = { "server.crt", nil, "not signed by anyone" },
    ["that has another name"] = { "service.crt", "127.0.0.1",
      "the certificate is for other names" },
  } do
    check("sends nothing to one " .. name .. ", and says why", function()
      local client = start_client(case[1], case[2])
      local visitor = host.ask(server, "/secret")
      assert.same({ "exit", 0 }, { host.await(visitor) })
      assert.matches("^HTTP/1.1 502 ", visitor:text "output")
      local event = client:wait_for_event { event = "origin_unreachable" }
      assert.matches(case[3], event.reason)
      client:wait_for("cannot reach the service at https://.*: .*" .. case[3]
        .. ".* %(check %-%-origin%-cacert%-path%); visitors get 502")
      assert.is_nil(service:text "output":find("secret", 1, true))
    end)
  end

  check("does not start without the roots that it is told of", function()
    local status, _, errors = host.run { "http", "-a", server.tunnel, "-n",
      "localhost", "-g", "app", "-c", host.path "server.crt",
      "--origin-cacert-path", host.path "none", "https://localhost:1" }
    assert.equal(1, status)
    assert.matches("none", errors)
  end)
end)
