-- What authenticate is asked, and what becomes of its answer, in the program.

local host = require "host"
local programs = require "programs"

local server

-- authenticate as the body of a function of `registration`
local function start(body)
  server = host.start_server { host.write("config.lua", ([[
    local auth, reverst = require "reverst.auth", require "reverst"
    return { groups = { app = { hosts = { "app.test" },
      authenticate = function(registration) %s end } } }
  ]]):format(body)) }
end

-- a client that registers with "u:p"
local function start_client(...)
  return host.start_client(server, { "--username", "u", "--password", "p", ... })
end

local function is_refused(detail)
  start_client():wait_for "unauthorized"
  assert.equal(detail, server:wait_for_event {
    event = "registration_refused" }.detail)
end

local function failure()
  return server:wait_for_event { event = "authenticate_failed" }.error
end

before_each(function()
  host.open()
  host.make_certificate "server"
end)

after_each(host.close)

describe("authenticate in a configuration", function()
  it("sees the registration", function()
    start [[
      return registration.group == "app" and registration.scheme == "basic"
        and registration.credentials == "dTpw"
        and registration.server_name == "localhost"
        and registration.peer:match "^127.0.0.1:%d+$" ~= nil
        and registration.metadata.Authorization == "Basic dTpw"
    ]]
    start_client():wait_for "registered"
  end)

  it("may wait, and keeps nobody else waiting", function()
    start [[
      if registration.credentials == "dTpw" then reverst.sleep(3) end
      return true
    ]]
    local slow = start_client()
    host.start_client(server, { "--token", "t" }):wait_for "registered"
    assert.is_nil(slow:text "errors":match "registered")
    slow:wait_for "registered"
  end)

  it("rejects with a reason for the log alone", function()
    start "return false, 'not on Sundays'"
    is_refused "not on Sundays"
    assert.equal(0, #server:events { event = "authenticate_failed" })
  end)

  it("sees what the client says of itself", function()
    start [[
      local facts = { registration.name, registration.weight,
        registration.labels.region, registration.labels.tier or "none" }
      for key in pairs(registration) do
        facts[#facts + 1] = key == "labels" and key or nil
      end
      return false, table.concat(facts, " ")
    ]]
    start_client("--name", "green", "--weight", "3", "--label", "region=eu")
    assert.equal("green 3 eu none labels",
      server:wait_for_event { event = "registration_refused" }.detail)
  end)

  it("may have a strategy decide", function()
    start [[return auth.basic { username = "u", password = "p" }(registration)]]
    start_client():wait_for "registered"
  end)

  it("that waits does not keep the server from ending", function()
    start "print 'asked' io.stdout:flush() reverst.sleep(60) return true"
    start_client()
    server:wait_for "^asked$"
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
  end)
end)

describe("a table that authenticate returns", function()
  it("accepts, and names the tunnel", function()
    start [[return { name = "blue", weight = 3, labels = { zone = "a", b = "" } }]]
    start_client("--name", "green"):wait_for "registered"
    assert.equal("blue", server:wait_for_event { event = "tunnel_up" }.name)
  end)

  it("may be empty: then the client's words stand", function()
    start "return {}"
    start_client("--name", "green"):wait_for "registered"
    assert.equal("green", server:wait_for_event { event = "tunnel_up" }.name)
  end)
end)

describe("an answer of authenticate that nobody can tell", function()
  for body, message in pairs {
    ["return registration.metadata.nothing.at_all"] = "attempt to index a nil value",
    ["return registration.lables.region == 'eu'"] =
      'config.lua:%d+: a registration has no field "lables" '
      .. '%(did you mean "labels"%?%)',
    ["registration.anything = 1"] = 'no field "anything", only group, peer',
    ["return 1"] = "returned a number, expected true, a table, or false",
    ["return 'yes'"] = "returned a string, expected true",
    ["return"] = "returned nothing, expected true",
    ["return nil, 'the database is down'"] = "^the database is down$",
    ["while true do pcall(error) end"] = "ran too long",
    ["return true, { name = 'blue' }"] =
      "returned true and a table; return the table alone",
    ["return pcall(function() return false end)"] =
      "returned true and false; return one of them",
    ["return auth.insecure()"] =
      "returned a strategy, which was not asked; write: return strategy",
    ["return { nmae = 'blue' }"] =
      'unknown key "nmae"; expected name, weight and labels',
    ["return { 'blue' }"] = 'unknown key "1"',
    ["return { name = 7 }"] =
      "name: expected a text of 1 to 63 bytes, got a number",
    ["return { name = '' }"] = "name: expected a text of 1 to 63 bytes",
    ["return { name = ('x'):rep(64) }"] = "name: expected a text of 1 to 63",
    ["return { name = 'a\\0b' }"] = "name: expected a text of 1 to 63",
    ["return { weight = 0 }"] =
      "weight: expected a whole number from 1 to 65535, got 0",
    ["return { weight = '3' }"] = "weight: .* got the text 3",
    ["return { weight = 65536 }"] = "weight: expected a whole number",
    ["return { weight = 1.5 }"] = "weight: expected a whole number .* 1.5",
    ["return { labels = 'a=b' }"] = "labels: expected a table, got a string",
    ["return { labels = { 'a=b' } }"] =
      "the name of a label: expected a text of 1 to 255 bytes, got a number",
    ["return { labels = { a = true } }"] =
      "the value of a label: expected a text of 0 to 255 bytes, got a boolean",
    ["local l = {} for i = 1, 65 do l['a' .. i] = '' end return { labels = l }"] =
      "labels: at most 64, got 65",
  } do
    it(("(%s) refuses, and the log says why"):format(body), function()
      start(body)
      start_client():wait_for "server error: the server could not decide"
      assert.matches(message, failure())
      server:wait_for_event { event = "registration_refused" }
      assert.equal(0, #server:events { event = "tunnel_up" })
    end)
  end

  it("fills no log with its failures", function()
    start "error('so it is')"
    for _ = 1, 4 do
      start_client():wait_for "server error: the server could not decide"
    end
    server:wait_for_events({ event = "registration_refused" }, 4)
    local entries = server:events { event = "authenticate_failed" }
    assert.is_true(#entries < 4)
    assert.same({ "app", "authenticate" },
      { entries[1].group, entries[1]["function"] })
    assert.matches("so it is", entries[1].error)
    programs.wait_until(function()
      start_client():wait_for "server error: the server could not decide"
      entries = server:events { event = "authenticate_failed" }
      return entries[#entries].left_out
    end, "the number of those that were left out")
  end)

  it("is no answer of a file that has gone, until it is back", function()
    host.write("token", "secret\n")
    server = host.start_server { host.config 'bearer { token_path = "token" }' }
    os.remove(host.path "token")
    local client = host.start_client(server, { "--token", "secret",
      "--exit-on-failure", may_fail = true })
    client.may_fail = true
    client:wait_for "server error: the server could not decide"
    assert.matches("^auth.bearer: token_path: .*/token: No such file", failure())
    host.write("token", "secret\n")
    host.start_client(server, { "--token", "secret" }):wait_for "registered"
  end)
end)

describe("the log and the client's words", function()
  it("never hold what was registered with", function()
    start "error('x')"
    local client = host.start_client(server, { "--token", "t71777", "-l",
      "trace" })
    client:wait_for "server error: the server could not decide"
    host.start_client(server, { "--username", "u", "--password", "p71777" })
      :wait_for "server error: the server could not decide"
    server:wait_for_events({ event = "registration_refused" }, 2)
    assert.is_nil(programs.transcript():find("71777", 1, true))
  end)
end)

describe("a client in Lua", function()
  it("registers with the credentials that it was given", function()
    start [[
      return auth.any {
        auth.basic { username = "u", password = "p" },
        auth.bearer { token = "t" },
      }(registration)
    ]]
    local script = host.write("script.lua", ([[
      local auth, reverst = require "reverst.auth", require "reverst"
      local function start(credentials, wanted)
        local client
        client = assert(reverst.client { address = %q, server_name = "localhost",
          ca_path = %q, group = "app", origin = "8080",
          credentials = credentials,
          on_connected = function() print "connected" client:close() end,
          on_disconnected = function(event)
            print(event.reason .. ": " .. event.error) client:close()
          end })
      end
      start(auth.basic_credentials("u", "p"))
      start(auth.bearer_credentials "t")
      start(auth.bearer_credentials "wrong")
      start()
    ]]):format(server.tunnel, host.path "server.crt"))
    local status, output = host.run { "run", script }
    assert.equal(0, status)
    assert.equal(2, select(2, output:gsub("connected\n", "")))
    assert.equal(2, select(2, output:gsub(
      "unauthorized: the server refused the registration\n", "")))
  end)
end)
