-- SPDX-License-Identifier: MIT
-- A group's own policy: what it is shown, and what becomes of its answers.
local World = require "world"

describe("a policy", function()
  local world, server, held, group, shown

  -- A client that answers with its name, or holds requests to "/hold".
  local function join(name, options)
    options = options or {}
    options.group = "app"
    options.metadata = { ["Reverst-Name"] = name }
    options.on_request = options.on_request or function(_, request)
      if request:path():match("^/hold") then
        table.insert(held, { name = name, request = request })
      else
        request:respond { body = name }
      end
    end
    return world:connected_client(options)
  end

  local function names(tunnels)
    local list = {}
    for i, tunnel in ipairs(tunnels) do list[i] = tunnel.name end
    return table.concat(list)
  end

  local function await_held(count)
    world:run("held requests", function() return #held >= count end)
    return held[count]
  end

  -- Picks the tunnel that `decide` returns; notes what was shown.
  local function serve(decide, options)
    group = { hosts = { "app.test" }, insecure = true }
    for key, value in pairs(options or {}) do group[key] = value end
    group.choose = function(_, visit, tunnels, generation)
      shown[#shown + 1] = { names = names(tunnels), generation = generation,
        tunnels = tunnels, facts = visit:facts() }
      local tunnel = decide(tunnels, visit, #shown)
      if tunnel then visit:pick(tunnel) end
    end
    server = world:server { groups = { app = group } }
  end

  local function named(tunnels, name)
    for _, tunnel in ipairs(tunnels) do
      if tunnel.name == name then return tunnel end
    end
  end

  before_each(function()
    world, held, shown = World.new(), {}, {}
  end)
  after_each(function() world:close() end)

  it("decides which tunnel gets a request", function()
    serve(function(tunnels, visit)
      return named(tunnels, visit:header "x-tunnel")
    end)
    for _, name in ipairs { "a", "b", "c" } do join(name) end
    for _, name in ipairs { "b", "b", "a", "c", "b" } do
      local answer = world:get("/x?y", { headers = { { "X-Tunnel", name } } })
      assert.equal(name, answer:body())
    end
    local facts = shown[1].facts
    assert.same({ "GET", "http", "app.test", "/x?y", "app" },
      { facts.method, facts.scheme, facts.host, facts.path, facts.group })
    assert.matches("^127%.0%.0%.1:%d+$", facts.peer)
    assert.matches("^%x+$", facts.id)
  end)

  it("sees the tunnels as they came up, under one number while they stay",
    function()
      serve(function(tunnels) return tunnels[#tunnels] end)
      join "a"
      join "b"
      for _ = 1, 3 do world:get "/" end
      local c = join "c"
      for _ = 1, 3 do world:get "/" end
      world:close_engine(c)
      world:run("two tunnels", function() return server:stats().tunnels == 2 end)
      world:get "/"
      local seen, numbers = {}, {}
      for i, choice in ipairs(shown) do
        seen[i], numbers[i] = choice.names, choice.generation
      end
      assert.same({ "ab", "ab", "ab", "abc", "abc", "abc", "ab" }, seen)
      assert.equal(numbers[1], numbers[3])
      assert.equal(numbers[4], numbers[6])
      assert.is_true(numbers[1] > 0 and numbers[3] < numbers[4] and
        numbers[6] < numbers[7])
    end)

  it("sees the order in which they came up also after the built-in one", function()
    server = world:server { groups = { app = { "app.test" } } }
    for _, name in ipairs { "a", "b", "c" } do join(name) end
    for _ = 1, 4 do world:get "/" end
    local order
    assert.is_true(server:set_routing { {
      name = "app", hosts = { "app.test" }, insecure = true,
      choose = function(_, visit, tunnels)
        order = names(tunnels)
        visit:pick(tunnels[1])
      end,
    } })
    assert.equal("a", world:get("/"):body())
    assert.equal("abc", order)
  end)

  it("learns what the tunnels do", function()
    serve(function(tunnels) return tunnels[1] end)
    join "a"
    world:visitor():ask { path = "/hold" }
    await_held(1)
    world:get "/"
    world:get "/"
    local before, after = shown[1].tunnels[1], shown[3].tunnels[1]
    assert.same({ 0, 0, 0, true },
      { before.active, before.requests, before.latency, before.eligible })
    assert.same({ 1, 2 }, { after.active, after.requests })
    assert.is_true(after.latency > 0 and after.latency < 10e9)
    held[1].request:respond {}
  end)

  it("that names none fails the request, with one entry for many", function()
    serve(function() end)
    join "a"
    for _ = 1, 3 do
      local answer = world:get "/"
      assert.equal(503, answer.status)
      assert.matches("not available", answer:body())
    end
    assert.equal(3, server:stats().failures)
    local entries = 0
    for _, entry in ipairs(server.log) do
      if entry.event == "no_choice" then
        entries = entries + 1
        assert.same({ "app", "none" }, { entry.group, entry.answer })
      end
    end
    assert.equal(1, entries)
  end)

  it("cannot name a tunnel that it is not shown", function()
    local gone
    serve(function(tunnels) return gone or tunnels[1] end)
    local a = join "a"
    join "b"
    world:get "/"
    gone = shown[1].tunnels[1]
    world:close_engine(a)
    world:run("one tunnel", function() return server:stats().tunnels == 1 end)
    assert.equal(503, world:get("/").status)
    assert.equal("not one of those offered", server:logged("no_choice").answer)
    gone = nil
    assert.equal("b", world:get("/"):body())
  end)

  it("is not asked where there is no tunnel", function()
    serve(function(tunnels) return tunnels[1] end)
    assert.equal(503, world:get("/").status)
    assert.equal(0, #shown)
  end)

  it("is asked again for a retry, without those that were tried", function()
    serve(function(tunnels, visit)
      visit:add_response_header("set-cookie", "tunnel=" .. tunnels[1].name)
      return tunnels[1]
    end)
    local a = join "a"
    join "b"
    join "c"
    local visitor = world:visitor():ask { path = "/hold" }
    await_held(1)
    world:close_engine(a)
    assert.equal("b", await_held(2).name)
    held[2].request:respond { headers = { { "Set-Cookie", "own=1" } } }
    local answer = visitor:read_answer()
    assert.same({ "own=1", "tunnel=b" }, World.values(answer.headers, "set-cookie"))
    assert.same({ "abc", "bc" }, { shown[1].names, shown[2].names })
    assert.is_true(shown[1].generation > 0)
    assert.equal(0, shown[2].generation)
    assert.equal(1, server:stats().retries)
  end)

  it("that names none for a retry fails the request", function()
    serve(function(tunnels, _, count) return count == 1 and tunnels[1] end)
    local a = join "a"
    join "b"
    local visitor = world:visitor():ask { path = "/hold" }
    await_held(1)
    world:close_engine(a)
    assert.equal(503, visitor:read_answer().status)
  end)

  it("is not shown a tunnel without a free stream, and is asked when one is free",
    function()
      serve(function(tunnels) return tunnels[1] end)
      join("a", { max_streams = 1 })
      join("b", { max_streams = 1 })
      local visitors = {}
      for i = 1, 3 do
        visitors[i] = world:visitor():ask { path = "/hold" }
        if i < 3 then await_held(i) end
      end
      world:turns(20)
      assert.equal(2, #shown)
      assert.same({ "ab", "b" }, { shown[1].names, shown[2].names })
      held[2].request:respond { body = "b" }
      await_held(3)
      assert.equal("b", shown[3].names)
      held[1].request:respond {}
      held[3].request:respond {}
      for i = 1, 3 do visitors[i]:read_answer() end
      world:run("both again", function()
        world:get "/"
        return shown[#shown].names == "ab"
      end)
    end)

  it("gets a retry past a tunnel that ended just before", function()
    serve(function(tunnels) return tunnels[1] end)
    local a = join "a"
    join "b"
    world:get "/"
    a:close()
    local answer = world:get "/"
    assert.equal(200, answer.status)
  end)

  it("may take its own group away", function()
    serve(function(tunnels)
      server:set_routing {}
      return tunnels[1]
    end)
    join "a"
    assert.equal("a", world:get("/"):body())
    assert.equal(404, world:get("/").status)
    world:run("no tunnel", function() return server:stats().tunnels == 0 end)
  end)

  it("that was taken away is not asked any more", function()
    serve(function(tunnels) return tunnels[1] end)
    join "a"
    join "b"
    world:get "/"
    server:set_routing { {
      name = "app", hosts = { "app.test" }, insecure = true } }
    assert.not_equal(world:get("/"):body(), world:get("/"):body())
    assert.equal(1, #shown)
  end)
end)
