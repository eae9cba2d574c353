-- The examples do what their READMEs say.

local json = require "reverst.json"
local new_folder = require "new_folder"
local programs = require "programs"

local binaries = os.getenv "REVERST_BIN_DIR"

describe("the example simple", function()
  local folder

  before_each(function()
    folder = new_folder()
  end)

  after_each(function()
    programs.end_all()
    os.execute("rm -r " .. folder)
  end)

  it("answers PONG", function()
    local certificate = { "-c", folder .. "/server.crt", "-k",
      folder .. "/server.key" }
    local reverst = binaries .. "/reverst"
    programs.start({ reverst, "certificate", "flipt.dev.local",
      table.unpack(certificate) }):wait()
    local server = programs.start { reverst, "-a", "127.0.0.1:0", "-s",
      "127.0.0.1:0", "examples/simple/config.lua", table.unpack(certificate) }
    local tunnel = server:wait_for_event { event = "listening",
      ["for"] = "tunnels" }.address
    local http = server:wait_for_event { event = "listening",
      ["for"] = "visitors" }.address
    local client = programs.start { binaries .. "/reverst-example-simple",
      "--address", tunnel, "--ca", folder .. "/server.crt" }
    client:wait_for "registered"
    server:wait_for_event { event = "tunnel_up", group = "flipt.dev.local" }
    local visitor = programs.start { "curl", "--silent", "--show-error",
      "--header", "Host: flipt.dev.local", http .. "/fo" }
    assert.same({ "exit", 0 }, { visitor:wait() })
    assert.equal("PONG", visitor:text "output")
    client:signal "INT"
    assert.same({ "exit", 0 }, { client:wait() })
  end)

  it("explains its flags when it does not know one", function()
    local program = programs.start { binaries .. "/reverst-example-simple",
      "--nonsense", may_fail = true }
    assert.same({ "exit", 2 }, { program:wait() })
    assert.matches("usage: ", program:text "errors")
  end)
end)

describe("the example embed", function()
  after_each(programs.end_all)

  it("prints the answer to its own request, and ends", function()
    local program = programs.start { binaries .. "/reverst-example-embed" }
    assert.same({ "exit", 0 }, { program:wait() })
    assert.matches("^HTTP/1.1 200 ", program:text "output")
    assert.matches("\r\n\r\napp.example.com was asked for /\n$",
      program:text "output")
    assert.equal("", program:text "errors")
  end)

  it("says why it cannot start", function()
    local program = programs.start { binaries .. "/reverst-example-embed",
      environment = { TMPDIR = "/nowhere" }, may_fail = true }
    assert.same({ "exit", 1 }, { program:wait() })
    assert.matches("^cannot start: ", program:text "errors")
  end)
end)

