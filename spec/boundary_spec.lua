-- The boundary between C and Lua: scripts that do what they should not.  More of
-- these are beside what they are about: task, spawn, serve, hook and policy.

local new_folder = require "new_folder"
local script = require "spec.script"
local world = require "spec.world"

local folder

setup(function()
  folder = new_folder()
  world.make_certificate("localhost", folder .. "/server.crt",
    folder .. "/server.key")
end)

-- `serve { group fields, client = fields }`: a server and a client of it, whose
-- tunnel is up; `ask()`: what a visitor gets
local prelude = [[
  local reverst = require "reverst"
  local http = require "reverst.http"
  local server, client
  local function serve(given)
    local client_options = given.client or {}
    given.client = nil
    given.hosts = given.hosts or { "127.0.0.1" }
    given.authenticate = given.authenticate
      or require "reverst.auth".insecure()
    server = assert(reverst.server {
      tunnel = { address = "127.0.0.1:0", server_name = "localhost",
        certificate_path = "FOLDER/server.crt",
        private_key_path = "FOLDER/server.key" },
      http = { address = "127.0.0.1:0" },
      groups = { app = given },
    })
    for key, value in pairs { address = server:tunnel_address(),
      server_name = "localhost", ca_path = "FOLDER/server.crt", group = "app",
      handle = function() return { body = "answered" } end } do
      client_options[key] = client_options[key] or value
    end
    client = assert(reverst.client(client_options))
  end
  local function ask()
    local answer, _, code = http.get("http://" .. server:http_address() .. "/")
    return answer and answer.status or code
  end
  local function wait_until(condition)
    while not condition() do reverst.sleep(0.01) end
  end
  local function is_connected() return client:is_connected() end
]]

local function with_prelude(code)
  return (prelude:gsub("FOLDER", folder)) .. code
end

