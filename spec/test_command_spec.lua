-- reverst test: a user's specs of his scripts, and what helps to write them.

local crypto = require "reverst.crypto"
local host = require "host"
local programs = require "programs"
local testing = require "reverst.testing"

-- nothing but the program is there
local alone = { LUA_PATH = "/none/?.lua", LUA_CPATH = "/none/?.so",
  LUA_PATH_5_4 = false, LUA_CPATH_5_4 = false }

-- in the folder; what is given is arguments
local function command(...)
  return { "env", "-C", host.path "", host.reverst, "test", environment = alone,
    may_fail = true, name = "reverst test", ... }
end

local function run(...)
  local program = programs.start(command(...))
  local ending, status = program:wait()
  assert.equal("exit", ending)
  return status, program:text "output", program:text "errors"
end

local function write_spec(name, code)
  return host.write("spec/" .. name .. "_spec.lua", code)
end

describe("reverst test", function()
  before_each(function()
    host.open()
    assert(os.execute("mkdir " .. host.path "spec"))
  end)
  after_each(host.close)

  it("runs the specs of spec/, and says how many passed", function()
    write_spec("good", [[
      describe("it", function()
        it("passes", function() assert.same({ 1 }, { 1 }) end)
        it("passes, too", function() assert.is_true(true) end)
      end)]])
    host.write("spec/other.lua", "error 'not a spec'")
    local status, output, errors = run "-o=TAP"
    assert.same({ 0, "" }, { status, errors })
    assert.matches("1..2\n", output, 1, true)
    assert.matches("ok 1 - it passes\n", output, 1, true)
  end)

  it("fails with status 1, and with place and reason", function()
    write_spec("bad", [[
      it("fails", function()
        assert.equal(1, 2)
      end)
      it("breaks", function()
        local nothing
        nothing()
      end)]])
    local status, output = run()
    assert.equal(1, status)
    assert.matches("0 successes / 1 failure / 1 error", output, 1, true)
    assert.matches("spec/bad_spec.lua:2: Expected objects to be equal", output,
      1, true)
    assert.matches("spec/bad_spec.lua:6: attempt to call a nil value", output, 1,
      true)
  end)

  it("runs the files and folders that are named", function()
    write_spec("bad", "it('fails', function() error 'x' end)")
    local good = write_spec("good", "it('passes', function() end)")
    assert.equal(0, (run(good)))
    assert.equal(1, (run "spec"))
    assert.equal(0, (run("spec", "--filter", "passes")))
  end)

  it("fails where there is nothing to run", function()
    local status, output = run "none"
    assert.equal(1, status)
    assert.matches("none", output)
    assert.equal(1, (run()))
  end)

  it("says that / is too much, without a traceback", function()
    assert.same({ 1, "", "reverst test: / is too much to look for specs in; name "
      .. "a folder of it\n" }, { run "/" })
  end)

  it("complains of flags as itself", function()
    local status, _, errors = run "--nonsense"
    assert.equal(1, status)
    assert.matches("^reverst test: error: ", errors)
  end)

  it("lets specs wait, and start what they like", function()
    write_spec("waiting", [[
      local reverst = require "reverst"
      describe("a spec", function()
        before_each(function() reverst.sleep(0.01) end)
        it("may wait", function()
          local start = reverst.now()
          reverst.sleep(0.05)
          assert.is_true(reverst.now() - start >= 0.05)
        end)
        it("may have tasks", function()
          local task = reverst.spawn(function() reverst.sleep(0.01) return 7 end)
          assert.same({ true, 7 }, { task:wait() })
        end)
        it("may expect errors behind a wait", function()
          assert.has_error(function()
            reverst.sleep(0.01)
            error("boom", 0)
          end, "boom")
        end)
        it("may leave something behind", function()
          reverst.spawn(function() reverst.sleep(1000) end)
          assert(reverst.client { address = "127.0.0.1:1", group = "a",
            server_name = "localhost", origin = "http://127.0.0.1:1" })
        end)
      end)]])
    local status, output, errors = run()
    assert.equal(0, status, output .. errors)
    assert.matches("4 successes", output)
  end)

  it("has every report, spies and stubs within the program", function()
    write_spec("whole", [[
      it("is there", function()
        local called = spy.new(function() end)
        called(1)
        assert.spy(called).was_called_with(match.is_number())
        local t = { f = function() end }
        stub(t, "f").returns(3)
        assert.equal(3, t.f())
        assert.is_nil(package.loaded["socket"])
      end)
      pending "later"]])
    for _, report in ipairs { "TAP", "junit", "gtest", "plainTerminal", "utfTerminal" } do
      local status, output, errors = run("-o", report)
      assert.same({ 0, "" }, { status, errors }, report)
      assert.is_true(#output > 0)
    end
  end)

  it("loads all that it has", function()
    local names = {}
    for _, folder in ipairs { "busted", "luassert", "say", "term", "cliargs" } do
      local list = io.popen(("cd /usr/share/lua/5.4 && find -L %s -name '*.lua'")
        :format(folder))
      for path in list:lines() do
        local name = path:gsub("%.lua$", ""):gsub("/init$", "")
          :gsub("/", ".")
        names[#names + 1] = ("%q"):format(name)
      end
      list:close()
    end
    assert.is_true(#names > 80)
    write_spec("names", ("for _, name in ipairs { %s } do\n"
      .. "  it('has ' .. name, function() require(name) end)\nend"):format(
      table.concat(names, ", ")))
    local status, output = run("-o=TAP", "--filter-out=moonscript$")
    assert.equal(0, status, output)
  end)

  it("ends with status 1 by a signal", function()
    write_spec("slow", [[
      it("waits", function()
        io.stdout:write "begun\n"
        io.stdout:flush()
        require "reverst".sleep(1000)
      end)]])
    local program = programs.start(command())
    program:wait_for "begun"
    program:signal "INT"
    assert.same({ "exit", 1 }, { program:wait() })
  end)
end)

describe("reverst.testing", function()
  before_each(host.open)
  after_each(host.close)

  it("makes registrations of credentials", function()
    local registration = testing.registration { username = "ann",
      password = "word", metadata = { team = "blue" } }
    assert.equal("basic", registration.scheme)
    assert.equal("ann:word", crypto.base64_decode(registration.credentials))
    assert.equal("blue", registration.metadata.team)
    assert.equal("app", registration.group)
    registration = testing.registration { token = "t" }
    assert.same({ "bearer", "t" },
      { registration.scheme, registration.credentials })
    assert.is_nil(testing.registration().scheme)
    registration = testing.registration { name = "blue", weight = 3,
      labels = { region = "eu" }, metadata = { other = "x" } }
    assert.same({ "blue", 3, { region = "eu" } }, { registration.name,
      registration.weight, registration.labels })
    assert.same({ ["Reverst-Name"] = "blue", ["Reverst-Weight"] = "3",
      ["Reverst-Label-region"] = "eu", other = "x" }, registration.metadata)
    assert.same({}, testing.registration().labels)
    for _, nonsense in ipairs { "0", "65536", "1e3", "x", "-1" } do
      assert.is_nil(testing.registration { weight = nonsense }.weight)
    end
  end)

  it("knows no other fields than a server does", function()
    for message, make in pairs {
      ['a registration has no field "shceme" (did you mean "scheme"?)'] =
        function() testing.registration { shceme = "basic" } end,
      ['a registration has no field "grop" (did you mean "group"?)'] =
        function() return testing.registration().grop end,
      ['a request has no field "url"'] =
        function() return testing.request().url end,
      ['a tunnel has no field "wieght" (did you mean "weight"?)'] =
        function() testing.tunnels { { wieght = 1 } } end,
      ['tunnels: expected a list, got a field "weight"; write { { weight ='] =
        function() testing.tunnels { weight = 1 } end,
      ['authenticate: expected a function or a strategy of reverst.auth, got a']
        = function() testing.authenticate(testing.registration()) end,
    } do
      local ok, problem = pcall(make)
      assert.is_false(ok)
      assert.matches("test_command_spec.lua:%d+: ", problem)
      assert.matches(message, problem, 1, true)
    end
  end)

  it("makes requests with fields in any case, and cookies", function()
    local request = testing.request { path = "/a", query = "b=c",
      headers = { ["X-User"] = "ann", Cookie = "a=1; b=two" } }
    assert.same({ "GET", "app.test", "/a", "b=c" },
      { request.method, request.host, request.path, request.query })
    assert.equal("ann", request.headers["x-user"])
    assert.equal("ann", request.headers["X-USER"])
    assert.same({ a = "1", b = "two" }, request.cookies)
    request.path = "/b"
    assert.equal("/b", request.path)
    assert.has_error(function()
      request.method = "POST"
    end, "method of a request cannot be set")
    request.headers["X-User"] = nil
    assert.is_nil(request.headers["x-user"])
    assert.is_nil(testing.request().query)
  end)

  it("says what a server makes of authenticate", function()
    local strategies = {
      { function() return true end, true },
      { function() return { weight = 2 } end, true, { weight = 2 } },
      { function() return false, "no" end, false, "no" },
      { function() return false end, false, "rejected by authenticate" },
      { function() return nil, "who knows" end, nil, "who knows" },
      { function() return { weigth = 2 } end, nil, "authenticate returned a "
        .. 'table with an unknown key "weigth"; expected name, weight and labels' },
      { function() return { labels = { a = "b" }, weight = 0 } end, nil,
        "authenticate: weight: expected a whole number from 1 to 65535, got 0" },
      { function() error("boom", 0) end, nil, "boom" },
      { function() return "yes" end, nil,
        "authenticate returned a string, expected true, a table, or false and "
          .. "a reason" },
      { setmetatable({}, { __call = function(_, registration)
        return registration.group == "app"
      end }), true },
    }
    for _, row in ipairs(strategies) do
      local accepted, detail = testing.authenticate(row[1])
      assert.equal(row[2], accepted)
      assert.same(row[3], detail)
    end
  end)

  it("says what a server makes of a policy", function()
    local tunnels = testing.tunnels { { active = 3 }, { active = 1 } }
    assert.equal(tunnels[2], testing.choose("least_conn", tunnels))
    assert.equal(tunnels[1], testing.choose(function(list)
      return list[1]
    end, tunnels))
    for _, row in ipairs {
      { function() end, "the policy chose none" },
      { function() return {} end,
        "the policy returned what is none of the tunnels" },
      { function() error("boom", 0) end, "boom" },
    } do
      local chosen, message = testing.choose(row[1], tunnels)
      assert.is_nil(chosen)
      assert.equal(row[2], message)
    end
    assert.has_error(function()
      testing.choose("leastconn", tunnels)
    end, 'unknown policy "leastconn" (did you mean "least_conn"?)')
  end)

  it("makes tunnels and requests that every policy takes", function()
    local balance = require "reverst.balance"
    local tunnels = testing.tunnels { { weight = 2 }, {}, { latency = 0.1 } }
    local request = testing.request { query = "user=1",
      headers = { ["x-user"] = "ann" } }
    for _, policy in ipairs { "round_robin", "random", "random_choose", "first",
      "least_conn", "weighted_round_robin", "ip_hash", "uri_hash",
      balance.header "X-User", balance.query "user", balance.cookie "tunnel",
      balance.fallback(balance.header "X-No", "first") } do
      local chosen, message = testing.choose(policy, tunnels, request)
      assert.is_not_nil(chosen, message)
    end
    assert.matches("^tunnel=", request.response_headers["set-cookie"][1])
  end)

  it("gives what a config.lua returns, with paths relative to it", function()
    host.write("word", "secret\n")
    local config = testing.config(host.config
      "basic { username = 'ann', password_path = 'word' }")
    local authenticate = config.groups.app.authenticate
    assert.is_true((testing.authenticate(authenticate,
      testing.registration { username = "ann", password = "secret" })))
    assert.is_false((testing.authenticate(authenticate,
      testing.registration { username = "ann", password = "wrong" })))
    local ok, message = pcall(testing.config,
      host.write("config.lua", "error 'boom'"))
    assert.is_false(ok)
    assert.matches("boom", message)
  end)
end)
