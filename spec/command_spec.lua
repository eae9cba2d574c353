-- The program reverst, as people and scripts use it.

local event = require "spec.event"
local new_folder = require "new_folder"
local programs = require "programs"
local stream = require "spec.stream"

local reverst = os.getenv "REVERST_BIN_DIR" .. "/reverst"
local folder

-- runs it to its end: exit status, output, errors
local function run(arguments)
  table.insert(arguments, 1, reverst)
  arguments.may_fail = true
  local program = programs.start(arguments)
  local ending, status = program:wait()
  assert.equal("exit", ending, program:text "errors")
  return status, program:text "output", program:text "errors"
end

local function path(name)
  return folder .. "/" .. name
end

local function write(name, content)
  local file = assert(io.open(path(name), "wb"))
  file:write(content)
  file:close()
  return path(name)
end

local function read(name)
  local file = assert(io.open(path(name), "rb"))
  local content = file:read "a"
  file:close()
  return content
end

local function lines_of(content)
  return select(2, content:gsub("\n", ""))
end

local function make_certificate(name)
  assert.equal(0, (run { "certificate", "-c", path "server.crt", "-k",
    path "server.key", name }))
end

local open_config = [[
local auth = require "reverst.auth"
return { groups = { app = { hosts = { "app.test" },
  authenticate = auth.%s } } }
]]

local function start_server(arguments)
  table.insert(arguments, 1, reverst)
  for _, word in ipairs { "-a", "127.0.0.1:0", "-s", "127.0.0.1:0", "-n",
    "localhost", "-c", path "server.crt", "-k", path "server.key" } do
    table.insert(arguments, word)
  end
  local server = programs.start(arguments)
  server.tunnel = server:wait_for_event {
    event = "listening", ["for"] = "tunnels" }.address
  server.http = server:wait_for_event {
    event = "listening", ["for"] = "visitors" }.address
  return server
end

local function start_client(server, arguments)
  arguments.name = "client"
  for i, word in ipairs { reverst, "http", "-a", server.tunnel, "-n",
    "localhost", "-c", path "server.crt", "-g", "app" } do
    table.insert(arguments, i, word)
  end
  return programs.start(arguments)
end

before_each(function()
  folder = new_folder()
end)

after_each(function()
  programs.end_all()
  os.execute("rm -r " .. folder)
end)

describe("reverst alone", function()
  it("shows in about ten lines how to begin, and fails", function()
    local status, output, errors = run {}
    assert.equal(2, status)
    assert.equal("", output)
    local lines = lines_of(errors)
    assert.is_true(lines >= 8 and lines <= 12)
  end)

  it("shows commands that work", function()
    local _, _, errors = run {}
    make_certificate "localhost"
    local config, command =
      errors:match "\n  echo '(.-)' >config.lua; (reverst [^\n]*)\n"
    write("config.lua", config)
    assert.matches("^reverst %-n localhost %-c server.crt %-k server.key "
      .. "config.lua$", command)
    start_server { path "config.lua" }
  end)
end)

describe("help and version", function()
  local commands = { {}, { "http" }, { "check" }, { "certificate" }, { "run" },
    { "test" }, { "import" } }

  it("are there for each command, by long and short flags", function()
    for _, command in ipairs(commands) do
      for _, flag in ipairs { "-h", "--help" } do
        local status, output, errors = run { command[1] or flag,
          command[1] and flag }
        assert.same({ 0, "" }, { status, errors })
        assert.matches("^usage: reverst", output)
        assert.matches("%-h, %-%-help", output)
      end
      for _, flag in ipairs { "-V", "--version" } do
        local status, output = run { command[1] or flag,
          command[1] and flag }
        assert.equal(0, status)
        assert.matches("^reverst %d+%.%d+%.%d+\n$", output)
      end
    end
  end)

  it("name the flags that there are", function()
    local _, output = run { "--help" }
    for _, flag in ipairs { "-l, --log", "-a, --tunnel-address",
      "-s, --http-address", "-n, --server-name", "-k, --private-key-path",
      "-c, --certificate-path", "--max-idle-timeout",
      "--keep-alive-period" } do
      assert.truthy(output:find(flag, 1, true), flag)
    end
    _, output = run { "http", "--help" }
    for _, flag in ipairs { "-a, --address", "-n, --server-name",
      "-g, --tunnel-group", "-c, --cacert-path", "--insecure", "--username",
      "--password", "--token", "-l, --log" } do
      assert.truthy(output:find(flag, 1, true), flag)
    end
  end)
end)

