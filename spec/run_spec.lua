-- reverst run: scripts that are programs.

local host = require "host"
local programs = require "programs"

-- runs a script to its end: status, output, errors
local function run(code, ...)
  return host.run { "run", host.write("script.lua", code), ... }
end

local function start(code, ...)
  return programs.start { host.reverst, "run", host.write("script.lua", code),
    name = "script", ... }
end

-- a server for group "app", and a client of it: both in the script
local tunnel = [[
  local reverst, auth = require "reverst", require "reverst.auth"
  local folder = arg[1]
  server = assert(reverst.server {
    tunnel = { address = "127.0.0.1:0", server_name = "localhost",
      certificate_path = folder .. "/server.crt",
      private_key_path = folder .. "/server.key" },
    http = { address = "127.0.0.1:0" },
    groups = { app = { hosts = { "app.test" },
      authenticate = auth.insecure() } },
  })
  client = assert(reverst.client { address = server:tunnel_address(),
    server_name = "localhost", group = "app",
    ca_path = folder .. "/server.crt", origin = "http://127.0.0.1:1" })
  while not client:is_connected() do
    reverst.sleep(0.01)
  end
  print "connected"
  io.stdout:flush()
]]

describe("a script", function()
  before_each(host.open)
  after_each(host.close)

  it("has its arguments as in lua(1), flags among them", function()
    local status, output, errors = run([[
      print(arg[-2], arg[-1], arg[0] == ..., #arg, ...)
      return 7]], "-x", "--help", "--", "a b")
    assert.same({ 0, "reverst\trun\tfalse\t4\t-x\t--help\t--\ta b\n", "" },
      { status, output, errors })
  end)

  it("may have a first line that starts it", function()
    local path = host.write("script", "#!/usr/bin/env -S reverst run\nprint(...)")
    assert(os.execute("chmod +x " .. path))
    local script = programs.start { path, "word", environment = {
      PATH = os.getenv "REVERST_BIN_DIR" .. ":" .. os.getenv "PATH" } }
    assert.same({ "exit", 0 }, { script:wait() })
    assert.equal("word\n", script:text "output")
  end)

  it("may be standard input", function()
    local status, output = host.run { "run", "-", "word" }
    assert.same({ 0, "" }, { status, output })
  end)

  it("finds modules beside it", function()
    host.write("beside.lua", "return { word = 'found' }")
    local _, output = run "print(require 'beside'.word)"
    assert.equal("found\n", output)
  end)

  it("may wait, and run tasks that it is kept for", function()
    local status, output, errors = run [[
      local reverst = require "reverst"
      reverst.spawn(function()
        reverst.sleep(0.05)
        print "task"
      end)
      reverst.sleep(0.01)
      print "script"]]
    assert.same({ 0, "script\ntask\n", "" }, { status, output, errors })
  end)

  it("may compute for as long as it likes, while its tasks go on", function()
    local status, output, errors = run [[
      local reverst = require "reverst"
      local ticks = 0
      reverst.spawn(function()
        while ticks < 100 do
          ticks = ticks + 1
          reverst.sleep(0.001)
        end
      end)
      local start = os.clock()
      while os.clock() - start < 1.5 or ticks < 2 do end
      print "done"]]
    assert.same({ 0, "done\n", "" }, { status, output, errors })
  end)

  it("lets go of garbage when it has worked and then rests", function()
    local status, output = run [[
      local reverst = require "reverst"
      local start, gone = os.clock(), false
      collectgarbage "stop"
      setmetatable({}, { __gc = function()
        gone = true
      end })
      while os.clock() - start < 0.6 do end
      for _ = 1, 200 do
        reverst.sleep(0.1)
        if gone then
          break
        end
      end
      print(gone)
    ]]
    assert.same({ 0, "true\n" }, { status, output })
  end)

  it("ends with a traceback and status 1 when it fails", function()
    local status, output, errors = run [[
      local function fail() error "boom" end
      print "before"
      fail() ]]
    assert.same({ 1, "before\n" }, { status, output })
    assert.matches("^reverst run: .*script.lua:1: boom\nstack traceback:\n",
      errors)
    assert.matches("script.lua:3: in ", errors)
    assert.not_matches("xpcall", errors)
  end)

  it("fails where it waits, too, and whatever the error is", function()
    local status, _, errors = run
      "require 'reverst'.sleep(0.01) error(setmetatable({}, {__tostring = \z
      function() return 'an object' end}))"
    assert.equal(1, status)
    assert.matches("^reverst run: an object\n", errors)
    status, _, errors = run "error {}"
    assert.equal(1, status)
    assert.matches("the error object is a table value", errors)
  end)

  it("is told of a module that there is not in one line", function()
    for name, cure in pairs {
      ["reverst.htp"] = ' (did you mean "reverst.http"?)',
      nowhere = ", neither beside this file nor where Lua looks for modules" } do
      local status, _, errors = run(("require %q"):format(name))
      assert.equal(1, status)
      assert.matches((':1: there is no module "%s"%s'):format(name, cure), errors,
        1, true)
      assert.not_matches("no file", errors)
    end
    local _, _, errors = run "log.info 'x'"
    assert.matches('write local log = require "reverst.log" above', errors)
    _, _, errors = run "{ a = 1 }"
    assert.matches('write "return" before the table', errors)
  end)

  it("ends by the error of what reverst.run has started", function()
    local status, output, errors = run [[
      local reverst = require "reverst"
      reverst.run(function(word)
        reverst.sleep(0.01)
        error(word)
      end, "boom")
      print "script"
      reverst.sleep(1000)]]
    assert.same({ 1, "script\n" }, { status, output })
    assert.matches("^reverst.run: .*script.lua:4: boom\n", errors)
  end)

  it("is ended where it can neither wait nor be made to", function()
    local status, _, errors = run
      "coroutine.wrap(function() while true do end end)()"
    assert.equal(1, status)
    assert.matches("script.lua:1: it ran too long without an end", errors)
  end)

  it("with the name of a command is written with its folder", function()
    host.write("run", "print 'the file'")
    local program = programs.start { "env", "-C", host.path "", host.reverst,
      "run", may_fail = true }
    assert.same({ "exit", 2 }, { program:wait() })
    program = programs.start { "env", "-C", host.path "", host.reverst, "run",
      "./run" }
    assert.same({ "exit", 0 }, { program:wait() })
    assert.equal("the file\n", program:text "output")
  end)

  it("that cannot be read or compiled is told", function()
    local status, _, errors = host.run { "run", host.path "none.lua" }
    assert.equal(1, status)
    assert.matches("none.lua: No such file", errors)
    status, _, errors = run "return {"
    assert.equal(1, status)
    assert.matches("script.lua:1: unexpected symbol", errors)
    status, _, errors = host.run { "run" }
    assert.equal(2, status)
    assert.matches("which script%?", errors)
  end)

  it("may write to the log, as the flags say", function()
    local code = host.write("script.lua",
      "require 'reverst.log'.info('said', { word = 'x' })")
    local _, _, errors = host.run { "run", "--log-format", "json", code }
    assert.matches('"event":"said","word":"x"', errors)
    _, _, errors = host.run { "run", "-l", "warn", code }
    assert.equal("", errors)
  end)

  for _, signal in ipairs { "TERM", "INT" } do
    it("that has no end is ended by SIG" .. signal, function()
      local script = start [[
        print "begun"
        io.stdout:flush()
        while true do
          require "reverst".sleep(0.01)
        end]]
      script:wait_for "begun"
      script:signal(signal)
      assert.same({ "exit", 0 }, { script:wait() })
    end)
  end

  it("that only waits for what it spawned is ended by a signal", function()
    local script = start [[
      local reverst = require "reverst"
      local task = reverst.spawn(function()
        reverst.spawn(function() reverst.sleep(1000) end)
        print "begun"
        io.stdout:flush()
        while true do reverst.sleep(0.01) end
      end)
      task:wait()]]
    script:wait_for "begun"
    local start_time = os.time()
    script:signal "TERM"
    assert.same({ "exit", 0 }, { script:wait() })
    assert.is_true(os.time() - start_time < 10)
  end)

  it("is ended by a signal while it computes", function()
    local script = start "print 'begun' io.stdout:flush() while true do end"
    script:wait_for "begun"
    script:signal "TERM"
    assert.same({ "exit", 0 }, { script:wait() })
  end)

  it("is kept by its servers and clients until a signal drains", function()
    host.make_certificate "server"
    local script = start(tunnel, host.path "")
    script:wait_for "connected"
    script:signal "TERM"
    assert.same({ "exit", 0 }, { script:wait() })
  end)

  it("ends when it has closed its servers and clients", function()
    host.make_certificate "server"
    local status, output, errors = run(tunnel .. "client:close() server:close()",
      host.path "")
    assert.same({ 0, "connected\n" }, { status, output }, errors)
  end)

  it("ends at once when it fails beside its servers and clients", function()
    host.make_certificate "server"
    local status, output, errors = run(tunnel .. "error 'boom'", host.path "")
    assert.same({ 1, "connected\n" }, { status, output }, errors)
    assert.matches("boom\nstack traceback", errors)
  end)

  it("may exit as any other", function()
    local status = run "os.exit(3)"
    assert.equal(3, status)
  end)
end)

describe("reverst.run in a configuration", function()
  before_each(host.open)
  after_each(host.close)

  it("is a mistake", function()
    local status, _, errors = host.run { "check",
      host.write("config.lua", "require 'reverst'.run(print)") }
    assert.equal(1, status)
    assert.matches("config.lua:1: run: only scripts of `reverst run` have it",
      errors)
  end)
end)
