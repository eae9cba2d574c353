-- The program reverst http: what it registers with, and what it tells people
-- when a server refuses it, goes, comes back or changes.

local event = require "spec.event"
local process = require "spec.process"
local new_folder = require "new_folder"
local programs = require "programs"
local stream = require "spec.stream"

local reverst = os.getenv "REVERST_BIN_DIR" .. "/reverst"
local folder
local nobody = "unix:/nonexistent/service.sock"

local function path(name)
  return folder .. "/" .. name
end

local function write(name, content)
  local file = assert(io.open(path(name), "wb"))
  file:write(content)
  file:close()
  return path(name)
end

local function make_certificate(name)
  local program = programs.start { reverst, "certificate", "-c",
    path(name .. ".crt"), "-k", path(name .. ".key"), "localhost" }
  assert.same({ "exit", 0 }, { program:wait() })
end

-- one group "app" for app.test; `authenticate` is the text of an expression
local function start_server(authenticate, options)
  options = options or {}
  local certificate = options.certificate or "server"
  local server = programs.start { reverst, write("config.lua", ([[
    local auth, log = require "reverst.auth", require "reverst.log"
    return { groups = { app = { hosts = { "app.test" }, authenticate = %s } } }
  ]]):format(authenticate)), "-a", "127.0.0.1:" .. (options.port or 0), "-s",
    "127.0.0.1:0", "-n", "localhost", "-c", path(certificate .. ".crt"), "-k",
    path(certificate .. ".key"), "--drain-timeout=off", name = "server",
    -- it is killed, too
    may_fail = true }
  server.tunnel = server:wait_for_event {
    event = "listening", ["for"] = "tunnels" }.address
  server.http = server:wait_for_event {
    event = "listening", ["for"] = "visitors" }.address
  return server
end

local function kill(server)
  server:signal "KILL"
  server:wait()
end