describe("a command line that cannot be understood", function()
  it("is told, and ends with status 2", function()
    for expected, arguments in pairs {
      ['unknown flag %-%-tunnl%-address %(did you mean "%-%-tunnel%-address"'] =
        { "--tunnl-address", "x", "config.lua" },
      ['unexpected argument "8080"'] = { "htpp", "8080" },
      ["which file%?"] = { "-l", "debug" },
      ['%-l: unknown level "loud"'] = { "-l", "loud", "config.lua" },
      ["which service%?"] = { "http" },
      ["expected a local service"] = { "http", "nowhere" },
      ['"http://localhost:1/sub": leave out the path, "/sub": each request '
        .. "brings its own; write http://localhost:1\n"] = { "http",
        "http://localhost:1/sub" },
      ["%-%-username needs %-%-password"] = { "http", "--username", "u", "1" },
      ["%-%-password needs %-%-username"] = { "http", "--password", "u", "1" },
      ["%-%-token, or %-%-username"] = { "http", "--token", "t", "--username",
        "u", "--password", "p", "1" },
      ["%-%-insecure, or %-%-cacert%-path"] =
        { "http", "--insecure", "-c", "f", "1" },
      ["%-%-max%-idle%-timeout: expected a duration"] =
        { "--max-idle-timeout", "soon", "config.lua" },
      ["for which name%?"] = { "certificate" },
      ["expected the name of a host"] = { "certificate", "a b" },
    } do
      local status, output, errors = run(arguments)
      assert.equal(2, status, expected)
      assert.equal("", output)
      assert.matches(expected, errors)
    end
  end)

  it("is told whole", function()
    local _, _, errors = run { "-a", "7171", "-l", "loud", "config.lua",
      environment = { REVERST_DRAIN_TIMEOUT = "long" } }
    assert.matches("%-a: ", errors)
    assert.matches("%-l: ", errors)
    assert.matches("REVERST_DRAIN_TIMEOUT: ", errors)
  end)
end)

describe("a server that cannot start", function()
  it("says all that is wrong, and ends with status 1", function()
    local config = write("config.lua", "return { tunel = {}, groups = 1 }")
    local status, _, errors = run { config }
    assert.equal(1, status)
    assert.matches('tunel: unknown key %(did you mean "tunnel"%?%)', errors)
    assert.matches("groups: expected a table", errors)
    assert.matches("tunnel.server_name: missing", errors)
  end)

  it("says that the file is missing, and what was meant", function()
    local status, _, errors = run { "htpp" }
    assert.equal(1, status)
    assert.matches("htpp: No such file", errors)
    assert.matches("did you mean: reverst http\n", errors)
  end)

  it("says what was meant with a file behind it, too", function()
    local status, _, errors = run { "chekc", "config.lua" }
    assert.equal(2, status)
    assert.matches("did you mean: reverst check\n", errors)
  end)

  it("says what there is when nothing near was meant", function()
    local _, _, errors = run { "foo" }
    assert.matches("nor is it a command: there are check, http, ", errors)
  end)

  it("says that the certificate is none", function()
    write("server.crt", "x")
    write("server.key", "x")
    local status, _, errors = run { write("config.lua",
      open_config:format "insecure()"), "-n", "localhost", "-c",
      path "server.crt", "-k", path "server.key", "-a",
      "127.0.0.1:0", "-s", "127.0.0.1:0" }
    assert.equal(1, status)
    assert.equal(("reverst: cannot start: -c: %s: the certificate cannot be "
      .. "used: it has no certificate in PEM\n"):format(path "server.crt"),
      errors)
  end)

  it("says that an address is taken", function()
    make_certificate "localhost"
    local config = write("config.lua", open_config:format "insecure()")
    local first = start_server { config }
    local status, _, errors = run { config, "-n", "localhost", "-c",
      path "server.crt", "-k", path "server.key", "-a", "127.0.0.1:0", "-s",
      first.http }
    assert.equal(1, status)
    assert.equal(("reverst: cannot start: %s: the address cannot be listened "
      .. "on: Address already in use\n"):format(first.http), errors)
  end)

  it("ends a configuration that runs for ever", function()
    local status, _, errors = run { write("config.lua", "while true do end") }
    assert.equal(1, status)
    assert.matches("config.lua:1: it ran too long without an end", errors)
  end)
end)