local function run(code, options)
  local ended, log = script.run(options or {}, with_prelude(code))
  assert.equal(1, #ended)
  return ended[1], log
end

local function gives(wanted, code, options)
  local result = run(code, options)
  assert.equal(wanted, result.text)
  assert.is_true(result.ok)
end

local function fails(pattern, code, options)
  local result = run(code, options)
  assert.is_false(result.ok)
  assert.matches(pattern, result.text)
end

describe("a callback that closes what it is called for", function()
  it("may be on_connected, for its client", function()
    gives("closed", [[
      serve { client = { on_connected = function() client:close() end } }
      wait_until(function() return client:is_connected() == nil end)
      return (select(2, client:is_connected()))
    ]])
  end)

  it("may be on_disconnected, for its client", function()
    gives("closed", [[
      serve { authenticate = function() return false, "no" end,
        client = { on_disconnected = function() client:close() end } }
      wait_until(function() return client:is_connected() == nil end)
      return (select(2, client:is_connected()))
    ]])
  end)

  it("may be authenticate, for its server", function()
    gives("nil closed", [[
      local called
      serve { authenticate = function()
        server:close()
        called = true
        return true
      end }
      wait_until(function() return called and not server:stats() end)
      return ("%s %s"):format(server:stats())
    ]])
  end)

  for _, hook in ipairs { "on_request", "on_response", "balance" } do
    for _, way in ipairs { "close", "drain" } do
      it(("may be %s, for its server: %s"):format(hook, way), function()
        gives("true closed", ([[
          local called
          serve { %s = function(first)
            called = true
            server:%s()
            client:close()
            collectgarbage()
            return first[1]
          end }
          wait_until(is_connected)
          ask()
          wait_until(function() return not server:stats() end)
          return tostring(called) .. " " .. select(2, server:stats())
        ]]):format(hook, way))
      end)
    end
  end

  it("may be on_tunnel_up or on_tunnel_down, for its server", function()
    gives("closed", [[
      serve { on_tunnel_up = function() server:close() end,
        on_tunnel_down = function() server:close() end }
      wait_until(function() return not server:stats() end)
      return (select(2, server:stats()))
    ]])
  end)
end)

describe("an endless loop", function()
  local budget = { task_budget = 100000000 }

  it("is ended in a coroutine that was made by another task", function()
    local ended = script.run(budget, [[
      made = coroutine.create(function() while true do end end)
      wrapped = coroutine.wrap(function() while true do pcall(error) end end)
    ]], [[
      require "reverst".sleep(0.01)
      return coroutine.resume(made)
    ]], "require 'reverst'.sleep(0.02) return wrapped()")
    assert.same({ true, false, false }, { ended[1].ok, ended[2].ok,
      ended[3].ok })
  end)

  it("is ended in a text that grows for ever", function()
    fails("not enough memory", [[
      local text = "x"
      while true do text = text .. text end
    ]], { memory_limit = 32 * 1024 * 1024 })
  end)

  it("is ended in a chunk that is loaded", function()
    fails("ran too long", "load 'while true do end' ()", budget)
  end)

  it("is ended in an iterator, a gsub, a require", function()
    for _, code in ipairs {
      "for _ in function() return 1 end do end",
      "('x'):gsub('x', function() while true do end end)",
      "package.preload.endless = function() while true do end end "
        .. "require 'endless'",
      "xpcall(error, function() while true do end end) return 1",
    } do
      assert.is_false(run(code, budget).ok)
    end
  end)

  it("is ended though the script has a hook of its own elsewhere", function()
    fails("ran too long", [[
      local other = coroutine.create(function() end)
      debug.sethook(other, function() end, "l")
      coroutine.resume(other)
      while true do end
    ]], budget)
  end)
end)

describe("a wait", function()
  it("may be in pcall, in iterators and in metamethods written in Lua", function()
    gives("index call add close", [[
      local said = {}
      local object = setmetatable({}, {
        __index = function(_, key) reverst.sleep(0) return key end,
        __call = function() reverst.sleep(0) return "call" end,
        __add = function() reverst.sleep(0) return "add" end,
        __close = function() reverst.sleep(0) table.insert(said, "close") end,
      })
      do
        local guard <close> = object
        table.insert(said, object.index)
        table.insert(said, (select(2, pcall(object))))
        for sum in function() return not said[3] and object + 1 or nil end do
          table.insert(said, sum)
        end
      end
      return table.concat(said, " ")
    ]])
  end)

  for name, code in pairs {
    ["coroutine.wrap"] = "coroutine.wrap(function() reverst.sleep(0) end)()",
    ["a coroutine"] =
      "assert(coroutine.resume(coroutine.create(reverst.sleep), 0))",
    ["table.sort"] =
      "table.sort({ 2, 1 }, function() reverst.sleep(0) end)",
    ["string.gsub"] =
      "('x'):gsub('x', function() reverst.sleep(0) end)",
    ["__tostring"] = [[tostring(setmetatable({}, {
      __tostring = function() reverst.sleep(0) end }))]],
    ["require"] = [[package.preload.waits = function() reverst.sleep(0) end
      require "waits"]],
    ["a message handler"] = [[
      local _, message = xpcall(error, function()
        return select(2, pcall(reverst.sleep, 0))
      end)
      error(message)]],
  } do
    it("is refused in " .. name .. ", and says why", function()
      fails("waits, and cannot do so here", code)
    end)
  end

  it("is refused in __gc, and in what loads a file", function()
    gives("sleep waits, and cannot do so here", [[
      local message
      setmetatable({}, { __gc = function()
        message = select(2, pcall(reverst.sleep, 0))
      end })
      collectgarbage()
      collectgarbage()
      return message:match "sleep waits.*here"
    ]])
  end)
end)

describe("a handle", function()
  it("has no metamethod that can be called with something else", function()
    gives("nil nil reverst.server reverst.task", [[
      serve {}
      local task = reverst.spawn(function() end)
      return ("%s %s %s %s"):format(server.__gc, task.__gc,
        getmetatable(server), getmetatable(task))
    ]])
  end)
end)

describe("a coroutine that resumes itself", function()
  it("is told that this cannot be, as in Lua", function()
    gives("false cannot resume non-suspended coroutine", [[
      return coroutine.wrap(function()
        return ("%s %s"):format(coroutine.resume(coroutine.running()))
      end)()
    ]])
  end)
end)

describe("what misbehaves when it is collected or closed", function()
  it("is logged, and nothing else", function()
    local result, log = run [[
      setmetatable({}, { __gc = function() error "in __gc" end })
      collectgarbage()
      collectgarbage()
      return "fine"
    ]]
    assert.equal("fine", result.text)
    assert.equal("lua_warning", log[1].event)
  end)

  it("may come back to life, and finds what it held closed", function()
    gives("closed closed", [[
      serve {}
      local kept
      local holder = setmetatable({ client }, { __gc = function(holder)
        kept = holder[1]
      end })
      client:close()
      wait_until(function() return client:is_connected() == nil end)
      client, holder = nil, nil
      collectgarbage()
      collectgarbage()
      local task = reverst.spawn(function() end)
      task:wait()
      return select(2, kept:is_connected()) .. " " .. select(2, kept:close())
    ]])
  end)

  it("may fail, wait, or cancel its own task, which ends all the same", function()
    local ended = script.run_and_stop({}, [[
      local guard <close> = setmetatable({}, { __close = function()
        error {}
      end })
      require "reverst".sleep(10)
    ]], [[
      local reverst = require "reverst"
      local task
      local guard <close> = setmetatable({}, { __close = function()
        task:cancel()
        task:wait()
      end })
      task = reverst.spawn(function()
        local inner <close> = setmetatable({}, { __close = function()
          task:cancel()
          task:wait()
        end })
        reverst.sleep(10)
      end)
      reverst.sleep(10)
    ]])
    assert.equal(2, #ended)
    for _, result in ipairs(ended) do
      assert.equal("it was cancelled", result.text)
    end
  end)
end)

describe("the coroutine of a task", function()
  -- what a task waits for while another gets hold of its coroutine
  for name, wait in pairs {
    ["a sleep"] = "reverst.sleep(0.05)",
    ["another task"] = "reverst.spawn(reverst.sleep, 0.05):wait()",
    ["an answer"] = "assert(ask() == 200)",
  } do
    it("is not resumed, nor closed, by another while it waits for " .. name,
      function()
        gives("false suspended true", ([[
          serve { client = { handle = function()
            reverst.sleep(0.05)
            return {}
          end } }
          wait_until(is_connected)
          local other
          local task = reverst.spawn(function()
            other = coroutine.running()
            %s
            return "waited"
          end)
          wait_until(function() return other end)
          local resumed, message = coroutine.resume(other)
          assert(message:find "the coroutine of a task")
          local closed, message = pcall(coroutine.close, other)
          assert(not closed and message:find "the coroutine of a task")
          local status = coroutine.status(other)
          collectgarbage()
          local _, said = task:wait()
          assert(said == "waited")
          assert(coroutine.status(other) == "dead")
          assert(not coroutine.resume(other))
          return ("%%s %%s %%s"):format(resumed, status, said == "waited")
        ]]):format(wait))
      end)
  end

  it("cannot close or resume itself", function()
    gives("false false", [[
      local me = coroutine.running()
      return ("%s %s"):format(coroutine.resume(me), (pcall(coroutine.close, me)))
    ]])
  end)
end)

describe("a coroutine of a script", function()
  it("does what Lua says", function()
    gives("1 2 3 nil 4 dead", [[
      local function body(...)
        local got = coroutine.yield(select("#", ...))
        coroutine.yield(got)
        local inner = coroutine.wrap(function() coroutine.yield(3) error "x" end)
        coroutine.yield(inner())
        assert(not pcall(inner))
        return nil, 4
      end
      local made = coroutine.create(body)
      local said = {}
      local function note(ok, ...)
        assert(ok)
        for i = 1, select("#", ...) do
          said[#said + 1] = tostring((select(i, ...)))
        end
      end
      note(coroutine.resume(made, "a"))
      note(coroutine.resume(made, 2))
      note(coroutine.resume(made))
      note(coroutine.resume(made))
      assert(not coroutine.resume(made))
      local failing = coroutine.create(error)
      assert(select(2, coroutine.resume(failing, "why")) == "why")
      assert(not coroutine.close(failing))
      local open = coroutine.create(function()
        local guard <close> = setmetatable({}, { __close = function() said = {
          table.concat(said, " "), coroutine.status(made) } end })
        coroutine.yield()
      end)
      coroutine.resume(open)
      assert(coroutine.close(open))
      assert(not pcall(coroutine.resume, 1))
      assert(not pcall(coroutine.create, 1))
      assert(not pcall(coroutine.wrap))
      assert(not pcall(coroutine.close))
      local many = table.pack(coroutine.resume(coroutine.create(function(...)
        return ...
      end), table.unpack({}, 1, 1000)))
      assert(many.n == 1001)
      return table.concat(said, " ")
    ]])
  end)
end)

describe("memory that is short", function()
  it("fails calls into C, and nothing else", function()
    gives("fine", [[
      local calls = { reverst.sleep, reverst.spawn, http.get, reverst.client,
        reverst.server, require "reverst.crypto".random,
        require "reverst.json".encode, require "reverst.log".info }
      local arguments = { 0, function() end, "http://127.0.0.1:1/",
        { origin = "1" }, { groups = {} }, 10000, { { {} } }, "event" }
      local hoard = {}
      for round = 1, 40 do
        pcall(function()
          while true do
            hoard = { hoard, ("x"):rep(100000 // round) .. #hoard }
          end
        end)
        for i, call in ipairs(calls) do pcall(call, arguments[i]) end
      end
      hoard = nil
      collectgarbage()
      return "fine"
    ]], { memory_limit = 8 * 1024 * 1024, task_budget = 20000000000,
      task_timeout = 60000000000 })
  end)
end)

describe("tasks that wait for, cancel and fail each other at random", function()
  for seed = 1, 4 do
    it("all end, seed " .. seed, function()
      gives("all over", ([[
        math.randomseed(%d)
        local random = math.random
        serve { client = { handle = function(request)
          if request.query == "slow" then reverst.sleep(random() / 50) end
          if request.query == "bad" then error "bad" end
          request:start {}
          for _ = 1, random(5) do
            reverst.sleep(0)
            if not request:write(("x"):rep(random(50000))) then break end
          end
          request:finish()
        end } }
        wait_until(is_connected)
        local url = "http://" .. server:http_address() .. "/?"
        local tasks, live = {}, 0
        local act
        local acts = {
          function() reverst.sleep(random() / 100) end,
          function() reverst.sleep(0) end,
          function() tasks[random(#tasks)]:wait() end,
          function() tasks[random(#tasks)]:cancel() end,
          function() tasks[random(#tasks)] = reverst.spawn(act) end,
          function() error {} end,
          function() coroutine.yield() end,
          function() collectgarbage "step" end,
          function() pcall(act) end,
          function() http.get(url .. "slow", { timeout = 0.01 }) end,
          function() http.get(url .. "bad") end,
          function() http.get(url, { max_body = 100000 }) end,
        }
        function act()
          live = live + 1
          local guard <close> = setmetatable({}, { __close = function()
            live = live - 1
            if random(4) == 1 then tasks[random(#tasks)]:cancel() end
            if random(10) == 1 then error "in __close" end
          end })
          for _ = 1, random(6) do acts[random(#acts)]() end
        end
        for i = 1, 60 do tasks[i] = reverst.spawn(act) end
        for _ = 1, 150 do
          reverst.sleep(0.001)
          tasks[random(#tasks)] = reverst.spawn(act)
          tasks[random(#tasks)]:cancel()
        end
        for _, task in ipairs(tasks) do task:cancel() end
        wait_until(function()
          for _, task in ipairs(tasks) do task:cancel() end
          return live == 0
        end)
        return ask() == 200 and "all over"
      ]]):format(seed), { task_timeout = 60000000000 })
    end)
  end
end)
