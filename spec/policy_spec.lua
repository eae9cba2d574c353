-- Policies in Lua, called by a server for real requests.

local World = require "world"
local lua_server = require "lua_server"

local world

before_each(function()
  world = World.new()
end)

after_each(function()
  world:close()
end)

-- A server with one group, which balances so; what the code of `before` defines
-- can be used there.
local function start(balance, before, more)
  return lua_server.new(world, ([[
    %s
    return { groups = { app = { hosts = { "app.test" },
      authenticate = auth.insecure(), balance = %s, %s } } }
  ]]):format(before or "", balance, more or ""))
end

-- A client that answers with its name; `fields` are added to its metadata.
local function client(name, fields, group)
  local metadata = { ["Reverst-Name"] = name }
  for key, value in pairs(fields or {}) do
    metadata[key] = value
  end
  return world:connected_client {
    group = group or "app", metadata = metadata,
    on_request = function(_, request)
      request:respond { body = name }
    end,
  }
end

local function await(server, what, code)
  return world:run(what, function()
    return server:call(code)
  end)
end

-- asks once: the policy has failed, and the log says why
local function fails(server, pattern)
  assert.equal(503, world:get("/").status)
  local entry = server:logged "policy_failed"
  assert.equal("app", entry.group)
  assert.matches(pattern, entry.error)
  return entry.error
end