describe("a server", function()
  before_each(function()
    make_certificate "localhost"
  end)

  it("logs what it listens on and serves", function()
    local server = start_server { write("config.lua",
      open_config:format "insecure()") }
    assert.matches("^127.0.0.1:%d+$", server.tunnel)
    assert.matches("^127.0.0.1:%d+$", server.http)
    local group = server:wait_for_event { event = "serving", group = "app" }
    assert.equal("app.test", group.hosts)
    assert.equal("insecure", group.authenticate)
    assert.equal("round_robin", group.balance)
  end)

  it("takes every option from the environment, too", function()
    local server = programs.start { reverst, write("config.lua",
      open_config:format "insecure()"), environment = {
      REVERST_LOG = "debug", REVERST_TUNNEL_ADDRESS = "127.0.0.1:0",
      REVERST_HTTP_ADDRESS = "127.0.0.1:0", REVERST_SERVER_NAME = "localhost",
      REVERST_CERTIFICATE_PATH = path "server.crt",
      REVERST_PRIVATE_KEY_PATH = path "server.key",
      REVERST_MAX_IDLE_TIMEOUT = "1m30s", REVERST_KEEP_ALIVE_PERIOD = "off",
      REVERST_DRAIN_TIMEOUT = "500ms" } }
    server:wait_for_event { event = "serving" }
  end)

  it("logs nothing when told so", function()
    local server = programs.start { reverst, write("config.lua",
      open_config:format "insecure()" .. "\n"), "-l", "off", "-n", "localhost",
      "-a", "127.0.0.1:0", "-s", "127.0.0.1:0", "-c", path "server.crt", "-k",
      path "server.key" }
    programs.wait_until(function()
      -- it has a signal's handler once it runs
      local status = io.open(("/proc/%d/status"):format(server:pid()))
      local caught = status and status:read "a":match "SigCgt:%s*(%x+)"
      if status then status:close() end
      return caught and tonumber(caught, 16) & (1 << 14) ~= 0
    end, "the handler of SIGTERM")
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
    assert.equal("", server:text "errors")
  end)

  it("ends with status 0 after SIGTERM and after SIGINT", function()
    for _, signal in ipairs { "TERM", "INT" } do
      local server = start_server { write("config.lua",
        open_config:format "insecure()") }
      server:signal(signal)
      assert.same({ "exit", 0 }, { server:wait() })
    end
  end)
end)

describe("a server with a request that is not answered", function()
  local loop, origin, server, visitor

  before_each(function()
    make_certificate "localhost"
    -- nobody reads what comes
    loop = event.loop()
    origin = stream.listen(loop, "127.0.0.1:0")
  end)

  after_each(function()
    origin:close()
    loop:dispatch()
    assert.is_true(loop:finish())
  end)

  local function start(...)
    server = start_server { write("config.lua",
      open_config:format "insecure()"), ... }
    start_client(server, { origin:address() })
    server:wait_for_event { event = "tunnel_up" }
    visitor = programs.start { "curl", "--silent", "--show-error",
      "--header", "Host: app.test", server.http, may_fail = true }
    -- a request that is at the origin's door is under way in the server
    loop:wait(function()
      programs.pump()
      return origin:count() > 0
    end)
  end

  it("lets it go on after a signal, and ends after a second one", function()
    start "--drain-timeout=off"
    server:signal "TERM"
    -- it takes no more visitors: then it has understood the signal
    programs.wait_until(function()
      local other = programs.start { "curl", "--silent", "--max-time", "1",
        server.http, may_fail = true }
      local _, status = other:wait()
      return status == 7
    end, "the listener's end")
    assert.is_true(server:is_running())
    assert.is_true(visitor:is_running())
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
  end)

  it("lets it go on no longer than its drain_timeout", function()
    start "--drain-timeout=100ms"
    server:signal "TERM"
    server:wait_for_event { event = "drain_timeout", exchanges = 1 }
    assert.same({ "exit", 0 }, { server:wait() })
  end)
end)

