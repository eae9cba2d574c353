-- What hooks in Lua may do wrong: the visitor gets 500, and nothing is smuggled.

local hook_scene = require "hook_scene"

local start, echo, fails =
  hook_scene.start, hook_scene.echo, hook_scene.fails

local world

before_each(function()
  world = hook_scene.open()
end)

after_each(function()
  world:close()
end)

describe("a hook that goes wrong", function()
  for what, case in pairs {
    ["fails"] = { "error 'boom'", "boom\n.*stack traceback" },
    ["fails after it waited"] = { "reverst.sleep(0.001) error 'boom'", "boom" },
    ["returns a text"] = { "return 'moved'",
      "on_request returned a string, expected a response or nil" },
    ["returns true"] = { "return true", "returned a boolean" },
    ["returns an odd status"] = { "return { status = 99 }",
      "status: expected 200 to 599, got 99" },
    ["returns a huge status"] = { "return { status = 1 << 40 }",
      "expected 200 to 599" },
    ["returns a status as text"] = { "return { status = 'ok' }",
      "status: expected a whole number, got string" },
    ["misspells a key"] = { "return { statsu = 302 }",
      'a response has status, headers and body, and no string "statsu"' },
    ["returns a list"] = { "return { 302 }", 'and no number "1"' },
    ["returns headers as a list"] = {
      "return { headers = { 'location: /' } }",
      "headers: expected names as keys, got a number" },
    ["returns headers as a text"] = { "return { headers = 'x' }",
      "headers: expected a table, got string" },
    ["returns a table as a value"] = {
      "return { headers = { a = { {} } } }",
      'headers%["a"%]: expected a text or a list of texts, got table' },
    ["returns a function as body"] = { "return { body = print }",
      "body: expected a text, got function" },
    ["returns too many headers"] = {
      "local h = {} for i = 1, 200 do h['x' .. i] = 'y' end "
        .. "return { headers = h }", "more than 100 headers" },
    ["smuggles a field into its answer"] = {
      "return { headers = { a = 'b\\r\\nc: d' } }",
      "a field that cannot be sent" },
    ["smuggles a name into its answer"] = {
      "return { headers = { ['a: b\\r\\nc'] = 'd' } }",
      "a field that cannot be sent" },
    ["has a zero byte in its answer"] = {
      "return { headers = { a = 'b\\0c' } }", "a byte of value zero" },
    ["smuggles a field"] = {
      "request.headers.a = 'b\\r\\nc: d'", "cannot be sent" },
    ["smuggles a field by a bare line feed"] = {
      "request.headers.a = 'b\\nc: d'", "cannot be sent" },
    ["smuggles a name"] = {
      "request.headers['a\\r\\nb'] = 'c'", "cannot be sent" },
    ["has a zero byte in a field"] = {
      "request.headers.a = 'b\\0'", "a byte of value zero" },
    ["sets a pseudo field"] = {
      "request.headers[':path'] = '/x'", "cannot be sent" },
    ["sets Host"] = { "request.headers.host = 'other'",
      'headers%["host"%]: .*that only the proxy sets' },
    ["sets Content-Length"] = { "request.headers['Content-Length'] = '5'",
      "that only the proxy sets" },
    ["sets Transfer-Encoding"] = {
      "request.headers['Transfer-Encoding'] = 'chunked'",
      "that only the proxy sets" },
    ["sets Connection"] = { "request.headers.connection = 'close'",
      "that only the proxy sets" },
    ["sets X-Forwarded-For"] = {
      "request.headers['X-Forwarded-For'] = '192.0.2.1'",
      "that only the proxy sets" },
    ["sets a field to a table"] = { "request.headers.a = {}",
      "a: expected a text, got table" },
    ["sets a field that is too long"] = {
      "request.headers.a = ('x'):rep(100000)", "too long" },
    ["sets too many fields"] = {
      "for i = 1, 1000 do request.headers['x' .. i] = 'y' end",
      "one field too many" },
    ["smuggles a request by the path"] = {
      "request.path = '/ HTTP/1.1\\r\\nHost: x'", "a path that cannot be sent" },
    ["sets a path with a query"] = { "request.path = '/a?b'",
      "set request.query" },
    ["sets a path without a slash"] = { "request.path = 'a'",
      "a path that cannot be sent; it begins with \"/\"" },
    ["sets a query with a blank"] = { "request.query = 'a b'",
      "query: one that cannot be sent; .*a blank is written %%20" },
    ["sets a fragment"] = { "request.query = 'a#b'",
      "query: one that cannot be sent" },
    ["sets no path"] = { "request.path = nil", "path: expected a text, got nil" },
    ["sets the method"] = { "request.method = 'POST'",
      "method cannot be set; path, query and fields of headers can" },
    ["sets headers at once"] = { "request.headers = {}",
      "headers cannot be set" },
    ["asks for a field that is none"] = { "return request.pth",
      'a request has no field "pth" %(but method, host, path' },
    ["runs for ever"] = { "while true do pcall(error) end", "it ran too long" },
  } do
    it("because it " .. what .. " is logged, and the visitor gets 500", function()
      local server = start(([[on_request = function(request)
        if request.path == "/good" then return end
        %s
      end]]):format(case[1]))
      echo()
      local entry = fails(server, case[2])
      assert.equal("app", entry.group)
      assert.equal(200, world:get("/good").status)
    end)
  end

  it("is logged with the id that the visitor is told", function()
    local server = start "on_request = function() error 'x' end"
    echo()
    local told = world:get("/"):body():match "request (%x+)"
    assert.equal(told, server:logged("hook_failed").request)
  end)

  it("is logged once a second for each of its errors, of which four", function()
    local server = start [[on_request = function(request)
      error(request.path, 0)
    end]]
    echo()
    for _, path in ipairs { "/a", "/a", "/b", "/a", "/c", "/d", "/e" } do
      assert.equal(500, world:get(path).status)
    end
    local told = {}
    for _, entry in ipairs(server.log) do
      told[#told + 1] = entry.event == "hook_failed"
        and entry.error:match "^/%l" or nil
    end
    assert.same({ "/a", "/b", "/c", "/d" }, told)
  end)

  it("has no way there in the log when it has none", function()
    local server = start "on_request = function() return 5 end"
    echo()
    assert.equal("on_request returned a number, expected a response or nil",
      fails(server, "a number").error)
  end)
end)
