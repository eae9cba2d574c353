-- Clients that answer themselves, and HTTP requests of scripts: each spec is a
-- script with a server, a client and visitors, all in one engine.

local new_folder = require "new_folder"
local script = require "spec.script"
local world = require "spec.world"

local folder

setup(function()
  folder = new_folder()
  world.make_certificate("localhost", folder .. "/server.crt",
    folder .. "/server.key")
end)

-- `serve(handle)`: visitors of app.test are answered by it; `ask(path, options)`
-- asks as they do
local prelude = [[
  local reverst = require "reverst"
  local http = require "reverst.http"
  local server, client
  local function serve(handle, options)
    server = assert(reverst.server {
      tunnel = { address = "127.0.0.1:0", server_name = "localhost",
        certificate_path = "FOLDER/server.crt",
        private_key_path = "FOLDER/server.key" },
      http = { address = "127.0.0.1:0" },
      groups = { app = { hosts = { "127.0.0.1" },
        authenticate = require "reverst.auth".insecure() } },
    })
    local connected
    client = assert(reverst.client { address = server:tunnel_address(),
      server_name = "localhost", ca_path = "FOLDER/server.crt", group = "app",
      handle = handle, on_connected = function() connected = true end })
    while not connected do reverst.sleep(0.01) end
  end
  local function ask(path, options)
    return http.get("http://" .. server:http_address() .. path, options)
  end
]]

