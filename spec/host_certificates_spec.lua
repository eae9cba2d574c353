-- Certificates that are exchanged while the server runs.

local host = require "host"

local function copy(from, to)
  local file = assert(io.open(host.path(from), "rb"))
  host.write(to, file:read "a")
  file:close()
end

describe("a server after SIGHUP", function()
  local server, client

  before_each(function()
    host.open()
    host.make_certificate "server"
    copy("server.crt", "old.crt")
    server = host.start_server { host.config() }
    client = host.start_client(server, { roots = host.path "old.crt" })
    server:wait_for_event { event = "tunnel_up" }
  end)
  after_each(host.close)

  local function renew()
    host.make_certificate "new"
    copy("new.crt", "server.crt")
    copy("new.key", "server.key")
  end

  local function serves()
    local visitor = host.ask(server, "/")
    host.answer(host.accept_request(), "hello")
    assert.same({ "exit", 0 }, { host.await(visitor) })
    assert.matches("hello", visitor:text "output")
  end

  it("has a new certificate for new clients, and keeps its tunnels", function()
    renew()
    server:signal "HUP"
    local event = server:wait_for_event { event = "certificates_reloaded" }
    assert.equal(host.path "server.crt", event.path)
    host.start_client(server, { roots = host.path "new.crt" })
      :wait_for "registered"
    local stranger = host.start_client(server, { roots = host.path "old.crt" })
    stranger:wait_for "certificate"
    assert.equal(0, #server:events { event = "tunnel_down" })
    assert.is_true(client:is_running())
    serves()
  end)

  it("keeps its certificate when the new one is none, and says why", function()
    for name, what in pairs { ["server.crt"] = "certificate",
      ["server.key"] = "private key" } do
      copy(name, "kept")
      host.write(name, "no PEM")
      server:signal "HUP"
      assert.matches(("%s: the %s cannot be used: it has no %s in PEM"):format(
        host.path(name), what, what),
        server:wait_for_event({ event = "reload_failed" }).error, 1, true)
      copy("kept", name)
      host.start_client(server, { roots = host.path "old.crt" })
        :wait_for "registered"
    end
    serves()
  end)

  it("keeps its certificate when the key is another's", function()
    host.make_certificate "new"
    copy("new.crt", "server.crt")
    server:signal "HUP"
    assert.matches("it belongs to another certificate",
      server:wait_for_event({ event = "reload_failed" }).error)
    host.start_client(server, { roots = host.path "old.crt" })
      :wait_for "registered"
    -- and has it when the other half is there, too
    copy("new.key", "server.key")
    server:signal "HUP"
    server:wait_for_event { event = "certificates_reloaded" }
    host.start_client(server, { roots = host.path "new.crt" })
      :wait_for "registered"
  end)

  it("ends by SIGTERM as before", function()
    server:signal "HUP"
    server:wait_for_event { event = "certificates_reloaded" }
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
  end)
end)

describe("a client after SIGHUP", function()
  before_each(host.open)
  after_each(host.close)

  it("ends, as its terminal has", function()
    host.make_certificate "server"
    local server = host.start_server { host.config() }
    local client = host.start_client(server)
    client:wait_for "registered"
    client:signal "HUP"
    assert.same({ "exit", 0 }, { client:wait() })
    server:wait_for_event { event = "tunnel_down" }
  end)
end)

describe("reload_certificates in Lua", function()
  before_each(host.open)
  after_each(host.close)

  it("gives true, or says what is wrong", function()
    host.make_certificate "server"
    local script = host.write("script.lua", ([[
      local reverst, auth = require "reverst", require "reverst.auth"
      local folder = %q
      local server = assert(reverst.server {
        tunnel = { address = "127.0.0.1:0", server_name = "localhost",
          certificate_path = folder .. "server.crt",
          private_key_path = folder .. "server.key" },
        http = { address = "127.0.0.1:0" },
        groups = { app = { hosts = { "app.test" },
          authenticate = auth.insecure() } } })
      print(server:reload_certificates())
      os.rename(folder .. "server.key", folder .. "elsewhere.key")
      print(server:reload_certificates())
      server:close()
      print(server:reload_certificates())
    ]]):format(host.path ""))
    local _, output = host.run { script }
    assert.equal("true\n"
      .. "nil\tthe private key cannot be used\tREVERST_ERR_PRIVATE_KEY\n"
      .. "nil\tthe object is closed\tREVERST_ERR_CLOSED\n", output)
  end)
end)