describe("the example", function()
  local folder, server
  local reverst = binaries .. "/reverst"

  before_each(function()
    folder = new_folder()
    programs.start({ reverst, "certificate", "localhost", "-c",
      folder .. "/server.crt", "-k", folder .. "/server.key" }):wait()
  end)

  after_each(function()
    programs.end_all()
    os.execute("rm -r " .. folder)
  end)

  local function start_server(name, environment)
    local config = ("%s/examples/%s/config.lua"):format(
      os.getenv "PWD", name)
    server = programs.start { "env", "-C", folder, reverst, "-a", "127.0.0.1:0",
      "-s", "127.0.0.1:0", "-c", "server.crt", "-k", "server.key", config,
      environment = environment, name = "server" }
    server.tunnel = server:wait_for_event { event = "listening",
      ["for"] = "tunnels" }.address
    server.http = server:wait_for_event { event = "listening",
      ["for"] = "visitors" }.address
  end

  -- a client whose answer is a word; its labels
  local function start_client(word, labels)
    local path = folder .. "/client.lua"
    local file = assert(io.open(path, "w"))
    file:write [[
      local address, roots, word, label = ...
      assert(require "reverst".client { address = address, ca_path = roots,
        server_name = "localhost", group = "app", username = "user",
        password = "pass", labels = label and { label },
        handle = function() return { body = word } end })]]
    file:close()
    programs.start { reverst, "run", path, server.tunnel, folder .. "/server.crt",
      word, labels, name = word }
    server:wait_for_event { event = "tunnel_up", group = "app" }
  end

  -- curl's output for a path
  local function ask(path, ...)
    local visitor = programs.start { "curl", "--silent", "--show-error", "--header",
      "Host: app.localhost", "http://" .. server.http .. path, name = "visitor",
      ... }
    assert.same({ "exit", 0 }, { visitor:wait() })
    return visitor:text "output"
  end

  it("external-auth lets in whom the service knows", function()
    if not os.execute "command -v python3 >/dev/null" then
      return pending "without python3"
    end
    local service = programs.start { "examples/external-auth/auth-service.py", "0",
      name = "service", may_fail = true }
    local address = service:wait_for "listening on (%S+)"
    start_server("external-auth", { AUTH_ADDRESS = address })
    local function join(token)
      return programs.start { reverst, "http", "-a", server.tunnel, "-n",
        "localhost", "-c", folder .. "/server.crt", "-g", "app", "--token", token,
        "1", name = "client" }
    end
    join "s3cret":wait_for "registered at "
    join "guess":wait_for "unauthorized: "
  end)

  it("blue-green sends visitors to one color, and testers to the other", function()
    start_server "blue-green"
    start_client("blue", "color=blue")
    start_client("green", "color=green")
    for _ = 1, 4 do
      assert.equal("blue", ask "/")
      assert.equal("green", ask("/", "--header", "X-Color: green"))
    end
    assert.equal("503", ask("/", "--header", "X-Color: red", "--output",
      "/dev/null", "--write-out", "%{http_code}"))
  end)

  it("canary sends one request of twenty to the new version", function()
    start_server "canary"
    start_client("old", "track=stable")
    start_client("new", "track=canary")
    local count = { old = 0, new = 0 }
    for _ = 1, 20 do
      local word = ask "/"
      count[word] = count[word] + 1
    end
    assert.same({ old = 19, new = 1 }, count)
  end)

  it("sticky brings visitors back to the tunnel they had", function()
    start_server "sticky"
    start_client "first"
    start_client "second"
    local jar = folder .. "/cookies"
    local word = ask("/", "--cookie-jar", jar, "--cookie", jar)
    for _ = 1, 4 do
      assert.equal(word, ask("/", "--cookie-jar", jar, "--cookie", jar))
    end
  end)

  it("maintenance shows its page as long as there is the file", function()
    start_server "maintenance"
    start_client "service"
    assert.equal("service", ask "/")
    assert(os.execute(("echo 'a < b' >%s/maintenance"):format(folder)))
    local page = ask("/", "--include")
    assert.matches("^HTTP/1.1 503 ", page)
    assert.matches("\r\nretry%-after: 120\r\n", page:lower())
    assert.matches("<p>a &lt; b\n</p>", page)
    os.remove(folder .. "/maintenance")
    assert.equal("service", ask "/")
  end)

  it("lua-client answers by itself", function()
    start_server "lua-client"
    local client = programs.start { "examples/lua-client/client.lua",
      server.tunnel, folder .. "/server.crt", environment = {
        PATH = binaries .. ":" .. os.getenv "PATH" }, name = "client" }
    client:wait_for "registered"
    assert.same({ host = "app.localhost", visits = 1 }, json.decode(ask "/"))
    assert.same({ host = "app.localhost", visits = 2 },
      json.decode(ask "/slow"))
    assert.equal("there is nothing\n", ask "/nothing")
    client:signal "TERM"
    assert.same({ "exit", 0 }, { client:wait() })
  end)

  it("custom-policy passes its own spec", function()
    local test = programs.start { "env", "-C", "examples/custom-policy", reverst,
      "test", "-o", "TAP" }
    assert.same({ "exit", 0 }, { test:wait() })
    assert.matches("\n1..4\n$", test:text "output")
  end)

  it("custom-policy sends visitors to their region", function()
    start_server "custom-policy"
    start_client("eu", "region=eu")
    start_client("us", "region=us")
    assert.equal("eu", ask("/", "--header", "X-Region: eu"))
    assert.equal("us", ask("/", "--header", "X-Region: us"))
  end)
end)