local function run(code, options)
  local ended, log = script.run(options or {},
    (prelude:gsub("FOLDER", folder)) .. code)
  assert.equal(1, #ended)
  local entries = {}
  for _, entry in ipairs(log) do
    if entry.event:match "_failed$" then
      entries[#entries + 1] = entry
    end
  end
  return ended[1], entries
end

local function gives(wanted, code, options)
  local result, log = run(code, options)
  assert.equal(wanted, result.text)
  assert.is_true(result.ok)
  assert.same({}, log)
end

describe("a client that answers itself", function()
  it("gets requests and returns responses", function()
    gives("201 PONG one, two text/plain", [[
      serve(function(request)
        return { status = 201, body = "PONG",
          headers = { ["X-Word"] = { "one", "two" }, ["content-type"] =
            "text/plain" } }
      end)
      local answer = assert(ask "/")
      return table.concat({ answer.status, answer.body,
        answer.headers["X-Word"], answer.headers["content-type"] }, " ")
    ]])
  end)

  it("knows what a request says", function()
    gives("PUT /a/b x=1&y=%20 127.0.0.1 http app word 1 two words 127.0.0.1", [[
      serve(function(request)
        assert(request.headers["X-REQUEST-ID"] == request.id and request.id)
        assert(not request.headers.nothing and not request.nothing)
        return { body = table.concat({ request.method, request.path,
          request.query, request.host, request.scheme, request.group,
          request.headers["X-Word"], request.cookies.a, request.cookies.b,
          request.peer:match "^[%d.]+" }, " ") }
      end)
      return ask("/a/b?x=1&y=%20", { method = "PUT", headers = {
        ["x-word"] = "word", cookie = 'a=1; b="two words"; a=2' } }).body
    ]])
  end)

  it("reads bodies whole, in pieces, or not at all", function()
    gives("1000000 300000 REVERST_ERR_LIMIT unread", [[
      serve(function(request)
        local count = 0
        if request.path == "/whole" then
          count = #request:body()
        elseif request.path == "/pieces" then
          for piece in function() return request:read(1000) end do
            assert(#piece <= 1000)
            count = count + #piece
          end
          assert(request:read() == nil)
        elseif request.path == "/limit" then
          count = select(3, request:body "1KB")
        else
          count = "unread"
        end
        return { body = tostring(count) }
      end)
      local function post(path, size)
        return ask(path, { method = "POST", body = ("x"):rep(size) }).body
      end
      return table.concat({ post("/whole", 1000000), post("/pieces", 300000),
        post("/limit", 100000), post("/", 100) }, " ")
    ]])
  end)

  it("answers in parts, which wait for who reads them", function()
    gives("10000000 no-store", [[
      serve(function(request)
        request:start { headers = { ["cache-control"] = "no-store" } }
        for i = 1, 100 do assert(request:write(("x"):rep(100000))) end
        request:finish { ["x-trailer"] = "t" }
        assert(not request:write "more")
      end)
      local answer = assert(ask("/", { max_body = "11MB" }))
      return #answer.body .. " " .. answer.headers["cache-control"]
    ]])
  end)

  it("answers HEAD in parts as it answers GET", function()
    gives("200 0", [[
      serve(function(request)
        assert(request:start {})
        assert(request:write "nobody sees it")
        assert(request:finish())
      end)
      local answer = assert(ask("/", { method = "HEAD" }))
      reverst.sleep(0.01)
      return answer.status .. " " .. #answer.body
    ]])
  end)

  it("waits while others are answered", function()
    gives("abcdef", [[
      serve(function(request)
        reverst.sleep(tonumber(request.query))
        return { body = request.path:sub(2) }
      end)
      local tasks, said = {}, {}
      for i, name in ipairs { "f", "d", "b", "a", "c", "e" } do
        tasks[i] = reverst.spawn(function()
          local delay = (name:byte() - 96) * 0.03
          table.insert(said, ask(("/%s?%f"):format(name, delay)).body)
        end)
      end
      for _, task in ipairs(tasks) do assert(task:wait()) end
      return table.concat(said)
    ]])
  end)

  -- what `handle` does, and what the log says of it
  for name, row in pairs {
    ["raises an error"] = { "error 'boom'", "boom" },
    ["raises a table"] = { "error {}", "the error object is a table" },
    ["gives no size"] = { "request:body 'much'", "expected a size" },
    ["raises nil"] = { "error(nil)", "the error object is a nil" },
    ["raises what cannot be a text"] = { [[
      error(setmetatable({}, { __tostring = function() error "no" end }))
    ]], "no" },
    ["returns a number"] = { "return 200", "expected a response such as" },
    ["returns an unknown field"] = { "return { stauts = 200 }",
      'did you mean "status"' },
    ["returns a bad status"] = { "return { status = 99 }",
      "a status from 200 to 599" },
    ["returns a bad body"] = { "return { body = {} }", "a text as body" },
    ["returns a bad field"] = { "return { headers = { a = true } }",
      "headers: a: expected a text" },
    ["returns a field with a line break"] = {
      "return { headers = { a = 'b\\r\\nc: d' } }", "cannot be sent" },
    ["returns a field with a NUL"] = {
      "return { headers = { a = 'b\\0c' } }", "NUL" },
    ["loops for ever"] = { "while true do pcall(error) end", "ran too long" },
    ["yields by itself"] = { "coroutine.yield()", "coroutine.yield outside" },
  } do
    it("answers 500 when it " .. name, function()
      local result, log = run(([[
        serve(function(request) %s end)
        local answer = assert(ask "/")
        return answer.status .. answer.body
      ]]):format(row[1]), { task_budget = 200000000 })
      assert.equal("500500 Internal Server Error\n", result.text)
      assert.equal(1, #log)
      assert.equal("handle_failed", log[1].event)
      assert.matches(row[2], log[1].text)
    end)
  end

  it("is in the log once a second, however many visitors it fails", function()
    local result, log = run [[
      serve(function(request) error "always" end)
      for i = 1, 20 do assert(ask("/").status == 500) end
    ]]
    assert.is_true(result.ok)
    assert.is_true(#log >= 1 and #log <= 5)
  end)

  it("answers 500 when it returns nothing, and the log says so", function()
    local result, log = run [[
      serve(function(request) end)
      return ask("/").status
    ]]
    assert.equal("500", result.text)
    assert.equal(1, #log)
    assert.matches('handle returned nothing %(is "return" missing%?%)',
      log[1].text)
  end)

  it("breaks an answer off when it fails in the middle", function()
    local result, log = run [[
      serve(function(request)
        request:start {}
        request:write "begun"
        reverst.sleep(0.05)
        error "in the middle"
      end)
      local answer, message, code = ask "/"
      return tostring(answer) .. " " .. code
    ]]
    assert.equal("nil REVERST_ERR_CLOSED", result.text)
    assert.matches("in the middle", log[1].text)
  end)

  it("is told when it never ends its answer, which is broken off", function()
    local result, log = run [[
      serve(function(request)
        request:start {}
        request:write "begun"
        reverst.sleep(0.05)
      end)
      local answer, message, code = ask "/"
      return tostring(answer) .. " " .. code
    ]]
    assert.equal("nil REVERST_ERR_CLOSED", result.text)
    assert.equal(1, #log)
    assert.matches("without request:finish%(%)", log[1].text)
  end)

  it("is ended when its visitor goes, closing what it holds", function()
    gives("nil REVERST_ERR_TIMEOUT closed", [[
      local state
      serve(function(request)
        local guard <close> = setmetatable({}, { __close = function()
          state = "closed"
        end })
        reverst.sleep(1000)
      end)
      local answer, _, code = ask("/", { timeout = 0.2 })
      while not state do reverst.sleep(0.01) end
      return ("%s %s %s"):format(answer, code, state)
    ]])
  end)

  it("says closed to who uses a request that is over", function()
    gives("nil closed REVERST_ERR_CLOSED / nil closed REVERST_ERR_CLOSED / "
      .. "nil closed REVERST_ERR_CLOSED / /", [[
      local kept
      serve(function(request)
        kept = request
        return {}
      end)
      ask "/"
      reverst.sleep(0.05)
      collectgarbage()
      local function text(...)
        return table.concat({ tostring((...)), select(2, ...) }, " ")
      end
      return table.concat({ text(kept:read()), text(kept:write "x"),
        text(kept:start {}), kept.path }, " / ")
    ]])
  end)

  it("may close its client and its server from within", function()
    gives("nil closed closed", [[
      local ended
      serve(function(request)
        client:close()
        server:close()
        client:close()
        ended = true
        reverst.sleep(0)
        return { body = "too late" }
      end)
      local answer = ask "/"
      while not ended do reverst.sleep(0.01) end
      while client:is_connected() ~= nil or server:stats() do
        reverst.sleep(0.01)
      end
      return ("%s %s %s"):format(answer, select(2, client:is_connected()),
        select(2, server:stats()))
    ]])
  end)

  it("may be read by one task and written by another", function()
    gives("300000", [[
      serve(function(request)
        local pieces = {}
        local reader = reverst.spawn(function()
          for piece in function() return request:read() end do
            table.insert(pieces, piece)
          end
          return "read"
        end)
        local writer = reverst.spawn(function()
          local _, said = reader:wait()
          assert(said == "read" and request:start {})
          for _, piece in ipairs(pieces) do assert(request:write(piece)) end
          return request:finish()
        end)
        assert(writer:wait())
      end)
      return #ask("/", { method = "POST", body = ("x"):rep(300000) }).body
    ]])
  end)
end)

describe("an option of reverst.client", function()
  local client_settings = require "reverst.client.settings"

  it("says how requests are answered: in one way", function()
    local function problems(options)
      return (select(2, client_settings.check(options)) or {})[1]
    end
    local handle = function() end
    assert.is_nil(problems { handle = handle })
    assert.is_nil(problems { handle = setmetatable({}, { __call = handle }) })
    assert.equal("origin, or handle: exactly one of the two", problems {})
    assert.equal("origin, or handle: exactly one of the two",
      problems { origin = "1", handle = handle })
    assert.equal("handle: expected a function, got a table",
      problems { handle = {} })
    assert.equal('handel: unknown option (did you mean "handle"?)',
      problems { handel = handle, origin = "1" })
  end)
end)

describe("reverst.http", function()
  it("sends what it is told, by any method", function()
    gives("POST body a b 11 / DELETE  nil nil / GET  nil nil", [[
      serve(function(request)
        return { body = table.concat({ request.method, request:body(),
          request.headers["x-list"] and request.headers["x-list"]:gsub(",", "")
            or "nil", tostring(request.headers["x-number"]) }, " ") }
      end)
      local url = "http://" .. server:http_address() .. "/"
      return table.concat({
        http.post(url, { body = "body", headers = { ["X-List"] = { "a", "b" },
          ["X-Number"] = 11.0 } }).body,
        http.request { url = url, method = "DELETE" }.body,
        http.request { url = url }.body,
      }, " / ")
    ]])
  end)

  it("gives fields by any case, and a list of set-cookie", function()
    gives("a=1 b=2 no", [[
      serve(function(request)
        return { headers = { ["set-cookie"] = { "a=1", "b=2" } } }
      end)
      local answer = ask "/"
      return table.concat(answer.headers["Set-Cookie"], " ") .. " "
        .. (answer.headers["Set-Cookie2"] or "no")
    ]])
  end)

  it("says what goes wrong", function()
    gives("REVERST_ERR_ADDRESS REVERST_ERR_ADDRESS REVERST_ERR_CONNECT "
      .. "REVERST_ERR_LIMIT REVERST_ERR_TIMEOUT", [[
      serve(function(request)
        if request.path == "/slow" then reverst.sleep(1) end
        return { body = ("x"):rep(2000) }
      end)
      local codes = {}
      local function note(answer, message, code)
        assert(not answer and #message > 0)
        codes[#codes + 1] = code
      end
      note(http.get "gopher:x")
      note(http.get("http://" .. server:http_address() .. "/a\0b"))
      note(http.get "http://127.0.0.1:1/")
      note(ask("/", { max_body = 1000 }))
      note(ask("/slow", { timeout = "50ms" }))
      return table.concat(codes, " ")
    ]])
  end)

  for pattern, code in pairs {
    ['http.get: unknown option "timeot" %(did you mean "timeout"%?%)'] =
      "http.get('http://a.test', { timeot = 1 })",
    ['http.get: timeout: expected a duration'] =
      "http.get('http://a.test', { timeout = 'soon' })",
    ["http.get: expected a URL, got a nil"] = "http.get()",
    ["http.post: the URL comes first"] = "http.post('x', { url = 'y' })",
    ["http.request: no url"] = "http.request {}",
    ["http.request: expected a table"] = "http.request 'http://a.test'",
    ["http.get: headers: a: expected a text, got a boolean"] =
      "http.get('x', { headers = { a = true } })",
    ["http.get: body: expected a text"] = "http.get('x', { body = 1 })",
    ["reverst.http waits, and cannot do so here"] =
      "coroutine.wrap(function() http.get 'http://127.0.0.1:1' end)()",
  } do
    it("raises: " .. pattern:gsub("%%", ""), function()
      local result = run(code)
      assert.is_false(result.ok)
      assert.matches(pattern, result.text)
    end)
  end

  it("is given up with the task that waits", function()
    gives("it was cancelled", [[
      serve(function(request) reverst.sleep(100) end)
      local task = reverst.spawn(function() return ask "/" end)
      reverst.sleep(0.05)
      task:cancel()
      return (select(2, task:wait()))
    ]])
  end)

  it("ends with the engine, however many wait", function()
    local ended, log = script.run_and_stop({}, (prelude:gsub("FOLDER", folder))
      .. [[
      for i = 1, 100 do
        reverst.spawn(function() http.get "http://127.0.0.1:1/" end)
      end
      reverst.sleep(100)
    ]], [[require "reverst.http".get "http://127.0.0.1:1/"]])
    assert.equal(2, #ended)
    assert.same({}, log)
  end)
end)