local function start_client(address, arguments)
  arguments.name = "client"
  for i, word in ipairs { reverst, "http", "-n", "localhost", "-c",
    path "server.crt", "-g", "app" } do
    table.insert(arguments, i, word)
  end
  if address then
    table.insert(arguments, "-a")
    table.insert(arguments, address)
  end
  if arguments[#arguments] ~= nobody and not arguments.origin then
    table.insert(arguments, nobody)
  end
  return programs.start(arguments)
end

-- what it told people once there was something to tell, without what differs
-- from run to run
local function transcript(client)
  local lines = {}
  for line in client:text "errors":gmatch "reverst http: ([^\n]*)\n" do
    if not line:find "^dialling " then
      lines[#lines + 1] = line:gsub("127%.0%.0%.1:%d+", "SERVER")
        :gsub("next try in [%d.]+ s", "next try in N s")
        :gsub("next try at once", "next try in N s")
    end
  end
  return lines
end

local registered = 'registered at SERVER in group "app"; requests go to '
  .. nobody
local again = 'registered again at SERVER in group "app"; requests go to '
  .. nobody
local no_answer = "no tunnel to SERVER: the connection cannot be made: "
  .. "no answer (is a server there, and does UDP get to it? Check --address); "
  .. "next try in N s"

before_each(function()
  folder = new_folder()
  make_certificate "server"
end)

after_each(function()
  programs.end_all()
  os.execute("rm -r " .. folder)
end)

local tell_all = [[function(registration)
  log.info("asked", registration.metadata)
  return true
end]]

describe("a client's registration", function()
  local server

  before_each(function()
    server = start_server(tell_all)
  end)

  local function asked()
    return server:wait_for_event { event = "asked" }
  end

  it("says what flags say", function()
    start_client(server.tunnel, { "--name", "blue", "--weight=3", "--label",
      "region=eu,west", "--label=tier=1", "--scheme", "Custom", "--token", "t" })
    local metadata = asked()
    assert.equal("blue", metadata["Reverst-Name"])
    assert.equal("3", metadata["Reverst-Weight"])
    assert.equal("eu,west", metadata["Reverst-Label-region"])
    assert.equal("1", metadata["Reverst-Label-tier"])
    assert.equal("Custom t", metadata.Authorization)
  end)

  it("says what the environment says", function()
    local client = programs.start { reverst, "http", nobody, name = "client",
      environment = {
        REVERST_ADDRESS = server.tunnel, REVERST_SERVER_NAME = "localhost",
        REVERST_TUNNEL_GROUP = "app", REVERST_CACERT_PATH = path "server.crt",
        REVERST_NAME = "green", REVERST_WEIGHT = "7",
        REVERST_LABEL = "a=1,b=2", REVERST_SCHEME = "Own",
        REVERST_USERNAME = "user",
        REVERST_PASSWORD_PATH = write("password", "\n pass\n"),
        REVERST_MAX_IDLE_TIMEOUT = "20s", REVERST_KEEP_ALIVE_PERIOD = "off",
        REVERST_EXIT_ON_FAILURE = "yes", REVERST_LOG = "info",
      } }
    local metadata = asked()
    assert.equal("green", metadata["Reverst-Name"])
    assert.equal("7", metadata["Reverst-Weight"])
    assert.equal("1", metadata["Reverst-Label-a"])
    assert.equal("2", metadata["Reverst-Label-b"])
    assert.equal("Own dXNlcjpwYXNz", metadata.Authorization)
    client:wait_for "registered"
  end)

  it("has a token of a file, whatever the flag is called", function()
    for _, flag in ipairs { "--token-path", "--token-file" } do
      start_client(server.tunnel, { flag, write("token", " secret\r\n") })
      assert.equal("Bearer secret", asked().Authorization)
    end
  end)

  it("has a password of a file, whatever the flag is called", function()
    for _, flag in ipairs { "--password-path", "--password-file" } do
      start_client(server.tunnel, { "--username", "user", flag,
        write("password", "pass\n") })
      assert.equal("Basic dXNlcjpwYXNz", asked().Authorization)
    end
  end)

  it("names an instance, which stays the same over reconnections", function()
    local port = process.free_port "udp"
    kill(server)
    server = start_server(tell_all, { port = port })
    start_client(server.tunnel, { "--max-idle-timeout=1s" })
    local id = asked()["Reverst-Instance"]
    assert.matches("^" .. ("%x"):rep(32) .. "$", id)
    kill(server)
    server = start_server(tell_all, { port = port })
    assert.equal(id, asked()["Reverst-Instance"])
    start_client(server.tunnel, {})
    assert.are_not.equal(id, asked()["Reverst-Instance"])
  end)
end)

describe("a client's command line", function()
  local function run(arguments)
    arguments.may_fail = true
    local client = start_client(nil, arguments)
    local _, status = client:wait()
    return status, client:text "errors"
  end

  it("is checked, flags and variables alike", function()
    for expected, arguments in pairs {
      ["%-%-token, or %-%-token%-path: only one"] =
        { "--token", "a", "--token-path", "b" },
      ["%-%-password, or %-%-password%-path: only one"] =
        { "--username", "u", "--password", "a", "--password-path", "b" },
      ["%-%-username needs %-%-password or %-%-password%-path"] =
        { "--username", "u" },
      ["%-%-token, or %-%-username with %-%-password: only one"] =
        { "--token-path", "a", "--username", "b", "--password", "c" },
      ["%-%-scheme needs %-%-token"] = { "--scheme", "Custom" },
      ["%-%-scheme: expected one word"] = { "--scheme", "a b", "--token", "t" },
      ["%-%-weight: expected a whole number from 1 to 65535"] =
        { "--weight", "0" },
      ["REVERST_WEIGHT: expected a whole number"] =
        { environment = { REVERST_WEIGHT = "heavy" } },
      ["%-%-label: expected KEY=VALUE, such as region=eu, got \"x\""] =
        { "--label", "a=b", "--label", "x" },
      ["REVERST_LABEL: expected KEY=VALUE"] =
        { environment = { REVERST_LABEL = "a=b,c" } },
      ["%-%-name: .* control characters"] = { "--name", "a\tb" },
      ["%-a: expected HOST:PORT, .* got \"\""] = { "-a", "127.0.0.1:1," },
      ["%-%-max%-idle%-timeout: it cannot be off"] =
        { "--max-idle-timeout=off" },
      ["%-%-keep%-alive%-period: expected a duration"] =
        { "--keep-alive-period=often" },
      ["REVERST_EXIT_ON_FAILURE: expected true or false"] =
        { environment = { REVERST_EXIT_ON_FAILURE = "maybe" } },
    } do
      local status, errors = run(arguments)
      assert.equal(2, status, errors)
      assert.matches(expected, errors)
    end
  end)

  it("names files that cannot be read, and fails", function()
    for expected, arguments in pairs {
      ["cannot start: password_path: .*it is empty"] = { "--username", "u",
        "--password-path", write("empty", " \n") },
      ["cannot start: token_path: [^ ]*/large: it is larger than 64 KiB\n"] = { "--token-path",
        write("large", ("x"):rep(65537)) },
    } do
      local status, errors = run(arguments)
      assert.equal(1, status)
      assert.matches(expected, errors)
      assert.matches("cannot start", errors)
    end
  end)

  it("names files that are not there by their flags", function()
    for flag, arguments in pairs {
      ["--token-path"] = {}, ["--cacert-path"] = {},
      ["--origin-cacert-path"] = {},
      ["--password-path"] = { "--username", "u" },
    } do
      table.insert(arguments, flag)
      table.insert(arguments, path "none")
      local status, errors = run(arguments)
      assert.equal(1, status)
      assert.equal(("reverst http: %s: %s: No such file or directory\n"):format(
        flag, path "none"), errors)
    end
  end)

  it("may say too much for a registration", function()
    local arguments = {}
    for i = 1, 64 do
      arguments[i] = "--label=k" .. i .. "=v"
    end
    local status, errors = run(arguments)
    assert.equal(1, status)
    assert.matches("^reverst http: cannot start: [^\n]*there are more than 64 "
      .. "metadata entries\n$", errors)
  end)

  it("says in one sentence which file of roots it cannot use", function()
    for flag, address in pairs { ["--cacert-path"] = "1",
      ["--origin-cacert-path"] = "https://localhost:1" } do
      local junk = write("junk", "no PEM")
      local program = programs.start { reverst, "http", flag, junk, address,
        may_fail = true }
      assert.same({ "exit", 1 }, { program:wait() })
      assert.equal(("reverst http: cannot start: %s: the certificate cannot be "
        .. "used: it has no certificate in PEM\n"):format(junk),
        program:text "errors")
    end
  end)
end)

describe("a client that is refused", function()
  local function told(authenticate, arguments)
    local server = start_server(authenticate)
    local client = start_client(server.tunnel, arguments)
    client:wait_for "next try"
    return transcript(client)
  end

  it("is told the cure", function()
    local token = write("token", "wrong")
    for expected, arguments in pairs {
      ['unauthorized: the server rejected the token for group "app" (check '
        .. "--token-path)"] = { "--token-path", token },
      ['unauthorized: the server rejected user "u" for group "app" (check '
        .. "--username and --password-path)"] = { "--username", "u",
        "--password-path", token },
      ['unauthorized: the server rejected the token for group "app" (check '
        .. "--token, and --scheme)"] = { "--token", "t", "--scheme", "Odd" },
      ['unauthorized: group "app" wants credentials (give --username and '
        .. "--password, or --token) or a label (--label)"] = {},
    } do
      assert.same({ expected .. "; next try in N s" },
        told('auth.bearer { token = "right" }', arguments))
    end
  end)

  it("ends with status 1 when it is told to", function()
    local server = start_server 'auth.bearer { token = "right" }'
    local client = start_client(server.tunnel, { "--exit-on-failure",
      may_fail = true })
    assert.same({ "exit", 1 }, { client:wait() })
    assert.same({ 'unauthorized: group "app" wants credentials (give '
      .. "--username and --password, or --token) or a label (--label)" },
      transcript(client))
  end)
end)

describe("a client whose server", function()
  local port

  before_each(function()
    port = process.free_port "udp"
  end)

  it("is away is told so once, and that it is registered again", function()
    local server = start_server("auth.insecure()", { port = port })
    local client = start_client(server.tunnel, { "--max-idle-timeout=1s", "-l",
      "debug" })
    client:wait_for "registered at"
    kill(server)
    -- the loss, and two dials in vain
    client:wait_for_events({ event = "disconnected" }, 3)
    start_server("auth.insecure()", { port = port })
    client:wait_for "registered again"
    assert.same({ registered, "lost the tunnel to SERVER: it took too long: "
      .. "no answer; next try in N s", no_answer, again }, transcript(client))
  end)

  it("is dialled is told so at once, but not when it wants warnings only",
    function()
      local client = start_client("127.0.0.1:" .. port, {})
      client:wait_for("reverst http: dialling 127.0.0.1:" .. port)
      client = start_client("127.0.0.1:" .. port, { "-l", "warn",
        "--max-idle-timeout=1s" })
      client:wait_for "no answer"
      assert.is_nil(client:text "errors":find("dialling", 1, true))
    end)

  it("is not there at first is told so, and joins when it comes", function()
    local client = start_client("127.0.0.1:" .. port, { "--max-idle-timeout=1s" })
    client:wait_for "no answer"
    start_server("auth.insecure()", { port = port })
    client:wait_for "registered at"
    assert.same({ no_answer, registered }, transcript(client))
  end)

  it("is lost ends with status 1 when it is told to", function()
    local server = start_server("auth.insecure()", { port = port })
    local client = start_client(server.tunnel, { "--max-idle-timeout=1s",
      "--exit-on-failure", may_fail = true })
    client:wait_for "registered"
    kill(server)
    assert.same({ "exit", 1 }, { client:wait() })
    assert.same({ registered,
      "lost the tunnel to SERVER: it took too long: no answer" },
      transcript(client))
  end)

  it("changes its certificate is told the cure, and comes back", function()
    make_certificate "other"
    local server = start_server("auth.insecure()", { port = port })
    local client = start_client(server.tunnel, { "--max-idle-timeout=1s" })
    client:wait_for "registered at"
    kill(server)
    client:wait_for "lost the tunnel"
    server = start_server("auth.insecure()", { port = port,
      certificate = "other" })
    local said = client:wait_for "reverst http: (no tunnel to .*certificate.*);"
    assert.equal(("no tunnel to %s: TLS failed: its certificate is self-signed, "
      .. 'or not for this name (server name "localhost"; check --server-name and '
      .. "--cacert-path)"):format(server.tunnel), said)
    assert.equal(0, #server:events { event = "tunnel_up" })
    kill(server)
    start_server("auth.insecure()", { port = port })
    client:wait_for "registered again"
  end)

  it("has another token uses what the file says then", function()
    local config = 'auth.bearer { token = "%s" }'
    local server = start_server(config:format "one", { port = port })
    local client = start_client(server.tunnel, { "--max-idle-timeout=1s",
      "--token-path", write("token", "one") })
    client:wait_for "registered at"
    kill(server)
    write("token", "two\n")
    start_server(config:format "two", { port = port })
    client:wait_for "registered again"
  end)

  it("has another token says so when the file is gone", function()
    local server = start_server('auth.bearer { token = "one" }', { port = port })
    local client = start_client(server.tunnel, { "--max-idle-timeout=1s",
      "--token-path", write("token", "one") })
    client:wait_for "registered at"
    os.remove(path "token")
    kill(server)
    client:wait_for(("the credentials cannot be read: %s: No such file or "
      .. "directory %%(check %%-%%-token%%-path%%)"):format(
      path "token":gsub("%p", "%%%0")))
    write("token", "one")
    start_server('auth.bearer { token = "one" }', { port = port })
    client:wait_for "registered again"
  end)
end)

describe("a client whose server is draining", function()
  it("is told so, dials anew, and is told why that is in vain", function()
    -- an origin that does not answer keeps the server from its end
    local loop = event.loop()
    local origin = stream.listen(loop, "127.0.0.1:0")
    local port = process.free_port "udp"
    local server = start_server("auth.insecure()", { port = port })
    local client = start_client(server.tunnel, { "--max-idle-timeout=1s",
      origin:address(), origin = true, "-l", "debug" })
    client:wait_for "registered at"
    programs.start { "curl", "--silent", "--header", "Host: app.test",
      server.http, may_fail = true }
    loop:wait(function()
      programs.pump()
      return origin:count() > 0
    end)
    server:signal "TERM"
    client:wait_for_events({ event = "disconnected", reason = "draining" }, 2)
    kill(server)
    start_server("auth.insecure()", { port = port })
    client:wait_for "registered again"
    local said = transcript(client)
    assert.same({
      "server is draining: SERVER asks to dial anew; requests under way go on",
      "draining: the server is about to end, and takes no new tunnels; "
        .. "next try in N s",
    }, { said[2], said[3] })
    assert.matches("^registered again", said[#said])
    client:signal "TERM"
    client:wait()
    origin:close()
    loop:dispatch()
    assert.is_true(loop:finish())
  end)
end)

describe("a client of several servers", function()
  local first, second

  before_each(function()
    first = start_server "auth.insecure()"
    second = start_server 'auth.bearer { token = "t" }'
  end)

  local function await_both()
    first:wait_for_event { event = "tunnel_up" }
    second:wait_for_event { event = "tunnel_up" }
  end

  it("has a tunnel to each, however they are listed", function()
    local both = first.tunnel .. "," .. second.tunnel
    start_client(both, { "--token", "t" })
    await_both()
    start_client(second.tunnel, { "--token", "t", "-a", first.tunnel })
    await_both()
    start_client(nil, { "--token", "t", environment = {
      REVERST_ADDRESS = both } })
    await_both()
  end)

  it("is told which one it is about, and keeps the others", function()
    local client = start_client(first.tunnel .. "," .. second.tunnel,
      { "--max-idle-timeout=1s" })
    client:wait_for(second.tunnel:gsub("%p", "%%%0")
      .. ': unauthorized: group "app" wants credentials')
    first:wait_for_event { event = "tunnel_up" }
    kill(second)
    local visitor = programs.start { "curl", "--silent", "--output", "/dev/null",
      "--write-out", "%{http_code}", "--header", "Host: app.test", first.http }
    visitor:wait()
    -- nobody answers, but the tunnel is there
    assert.equal("502", visitor:text "output")
  end)

  it("ends all of them with one signal", function()
    local client = start_client(first.tunnel .. "," .. second.tunnel,
      { "--token", "t" })
    await_both()
    client:signal "TERM"
    assert.same({ "exit", 0 }, { client:wait() })
    first:wait_for_event { event = "tunnel_down" }
    second:wait_for_event { event = "tunnel_down" }
  end)
end)

describe("a client whose server stands still", function()
  it("dials a second time, and has one tunnel when it goes on", function()
    local server = start_server "auth.insecure()"
    local client = start_client(server.tunnel, { "--keep-alive-period=200ms",
      "-l", "debug" })
    client:wait_for "registered at"
    server:signal "STOP"
    client:wait_for_event { event = "server_is_silent" }
    client:wait_for_event { event = "dialling" }
    server:signal "CONT"
    -- whichever comes first: the old tunnel's answer, or the new tunnel
    client:wait_for_line(function(line)
      return line:find("server_answers_again", 1, true)
        or line:find("event=connected", 1, true)
    end, "one of the tunnels")
    programs.wait_until(function()
      return #server:events { event = "tunnel_up" }
        == #server:events { event = "tunnel_down" } + 1
    end, "one tunnel")
    assert.equal(0, #client:events { event = "disconnected", level = "warn" })
    assert.same({ registered }, transcript(client))
    local visitor = programs.start { "curl", "--silent", "--output", "/dev/null",
      "--write-out", "%{http_code}", "--header", "Host: app.test", server.http }
    visitor:wait()
    assert.equal("502", visitor:text "output")
  end)
end)

describe("a client whose service", function()
  local loop, listener

  after_each(function()
    if listener then
      listener:close()
      listener = nil
    end
    if loop then
      loop:dispatch()
      assert(loop:finish())
      loop = nil
    end
  end)

  local function ask(server)
    return programs.start { "curl", "-s", "-o", path "answer", "-w",
      "%{http_code}", "-H", "Host: app.test", "http://" .. server.http,
      name = "visitor" }
  end

  local function gets_502(server)
    local visitor = ask(server)
    assert.same({ "exit", 0 }, { visitor:wait() })
    assert.equal("502", visitor:text "output")
  end

  -- the service answers one request
  local function answer()
    programs.wait_until(function()
      loop:poll()
      return listener:count() > 0
    end, "a request")
    local connection = listener:accept()
    connection:write "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    connection:shutdown()
    connection:close_on_end()
    programs.wait_until(function()
      loop:poll()
      return connection:state().closed
    end, "the end of the connection")
  end

  it("is away is told so once, and that it answers again", function()
    local address = "127.0.0.1:" .. process.free_port "tcp"
    local server = start_server "auth.insecure()"
    local client = start_client(server.tunnel, { address, origin = address })
    client:wait_for "registered at"
    local away = "cannot reach the service at SERVER: Connection refused "
      .. "(does it run, and listen there?); visitors get 502"
    for _ = 1, 2 do gets_502(server) end
    client:wait_for "cannot reach"
    loop = event.loop()
    listener = stream.listen(loop, address)
    programs.wait_until(function()
      local visitor = ask(server)
      answer()
      visitor:wait()
      return client:text "errors":match "answers again"
    end, "that it answers again")
    listener:close()
    listener = nil
    for _ = 1, 2 do gets_502(server) end
    programs.wait_until(function() return #transcript(client) == 4 end,
      "that it is away again")
    local said = transcript(client)
    assert.same({ away, "the service at SERVER answers again", away },
      { table.unpack(said, 2) })
  end)
end)
