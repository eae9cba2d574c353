-- A server that is killed and started again, and the client that was there.

local host = require "host"

describe("a server that is killed and started again", function()
  before_each(host.open)
  after_each(host.close)

  local server, client

  local function start(...)
    host.make_certificate "server"
    server = host.start_server { host.config(), ... }
    server.may_fail = true
    client = host.start_client(server)
    server:wait_for_event { event = "tunnel_up" }
  end

  local function start_again(...)
    server:signal "KILL"
    assert.same({ "signal", 9 }, { server:wait() })
    server = host.start_server { host.config(), tunnel = server.tunnel,
      http = server.http, ... }
  end

  -- the client says something: a request that it was sent is answered
  local function with_request(action)
    host.ask(server, "/")
    local request = host.accept_request()
    action()
    host.answer(request, "too late")
  end

  local function is_back()
    with_request(start_again)
    client:wait_for "the server has forgotten the connection"
    server:wait_for_event { event = "tunnel_up" }
    local serves = host.ask(server, "/")
    host.answer(host.accept_request(), "hello again")
    assert.same({ "exit", 0 }, { host.await(serves) })
    assert.matches("hello again", serves:text "output")
  end

  it("resets its client, which is back at once", function()
    start()
    is_back()
  end)

  it("does so with a secret of its own", function()
    local secret = host.write("secret", ("s"):rep(32))
    start("--secret-path", secret)
    with_request(function()
      start_again("--secret-path", secret)
    end)
    client:wait_for "the server has forgotten the connection"
    server:wait_for_event { event = "tunnel_up" }
  end)

  it("takes its secret from a file or the environment, and needs 32 bytes",
    function()
      host.make_certificate "server"
      local short = host.write("short", ("s"):rep(31))
      for place, case in pairs {
        ["--secret-path"] = { "--secret-path", short },
        REVERST_SECRET_PATH = { environment = { REVERST_SECRET_PATH = short } },
        secret_path = { config = 'secret_path = "short",' },
      } do
        local config = host.write("config.lua", ([[
          return { %s groups = { app = { hosts = { "app.test" },
            authenticate = require "reverst.auth".insecure() } } }
        ]]):format(case.config or ""))
        local status, _, errors = host.run { config, "-n", "localhost", "-c",
          host.path "server.crt", "-k", host.path "server.key", "-a",
          "127.0.0.1:0", "-s", "127.0.0.1:0", environment = case.environment,
          table.unpack(case) }
        assert.equal(1, status)
        assert.equal(("reverst: cannot start: %s: %s: the secret cannot be used: "
          .. "it has fewer than 32 bytes\n"):format(place, short), errors)
      end
    end)

  it("has strangers prove their address when told so", function()
    host.make_certificate "server"
    server = host.start_server { host.config(), "--retry-threshold=0" }
    host.start_client(server):wait_for "registered"
    assert.equal(1, #server:events { event = "tunnel_up" })
  end)
end)