describe("a client", function()
  local server

  local function start(strategy)
    make_certificate "localhost"
    server = start_server { write("config.lua", open_config:format(strategy)) }
  end

  it("says where it is registered", function()
    start 'basic { username = "user", password = "pass" }'
    local client = start_client(server, { "--username", "user", "--password",
      "pass", "8080" })
    client:wait_for(('registered at %s in group "app"; requests go to 8080')
      :format(server.tunnel:gsub("%p", "%%%0")))
    server:wait_for_event { event = "tunnel_up", group = "app" }
    client:signal "TERM"
    assert.same({ "exit", 0 }, { client:wait() })
    server:wait_for_event { event = "tunnel_down", group = "app" }
  end)

  it("may have its credentials in the environment", function()
    start 'bearer { token = "secret" }'
    start_client(server, { "8080", environment = { REVERST_TOKEN = "secret" } })
      :wait_for "registered"
  end)

  it("says what to do when it is refused", function()
    start 'basic { username = "user", password = "pass" }'
    start_client(server, { "--username", "x", "--password", "y", "8080" })
      :wait_for('unauthorized: the server rejected user "x" for group "app" '
        .. "%(check %-%-username and %-%-password%)")
    start_client(server, { "--token", "y", "8080" })
      :wait_for 'rejected the token for group "app" %(check %-%-token%)'
    start_client(server, { "8080" })
      :wait_for 'group "app" wants credentials'
    start_client(server, { "-g", "nope", "8080" })
      :wait_for 'no group "nope" %(check %-%-tunnel%-group%)'
    assert.equal(0, #server:events { event = "tunnel_up" })
  end)

  it("says that the server's certificate is not trusted", function()
    start "insecure()"
    local client = programs.start { reverst, "http", "-a", server.tunnel, "-n",
      "localhost", "8080" }
    -- in other words where the system has no roots at all
    client:wait_for "TLS failed: its certificate is .*%-%-cacert%-path"
  end)

  it("does not check the certificate when told so", function()
    start "insecure()"
    programs.start { reverst, "http", "-a", server.tunnel, "-g", "app",
      "--insecure", "8080" }:wait_for "registered"
  end)

  it("reports a file of roots that is none", function()
    local status, _, errors = run { "http", "-c", "/none", "8080" }
    assert.equal(1, status)
    assert.equal("reverst http: --cacert-path: /none: No such file or "
      .. "directory\n", errors)
  end)
end)

describe("reverst certificate", function()
  it("makes a pair of files, and says what to do next", function()
    local status, output, errors = run { "certificate", "a.example", "-c",
      path "a.crt", "--private-key-path=" .. path "a.key" }
    assert.same({ 0, "" }, { status, errors })
    assert.matches("^%-%-%-%-%-BEGIN CERTIFICATE", read "a.crt")
    assert.matches("^%-%-%-%-%-BEGIN [%u ]+ KEY", read "a.key")
    assert.truthy(output:find(("reverst -n a.example -c %s -k %s config.lua")
      :format(path "a.crt", path "a.key"), 1, true))
    assert.truthy(output:find(("reverst http -n a.example -c %s"):format(
      path "a.crt"), 1, true))
  end)

  it("keeps the private key to its owner", function()
    make_certificate "localhost"
    local pipe = io.popen("stat -c %a " .. path "server.key")
    assert.equal("600\n", pipe:read "a")
    pipe:close()
  end)

  it("leaves files that exist alone", function()
    write("server.crt", "mine")
    local status, _, errors = run { "certificate", "localhost", "-c",
      path "server.crt", "-k", path "server.key" }
    assert.equal(1, status)
    assert.matches("server.crt exists already; remove it, or name another "
      .. "file by %-%-certificate%-path", errors)
    assert.equal("mine", read "server.crt")
    assert.is_nil(io.open(path "server.key"))
  end)

  it("says why it cannot write", function()
    local status, _, errors = run { "certificate", "localhost", "-c",
      "/none/server.crt", "-k", path "server.key" }
    assert.equal(1, status)
    assert.matches("No such file or directory", errors)
  end)
end)
