-- What every pair of a server and a client does for its visitors.  Each row has
-- a name and a function of the pair: server, program (the client's) and
-- application (the program with the handlers).  One that is alone wants a pair
-- that nobody has used, and leaves it unfit for others.

local assert = require "luassert"

local fixture = require "fixture"
local programs = require "programs"

local large = 10 * 1024 * 1024

local function assert_pong(server)
  local response = server:ask "/pong"
  assert.equal("PONG\n", response.body)
  assert.equal(200, response.status)
end

local function file_of(size)
  return fixture.write("upload-" .. size, fixture.bytes(size))
end

-- waits for what a running request has got so far
local function wait_for_body(request, text)
  programs.wait_until(function()
    return request:text("output"):find(text, 1, true)
  end, "the visitor to read " .. text)
end

local rows = {}

local function row(name, run, alone)
  rows[#rows + 1] = { name = name, run = run, alone = alone }
end

row("answers", function(pair)
  assert_pong(pair.server)
end)

row("downloads 10 MB", function(pair)
  local response = pair.server:ask("/bytes/" .. large)
  assert.equal(0, response.exit)
  assert.is_true(response.body == fixture.bytes(large))
end)

row("uploads 10 MB", function(pair)
  local path = file_of(large)
  local response = pair.server:ask("/sink", { "--upload-file", path })
  assert.equal(("%d %s\n"):format(large, fixture.sha256(path)), response.body)
end)

row("uploads 10 MB of unknown length", function(pair)
  local path = file_of(large)
  local response = pair.server:ask("/sink", { "--upload-file", path,
    "--header", "Transfer-Encoding: chunked" })
  assert.equal(("%d %s\n"):format(large, fixture.sha256(path)), response.body)
end)

row("echoes 10 MB", function(pair)
  local response = pair.server:ask("/echo",
    { "--upload-file", file_of(large), "--max-time", "30" })
  assert.equal(0, response.exit)
  assert.is_true(response.body == fixture.bytes(large))
end)

-- curl cannot read what it sends piece by piece
row("echoes an upload while it lasts", function(pair)
  local connection = programs.connect(pair.server.http)
  connection:write("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
    .. "Content-Length: 9\r\nConnection: close\r\n\r\n")
  for i = 1, 3 do
    connection:write(i .. ".\n")
    wait_for_body(connection, i .. ".\n")
  end
  connection:wait()
  programs.forget(connection)
end)

row("passes on server-sent events one by one", function(pair)
  local request = pair.server:start "/sse?gate=events&count=3"
  for i = 1, 3 do
    assert.equal("1\n", pair.server:ask("/release/events").body)
    wait_for_body(request, ("data: event %d\n\n"):format(i))
  end
  assert.same({ "exit", 0 }, { request:wait() })
end)

row("passes on trailers of a response", function(pair)
  local response = pair.server:ask "/trailers"
  assert.equal("body before trailers\n", response.body)
  assert.equal("0123abcd", response.trailers["x-checksum"])
  assert.equal("not announced", response.trailers["x-late"])
end)

row("passes on early hints", function(pair)
  local response = pair.server:ask "/hints?count=2"
  local statuses = {}
  for _, head in ipairs(response.heads) do
    table.insert(statuses, head.status)
  end
  assert.same({ 103, 103, 200 }, statuses)
  assert.equal("</style.css>; rel=preload; as=style",
    response.heads[1].fields.link)
  assert.equal("PONG\n", response.body)
end)

row("answers before an upload is complete", function(pair)
  local response = pair.server:ask("/early", { "--upload-file", file_of(large) })
  assert.equal(413, response.status)
  assert.equal("too large\n", response.body)
  assert_pong(pair.server)
end)

row("has no body for HEAD, 204 and 304", function(pair)
  assert.equal(200, pair.server:ask("/bytes/100", { "--head" }).status)
  assert.equal("", pair.server:ask("/status/204").body)
  assert.equal(304, pair.server:ask("/status/304").status)
end)

row("passes on path, fields and method as they are", function(pair)
  local body = pair.server:ask("/headers/a%2fb/../c//d;e?x=1&y=%20+",
    { "--request", "OPTIONS", "--header", "X-Kept: some value", "--header",
      "X-Empty;" }).body
  assert.matches('"method":"OPTIONS"', body, 1, true)
  assert.matches([["path":"/headers/a%2fb/../c//d;e?x=1\u0026y=%20+"]], body, 1,
    true)
  assert.matches('"X-Kept":["some value"]', body, 1, true)
  assert.matches('"X-Empty":[""]', body, 1, true)
  assert.matches('"host":"localhost"', body, 1, true)
end)

row("tells the application when a visitor leaves", function(pair)
  local request = pair.server:start "/stuck?who=leaves"
  pair.application:wait_for_event { event = "stuck",
    path = "/stuck?who=leaves" }
  request:signal "KILL"
  request:wait()
  pair.application:wait_for_event { event = "cancelled",
    path = "/stuck?who=leaves" }
  assert_pong(pair.server)
end)

row("serves 50 visitors at once", function(pair)
  local response = pair.server:ask("/bytes/20000?[1-50]",
    { "--parallel", "--parallel-immediate", "--parallel-max", "50" })
  assert.equal(0, response.exit)
  assert.equal(50 * 20000, #response.body)
end)

-- the visitor must not take it for a whole answer
local function assert_failed(response)
  assert.is_true(response.status == 502 or response.exit ~= 0,
    ("status %s, exit %s"):format(response.status, response.exit))
end

-- what an application may do wrong, and what its visitor sees; nil: an error
local misconduct = {
  { "/panic" },
  { "/panic?bytes=1000" },
  { "/reset?bytes=5000&ms=100" },
  { "/short" },
  { "/overlong", function(response)
    -- over HTTP/1.1 what follows belongs to no answer
    if response.status ~= 200 or response.body ~= ("o"):rep(10) then
      assert_failed(response)
    end
  end },
  { "/longname?bytes=300" },
  { "/longvalue?bytes=81920" },
  { "/hop", function(response)
    assert.equal(200, response.status)
    assert.equal("PONG\n", response.body)
    assert.equal("kept", response.fields["x-kept"])
    assert.is_nil(response.fields["x-named"])
    assert.is_nil(response.fields["keep-alive"])
    assert.is_nil(response.fields["proxy-connection"])
    assert.is_nil(response.fields["upgrade"])
  end },
}

row("shows a visitor that the application misbehaves", function(pair)
  for _, case in ipairs(misconduct) do
    local ok, message = pcall(function()
      local judge = case[2] or assert_failed
      judge(pair.server:ask(case[1]))
      pair.server:wait_until_it_serves()
    end)
    assert(ok, case[1] .. ": " .. tostring(message))
  end
end)

row("keeps the tunnel when the application misbehaves", function(pair)
  local ups, downs = pair.server:ups(), pair.server:downs()
  for _, case in ipairs(misconduct) do
    pair.server:ask(case[1])
    pair.server:wait_until_it_serves()
  end
  assert.same({ ups, downs }, { pair.server:ups(), pair.server:downs() })
end)

local small = 10 * 1024

-- ten visitors whose uploads nobody reads
local function start_stuck_uploads(pair, one_after_another)
  local path = file_of(2 * 1024 * 1024)
  local before = #pair.application:events { event = "stuck" }
  local requests = {}
  for i = 1, 10 do
    requests[i] = pair.server:start("/stuck", { "--upload-file", path })
    if one_after_another then
      pair.application:wait_for_events({ event = "stuck" }, before + i)
    end
  end
  pair.application:wait_for_events({ event = "stuck" }, before + 10)
  return requests
end

for _, order in ipairs { "at once", "one after another" } do
  row("serves others beside ten stuck uploads, begun " .. order, function(pair)
    local stuck = start_stuck_uploads(pair, order ~= "at once")
    local path = file_of(small)
    local line = ("%d %s\n"):format(small, fixture.sha256(path))
    local response = pair.server:ask("/sink?[1-100]", { "--parallel",
      "--upload-file", path })
    assert.equal(line:rep(100), response.body)
    assert_pong(pair.server)
    for _, request in ipairs(stuck) do
      assert.is_true(request:is_running())
    end
  end, true)
end

return rows
