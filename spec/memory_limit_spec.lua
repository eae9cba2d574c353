-- Scripts whose memory ends at any point: what they decide fails closed, and
-- nothing breaks or stays behind.

local hook_scene = require "hook_scene"

local world

before_each(function()
  world = hook_scene.open()
end)

after_each(function()
  world:close()
end)

-- what asks the server in Lua would need memory, too
local function start(...)
  local server = hook_scene.start(...)
  local http, tunnel = server:http_address(), server:tunnel_address()
  function server.http_address()
    return http
  end
  function server.tunnel_address()
    return tunnel
  end
  return server
end

-- `try` with more and more bytes, until it has succeeded some times in a row;
-- how often it has not
local function starve(server, step, try)
  local failures, successes, bytes = 0, 0, 0
  while successes < 3 do
    server:call "collectgarbage()"
    server.c:give(bytes)
    local ok = try()
    server.c:give()
    failures = failures + (ok and 0 or 1)
    successes = ok and successes + 1 or 0
    bytes = bytes + step
  end
  return failures
end

local function answers(path, wanted)
  return function()
    local status = world:get(path).status
    if status ~= 503 then
      assert.equal(status == wanted and wanted or 500, status)
    end
    return status == wanted
  end
end

local hooks = [[
  on_request = function(request)
    request.headers["x-path"] = request.path
    if request.query then
      return { status = 201, body = 12.5,
        headers = { ["x-one"] = 5, ["x-two"] = { "1", 2 } } }
    end
  end,
  on_response = function(_, response)
    response.headers["x-response"] = "1"
  end,
  balance = function(tunnels, request)
    last = tunnels[1].name .. request.host
    return tunnels[1]
  end,
  on_tunnel_up = function(tunnel)
    up = tunnel.name .. tostring(tunnel.labels.zone)
  end,
  on_tunnel_down = function(tunnel, reason)
    down = tunnel.id .. reason
  end,
  authenticate = function(registration)
    return { name = "at " .. registration.peer, labels = { zone = "eu" } }
  end,
]]

describe("a state that is out of memory", function()
  it("fails requests with hooks and a policy", function()
    local server = start(hooks)
    hook_scene.echo()
    assert.is_true(starve(server, 16, answers("/", 200)) > 9)
  end)

  it("fails requests that a hook answers", function()
    local server = start(hooks)
    hook_scene.echo()
    assert.is_true(starve(server, 16, answers("/?answer", 201)) > 9)
  end)

  it("fails requests that are routed", function()
    local server = start(hooks, [[route = function(request)
      return request.path == "/" and "app" or { status = 404 }
    end,]])
    hook_scene.echo()
    assert.is_true(starve(server, 16, answers("/", 200)) > 9)
  end)

  it("fails them whatever table in it has to grow", function()
    local server = start(hooks)
    hook_scene.echo()
    -- each keeps two references, but the first of some, which keeps one
    for i = 0, 79 do
      server:call(i % 20 == 0
        and "kept = kept or {} kept[#kept + 1] = reverst.spawn(function() end)"
        or "reverst.spawn(function() reverst.sleep(1e6) end)")
      world:turns(2)
      starve(server, 100, answers("/", 200))
    end
  end)

  local function registers(server)
    return function()
      local client = world:client { group = "app",
        on_request = function() end }
      world:run("a registration", function()
        return client:is_connected() or client.disconnects[1]
      end)
      local connected = client:is_connected()
      client:close()
      world:run("the tunnel's end", function()
        return client:is_closed()
      end)
      world:turns(20)
      world:forget_closed()
      server.c:give()
      assert.equal(0, server:stats().tunnels)
      return connected
    end
  end

  -- Lua makes it outside of protected calls
  it("has the text of an error in error handling from the start", function()
    assert.is_true(start(hooks):call [[
      for _, value in pairs(debug.getregistry()) do
        if value == "error in error handling" then
          return true
        end
      end]])
  end)

  it("refuses tunnels, and forgets those that go", function()
    local server = start(hooks)
    assert.is_true(starve(server, 100, registers(server)) > 3)
  end)

  it("accepts no tunnel that would be rejected", function()
    local server = start [[authenticate = function(registration)
      last = last .. registration.peer
      return false, "it may not"
    end]]
    server:call "last = ''"
    local register = registers(server)
    for _ = 1, 3 do
      starve(server, 300, function()
        return not register()
      end)
    end
  end)
end)