describe("a policy", function()
  it("chooses", function()
    start [[function(tunnels, request)
      for _, tunnel in ipairs(tunnels) do
        if "/" .. tunnel.name == request.path then
          return tunnel
        end
      end
    end]]
    client "a"
    client "b"
    client "c"
    for _, name in ipairs { "b", "c", "a", "b" } do
      assert.equal(name, world:get("/" .. name):body())
    end
    assert.equal(503, world:get("/d").status)
  end)

  it("sees all of a tunnel", function()
    local server = start [[function(tunnels, request)
      seen = tunnels[1]
      active, requests, latency = seen.active, seen.requests, seen.latency
      return seen
    end]]
    client("blue", { ["Reverst-Weight"] = "7", ["Reverst-Label-zone"] = "eu",
      ["Reverst-Label-tier"] = "1", version = "9" })
    local before = os.time()
    assert.equal("blue", world:get("/"):body())
    assert.same({ "blue", 7, "eu", "1", nil, "9", 0, 0 }, { server:call [[
      return seen.name, seen.weight, seen.labels.zone, seen.labels.tier,
        seen.labels.none, seen.metadata.version, active, requests]] })
    assert.is_nil(server:call "return latency")
    assert.matches("^127%.0%.0%.1:%d+$", server:call "return seen.peer")
    assert.is_true(server:call "return math.type(seen.id) == 'integer'")
    assert.is_true(math.abs(server:call "return seen.registered_at" - before)
      < 100)
    world:get "/"
    assert.is_true(server:call "return latency > 0 and latency < 100")
    assert.equal(1, server:call "return requests")
    assert.matches('^tunnel %d+ "blue" of 127%.0%.0%.1:%d+$',
      server:call "return tostring(seen)")
  end)

  it("sees the request", function()
    local server = start [[function(tunnels, request)
      held = { request.method, request.host, request.path, request.query,
        request.scheme, request.peer, request.group, request.id,
        request.headers["x-One"], request.headers["X-ONE"],
        request.headers.none, request.cookies.a, request.cookies.b,
        request.cookies.c }
      names = {}
      for name, value in pairs(request.headers) do
        names[#names + 1] = name .. "=" .. value
      end
      return tunnels[1]
    end]]
    client "a"
    world:get("/p%20q?r=s?t", { method = "PATCH", host = "APP.test:99",
      body = "b", headers = { { "X-One", "1" }, { "x-one", "2" },
        { "Cookie", 'a=1; b="2"; a=3' }, { "cookie", " c = x=y ;bad; =q" } } })
    assert.same({ "PATCH", "app.test", "/p%20q", "r=s?t", "http" },
      { server:call "return table.unpack(held, 1, 5)" })
    assert.matches("^127%.0%.0%.1:%d+$", server:call "return held[6]")
    assert.equal("app", server:call "return held[7]")
    assert.matches("^[%w-]+$", server:call "return held[8]")
    assert.same({ "1", "1", nil, "1", "2", "x=y" },
      { server:call "return table.unpack(held, 9, 14)" })
    local names = server:call "return table.concat(names, '\\n')"
    assert.matches("x%-one=1\n.*x%-one=2", names)
  end)

  for what, code in pairs {
    ["two names"] = "function(tunnels, request) return take(tunnels, request) end",
    ["dots"] = "function(...) return take(...) end",
    ["a name and dots"] = "function(tunnels, ...) return take(tunnels, ...) end",
    ["a callable table"] =
      "setmetatable({}, { __call = function(_, ...) return take(...) end })",
    ["a method"] = "setmetatable({}, { __call = function(_, tunnels, request) "
      .. "return take(tunnels, request) end })",
  } do
    it("gets the request by " .. what, function()
      start(code, [[function take(tunnels, request)
        return tunnels[tonumber(request.query)]
      end]])
      client "a"
      client "b"
      assert.equal("b", world:get("/?2"):body())
      assert.equal("a", world:get("/?1"):body())
    end)
  end

  it("may be a name", function()
    start '"first"'
    client "a"
    client "b"
    assert.equal("a", world:get("/"):body())
    assert.equal("a", world:get("/"):body())
  end)

  it("balances by requests under way", function()
    start "balance.least_conn()"
    local held = {}
    for _, name in ipairs { "a", "b" } do
      world:connected_client { group = "app",
        on_request = function(_, request)
          held[#held + 1] = { name = name, request = request }
        end }
    end
    local visitors = {}
    for i = 1, 6 do
      visitors[i] = world:visitor():ask()
      world:run("the request", function() return #held == i end)
    end
    local counts = { a = 0, b = 0 }
    for _, one in ipairs(held) do
      counts[one.name] = counts[one.name] + 1
      one.request:respond {}
    end
    assert.same({ a = 3, b = 3 }, counts)
    for _, visitor in ipairs(visitors) do
      visitor:read_answer()
    end
  end)

  it("gets those that were not tried yet for another try", function()
    local server = start([[function(tunnels, request)
      tries = (tries or "") .. #tunnels
      return tunnels[1]
    end]], nil, "retries = 2")
    local bad = world:connected_client { group = "app",
      on_request = function(self)
        self:close()
      end }
    client "good"
    assert.equal("good", world:get("/"):body())
    assert.equal("21", server:call "return tries")
    world:run("its end", function() return bad:is_closed() end)
  end)

  it("sees the same tunnels as the same values", function()
    local server = start [[function(tunnels)
      known = known or {}
      for _, tunnel in ipairs(tunnels) do
        known[tunnel] = (known[tunnel] or 0) + 1
      end
      return tunnels[1]
    end]]
    client "a"
    world:get "/"
    client "b"
    world:get "/"
    world:get "/"
    assert.equal("a3 b2", server:call [[
      local list = {}
      for tunnel, count in pairs(known) do
        list[#list + 1] = tunnel.name .. count
      end
      table.sort(list)
      return table.concat(list, " ")]])
  end)
end)

describe("the tunnels that a policy gets", function()
  it("are a sequence in the order in which they came", function()
    local server = start [[function(tunnels)
      local by_ipairs, by_pairs, by_index, unpacked = {}, {}, {}, {}
      for i, tunnel in ipairs(tunnels) do by_ipairs[i] = tunnel.name end
      for i, tunnel in pairs(tunnels) do by_pairs[i] = tunnel.name end
      for i = 1, #tunnels do by_index[i] = tunnels[i].name end
      for i, tunnel in ipairs { table.unpack(tunnels) } do
        unpacked[i] = tunnel.name
      end
      seen = table.concat(by_ipairs) .. table.concat(by_pairs)
        .. table.concat(by_index) .. table.concat(unpacked)
      beyond = tunnels[#tunnels + 1]
      return tunnels[1]
    end]]
    for _, name in ipairs { "c", "a", "b" } do
      client(name)
    end
    world:get "/"
    assert.equal(("cab"):rep(4), server:call "return seen")
    assert.is_nil(server:call "return beyond")
  end)

  it("cannot be changed, but copied", function()
    local server = start [[function(tunnels, request)
      if request.path == "/sort" then
        table.sort(tunnels, function(a, b) return a.name < b.name end)
      elseif request.path == "/remove" then
        table.remove(tunnels)
      elseif request.path == "/add" then
        tunnels[#tunnels + 1] = tunnels[1]
      end
      local copy = { table.unpack(tunnels) }
      table.sort(copy, function(a, b) return a.name < b.name end)
      return copy[1]
    end]]
    client "b"
    client "a"
    for _, path in ipairs { "/sort", "/remove", "/add" } do
      assert.equal(503, world:get(path).status)
      assert.equal("a", world:get("/"):body())
    end
    assert.matches("the tunnels cannot be changed",
      server:logged "policy_failed".error)
  end)

  it("cannot be changed themselves", function()
    fails((function()
      local server = start "function(tunnels) tunnels[1].weight = 2 end"
      client "a"
      return server
    end)(), "weight: a tunnel cannot be changed")
  end)
end)

describe("a policy that goes wrong", function()
  it("fails the request, and the log has the way there", function()
    local server = start([[function(tunnels)
      return inner(tunnels)
    end]], [[
    function inner() error "boom" end]])
    client "a"
    local text = fails(server, "^config.lua:1: boom\n")
    assert.matches("stack traceback:", text)
    assert.matches("in .*inner", text)
  end)

  it("is not told to the visitor", function()
    start "function() error 'internal detail' end"
    client "a"
    local answer = world:get "/"
    assert.equal(503, answer.status)
    assert.is_nil(answer:body():find("internal", 1, true))
  end)

  it("is logged once a second", function()
    local server = start "function() end"
    client "a"
    for _ = 1, 20 do
      assert.equal(503, world:get("/").status)
    end
    local count = 0
    for _, entry in ipairs(server.log) do
      count = count + (entry.event == "policy_failed" and 1 or 0)
    end
    assert.is_true(count >= 1 and count < 10)
  end)

  for what, case in pairs {
    ["returns nothing"] = { "function() end", "it returned nil %(is \"return\" missing" },
    ["returns a number"] = { "function() return 1 end",
      "something else than a tunnel" },
    ["returns the sequence"] = { "function(tunnels) return tunnels end",
      "something else than a tunnel" },
    ["returns the request"] = { "function(_, request) return request end",
      "something else than a tunnel" },
    ["returns a name"] = { "function(tunnels) return tunnels[1].name end",
      "something else than a tunnel" },
    ["asks for a field that is none"] = {
      "function(tunnels) return tunnels[1].activ end",
      'a tunnel has no field "activ" %(but id, name,' },
    ["waits"] = { "function(tunnels) reverst.sleep(0) return tunnels[1] end",
      "sleep waits, and cannot do so here" },
    ["yields"] = {
      "function(tunnels) coroutine.yield() return tunnels[1] end",
      "attempt to yield" },
    ["loops for ever"] = { "function() while true do end end",
      "it ran too long without an end" },
    ["loops for ever in pcall"] = {
      "function() while true do pcall(error) end end", "it ran too long" },
    ["needs too much memory"] = {
      "function() return ('x'):rep(1e9) end", "not enough memory" },
    ["changes the request"] = {
      "function(_, request) request.path = '/other' end",
      "path cannot be changed any more" },
    ["changes the request's headers"] = {
      "function(_, request) request.headers.x = 'y' end",
      "headers cannot be changed any more" },
    ["raises nothing"] = { "function() error() end",
      "the error object is a nil value" },
  } do
    it("because it " .. what .. " fails that request alone", function()
      local server = start(([[(function()
        local bad = %s
        return function(tunnels, request)
          if request.path == "/good" then
            return tunnels[1]
          end
          return bad(tunnels, request)
        end
      end)()]]):format(case[1]))
      client "a"
      fails(server, case[2])
      assert.equal("a", world:get("/good"):body())
    end)
  end

  it("because it returns a tunnel of another group fails", function()
    local server = lua_server.new(world, [[
      local function choose() return other end
      local function remember(tunnel) other = tunnel end
      return { groups = {
        app = { hosts = { "app.test" }, authenticate = auth.insecure(),
          balance = choose },
        other = { hosts = { "other.test" }, authenticate = auth.insecure(),
          on_tunnel_up = remember },
      } }]])
    client "a"
    client("b", nil, "other")
    await(server, "the other tunnel", "return other ~= nil")
    fails(server, "not among those it was given")
  end)

  it("may fall back on another, if that is asked for", function()
    local server = start [[balance.fallback(function() error "boom" end,
      "round_robin")]]
    client "a"
    client "b"
    local seen = world:get("/"):body() .. world:get("/"):body()
    assert.is_true(seen == "ab" or seen == "ba")
    assert.matches("boom", server:logged "policy_fell_back".error)
  end)
end)

describe("a tunnel that has gone", function()
  it("keeps what was known, and cannot be chosen", function()
    local server = start [[function(tunnels)
      kept = kept or tunnels[1]
      labels = kept.labels
      return kept
    end]]
    local first = client("a", { ["Reverst-Label-zone"] = "eu" })
    assert.equal("a", world:get("/"):body())
    world:close_engine(first)
    client "b"
    world:run("the end of the first", function()
      return server:stats().tunnels == 1
    end)
    fails(server, "not among those it was given")
    assert.same({ "a", "eu", 1, 0 }, { server:call [[
      return kept.name, kept.labels.zone, kept.requests, kept.active]] })
    assert.is_true(server:call "return labels.zone == 'eu'")
    assert.matches('^tunnel %d+ "a" of ', server:call "return tostring(kept)")
  end)
end)

describe("a request that is over", function()
  it("can be used no more", function()
    local server = start [[function(tunnels, request)
      kept, headers, cookies = request, request.headers, request.cookies
      return tunnels[1]
    end]]
    client "a"
    world:get("/", { headers = { { "Cookie", "a=1" } } })
    assert.same({ false, false, false, false, "1" }, { server:call [[
      return (pcall(function() return kept.path end)),
        (pcall(function() return headers.host end)),
        (pcall(function() for _ in pairs(headers) do end end)),
        (pcall(kept.add_response_header, kept, "a", "b")), cookies.a]] })
    local _, message = server:call [[
      return pcall(function() return kept.path end)]]
    assert.matches("path: closed: the request is over", message)
  end)
end)

describe("a sticky cookie", function()
  it("brings visitors back, also after their tunnel was away", function()
    start 'balance.cookie "tunnel"'
    local clients = {}
    for _, name in ipairs { "a", "b", "c" } do
      clients[name] = client(name)
    end
    local first = world:get "/"
    local name = first:body()
    local cookie = World.value(first.headers, "set-cookie")
    assert.matches("^tunnel=[%w_-]+; Path=/; HttpOnly; SameSite=Lax$", cookie)
    local back = { headers = { { "Cookie", "x=y; " .. cookie:match "^[^;]+" } } }
    for _ = 1, 5 do
      local again = world:get("/", back)
      assert.equal(name, again:body())
      assert.is_nil(World.value(again.headers, "set-cookie"))
    end
    world:close_engine(clients[name])
    local meanwhile = world:get("/", back)
    assert.are_not.equal(name, meanwhile:body())
    assert.is_string(World.value(meanwhile.headers, "set-cookie"))
    client(name)
    assert.equal(name, world:get("/", back):body())
  end)

  it("has the same key in a server with the same secret", function()
    local cookie
    for _ = 1, 2 do
      local server = start 'balance.cookie "tunnel"'
      local clients = { client "a", client "b", client "c" }
      local answer = world:get("/", cookie and
        { headers = { { "Cookie", cookie } } })
      local given = World.value(answer.headers, "set-cookie")
      assert.equal(cookie == nil, given ~= nil)
      cookie = given and given:match "^[^;]+"
      for _, one in ipairs(clients) do
        world:close_engine(one)
      end
      world:close_engine(server)
    end
  end)
end)

describe("a million calls of a policy", function()
  local rounds = 4

  -- a visit that waits in a hook, so that its policy can be called meanwhile
  local function hold(balance)
    local server = start(balance, nil, [[on_request = function(request)
      if request.path ~= "/held" then
        return
      end
      held = request
      while not released do
        reverst.sleep(0.01)
      end
    end]])
    for _, name in ipairs { "a", "b", "c" } do
      client(name)
    end
    local cookie = World.value(world:get("/").headers, "set-cookie")
    local visitor = world:visitor():ask { path = "/held",
      headers = { { "Cookie", cookie and cookie:match "^[^;]+" or "a=b" } } }
    await(server, "the visit", "return held ~= nil")
    return server, visitor
  end

  local function finish(server, visitor)
    server:call "released = true"
    assert.equal(200, visitor:read_answer().status)
  end

  for name, case in pairs {
    ["of one's own"] = { 1000000, [[function(tunnels, request)
      return tunnels[1]
    end]] },
    ["by the path"] = { 200000, "balance.uri_hash()" },
    ["by a cookie"] = { 50000, 'balance.cookie("c", { fallback = "first" })' },
    ["by connections"] = { 200000, "balance.least_conn()" },
  } do
    it(name .. " leaves nothing behind", function()
      local server, visitor = hold(case[2])
      server:choose(1000, true)
      local before = server:memory()
      for _ = 1, rounds do
        server:choose(case[1] // rounds, true)
      end
      assert.is_true(server:memory() <= before + 4096)
      finish(server, visitor)
    end)
  end

  it("about changing tunnels leaves nothing behind", function()
    local server, visitor = hold "balance.weighted_round_robin()"
    server:choose(1000)
    local before = server:memory()
    server:choose(50000)
    assert.is_true(server:memory() <= before + 4096)
    finish(server, visitor)
  end)
end)
