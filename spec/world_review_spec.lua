-- SPDX-License-Identifier: MIT
-- Tunnels that are asked about once more.
local World = require "world"

-- "user:pass"
local BASIC = "dXNlcjpwYXNz"

local function pong(_, request)
  request:respond { body = "PONG\n" }
end

describe("a group whose tunnels are asked about once more", function()
  local world, server, asked, decide, downs

  before_each(function()
    world, asked, downs = World.new(), {}, {}
    decide = function(registration) registration:accept() end
  end)
  after_each(function() world:close() end)

  local function group(options)
    local made = {
      name = "app", hosts = { "app.test" },
      authenticate = function(_, registration)
        local facts = registration:facts()
        if facts.repeated then
          asked[#asked + 1] = { facts = facts, at = World.now(),
            registration = registration }
          decide(registration, facts)
        else
          registration:accept()
        end
      end,
      on_tunnel_down = function(_, _, reason) downs[#downs + 1] = reason end,
    }
    for key, value in pairs(options or {}) do made[key] = value end
    return made
  end

  local function serve(options, server_options)
    server = world:server(server_options)
    assert(server:set_routing { group(options) })
  end

  local function join(options)
    options = options or {}
    options.group, options.on_request = "app", options.on_request or pong
    return world:connected_client(options)
  end

  local function await_questions(count)
    world:run(count .. " questions", function() return #asked >= count end)
  end

  it("shows the registration as it was, but for that it is repeated",
    function()
      serve()
      join {
        username = "user", password = "pass",
        metadata = { colour = "blue", ["Reverst-Name"] = "rack" },
      }
      assert(server:reauthenticate("app", 0))
      await_questions(1)
      local facts = asked[1].facts
      assert.is_true(facts.repeated)
      assert.same({ "app", "tunnel.test", "basic", BASIC },
        { facts.group, facts.server_name, facts.scheme, facts.credentials })
      assert.equal("blue", facts.metadata.colour)
      assert.equal("rack", facts.metadata["Reverst-Name"])
      assert.equal("Basic " .. BASIC, facts.metadata.Authorization)
      assert.equal(server:tunnels()[1].peer, facts.peer)
      assert.equal("PONG\n", world:get("/"):body())
      assert.equal(1, server:stats().registrations_accepted)
    end)

  it("shows one without credentials, too", function()
    serve()
    join()
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    assert.is_nil(asked[1].facts.scheme)
  end)

  it("closes a tunnel that is rejected, and no other", function()
    serve()
    decide = function(registration, facts)
      if facts.metadata.who == "bad" then
        registration:reject "it was revoked"
      else
        registration:accept()
      end
    end
    local bad = join { metadata = { who = "bad" },
      on_disconnected = function(it) it:close() end }
    join { metadata = { who = "good" } }
    assert(server:reauthenticate("app", 0))
    local disconnect = world:run("the disconnection", function()
      return bad.disconnects[1]
    end)
    assert.same({ "unauthorized", 2 }, { disconnect.reason, disconnect.code })
    world:run("the end", function() return downs[1] end)
    assert.same({ "unauthorized" }, downs)
    assert.equal("it was revoked", server:logged("tunnel_rejected").detail)
    assert.equal(1, server:stats().tunnels)
    assert.equal("PONG\n", world:get("/"):body())
    world:run("its end", function() return bad:is_closed() end)
  end)

  it("keeps a tunnel that nobody can tell about, and asks again", function()
    serve()
    decide = function(registration)
      if #asked == 1 then
        registration:fail "the service is down"
      else
        registration:reject "no"
      end
    end
    local client = join { on_disconnected = function(it) it:close() end }
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    assert.equal("the service is down",
      server:logged("reauthentication_failed").detail)
    assert.equal("PONG\n", world:get("/"):body())
    world:run("the end", function() return client:is_closed() end)
    assert.equal(2, #asked)
    assert.is_true(asked[2].at - asked[1].at > 0.95)
  end)

  it("asks again where no answer came in time", function()
    serve(nil, { registration_timeout = 0.2 })
    decide = function() end
    join()
    assert(server:reauthenticate("app", 0))
    await_questions(2)
    assert.is_true(asked[2].at - asked[1].at > 1.1)
    assert.equal("no answer in time",
      server:logged("reauthentication_failed").detail)
    asked[1].registration:reject "too late"
    world:turns(3)
    assert.equal("PONG\n", world:get("/"):body())
    asked[2].registration:accept()
    world:turns(3)
    assert.equal(1, server:stats().tunnels)
  end)

  it("takes an answer that comes later", function()
    serve()
    decide = function() end
    local client = join { on_disconnected = function(it) it:close() end }
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    assert.equal("PONG\n", world:get("/"):body())
    asked[1].registration:reject()
    world:run("the end", function() return client:is_closed() end)
  end)

  it("takes an answer about a tunnel that has gone", function()
    serve()
    decide = function() end
    local client = join()
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    world:close_engine(client)
    world:run("the end", function() return server:stats().tunnels == 0 end)
    asked[1].registration:accept { weight = 3 }
  end)

  it("may change what a tunnel is", function()
    serve()
    join { metadata = { ["Reverst-Weight"] = "5", ["Reverst-Label-a"] = "1" } }
    decide = function(registration)
      registration:accept { name = "renamed", weight = 9, labels = { b = "2" } }
    end
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    local tunnel = server:tunnels()[1]
    assert.same({ "renamed", 9, { a = "1", b = "2" } },
      { tunnel.name, tunnel.weight, tunnel.labels })
    assert.equal("5", tunnel.metadata["Reverst-Weight"])
    decide = function(registration) registration:accept() end
    assert(server:reauthenticate("app", 0))
    await_questions(2)
    tunnel = server:tunnels()[1]
    assert.same({ "", 5, { a = "1" } },
      { tunnel.name, tunnel.weight, tunnel.labels })
  end)

  it("shows a policy another set when it has changed, and else the same",
    function()
      local generations, weights = {}, {}
      serve { choose = function(_, visit, tunnels, generation)
        generations[#generations + 1] = generation
        weights[#weights + 1] = tunnels[1].weight
        visit:pick(tunnels[1])
      end }
      join()
      for i, weight in ipairs { 1, 7, 7 } do
        world:get("/")
        decide = function(registration)
          registration:accept { weight = weight }
        end
        assert(server:reauthenticate("app", 0))
        await_questions(i)
      end
      world:get("/")
      assert.same({ 1, 1, 7, 7 }, weights)
      assert.equal(generations[1], generations[2])
      assert.not_equal(generations[2], generations[3])
      assert.equal(generations[3], generations[4])
    end)

  it("spreads the questions evenly", function()
    serve()
    for _ = 1, 6 do join() end
    assert(server:reauthenticate("app", 0.7))
    await_questions(6)
    assert.is_true(asked[6].at - asked[1].at > 0.45)
    for i = 2, 6 do
      assert.is_true(asked[i].at - asked[i - 1].at > 0.05)
    end
    world:turns(5)
    assert.equal(6, #asked)
  end)

  it("begins anew when it is asked to once more", function()
    serve()
    decide = function() end
    local client = join { on_disconnected = function(it) it:close() end }
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    assert(server:reauthenticate("app", 0))
    await_questions(2)
    asked[1].registration:reject "by what held before"
    world:turns(3)
    assert.equal(1, server:stats().tunnels)
    asked[2].registration:reject()
    world:run("the end", function() return client:is_closed() end)
  end)

  it("asks about who comes on a decision on what was asked before", function()
    local pending
    local function deciding_later(options)
      local made = group(options)
      local authenticate = made.authenticate
      made.authenticate = function(it, registration)
        if registration:facts().repeated then
          authenticate(it, registration)
        else
          pending = registration
        end
      end
      return made
    end
    local function newcomer()
      pending = nil
      local client = world:client { group = "app", username = "user",
        password = "pass", on_request = pong }
      world:run("the registration", function() return pending end)
      return client
    end
    decide = function(registration) registration:reject("not any more") end
    server = world:server()
    assert(server:set_routing { deciding_later() })
    -- the rules change meanwhile
    local client = newcomer()
    assert(server:reauthenticate("app", 0))
    pending:accept()
    world:run("the end", function() return downs[1] end)
    assert.same({ "unauthorized" }, downs)
    assert.equal(1, #asked)
    world:close_engine(client)
    -- or another group has its name
    client = newcomer()
    assert(server:set_routing {})
    assert(server:set_routing { deciding_later() })
    pending:accept()
    world:run("the end", function() return downs[2] end)
    assert.equal(2, #asked)
    world:close_engine(client)
    -- or nothing changes: then once is enough
    newcomer()
    pending:accept()
    world:run("the tunnel", function() return server:stats().tunnels == 1 end)
    world:turns(20)
    assert.equal(2, #asked)
  end)

  it("has nothing to ask where credentials are forgotten", function()
    serve { forget_credentials = true }
    join { username = "user", password = "pass" }
    assert(server:reauthenticate("app", 0))
    world:turns(5)
    assert.equal(0, #asked)
    -- and not when they are kept from now on, either
    assert(server:set_routing { group() })
    assert(server:reauthenticate("app", 0))
    world:turns(5)
    assert.equal(0, #asked)
  end)

  it("forgets credentials when it is told to", function()
    serve()
    join()
    assert(server:set_routing { group { forget_credentials = true } })
    assert(server:set_routing { group() })
    assert(server:reauthenticate("app", 0))
    world:turns(5)
    assert.equal(0, #asked)
  end)

  it("asks about those who came when everyone might", function()
    serve { insecure = true, authenticate = false }
    join { username = "user", password = "pass" }
    assert(server:reauthenticate("app", 0))
    world:turns(5)
    assert.equal(0, #asked)
    assert(server:set_routing { group() })
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    assert.equal(BASIC, asked[1].facts.credentials)
  end)

  it("is not there: that is an error", function()
    serve()
    assert.same({ nil, "REVERST_ERR_INVALID" },
      { server:reauthenticate("none", 0) })
  end)

  it("may go while it is asked", function()
    serve()
    decide = function()
      assert(server:set_routing {})
    end
    for _ = 1, 3 do
      join { on_disconnected = function(it) it:close() end }
    end
    assert(server:reauthenticate("app", 0))
    await_questions(1)
    world:run("the end", function() return server:stats().tunnels == 0 end)
    world:turns(3)
    assert.equal(1, #asked)
    asked[1].registration:accept()
    assert.same({ "not found", "not found", "not found" }, downs)
  end)

  it("may close the server while it is asked", function()
    serve()
    decide = function() server:close() end
    for _ = 1, 3 do join() end
    assert(server:reauthenticate("app", 0))
    world:run("the server's end", function() return server:is_closed() end)
    assert.equal(3, #downs)
    for _, entry in ipairs(asked) do entry.registration:reject() end
  end)

  it("is asked about many at once", function()
    serve()
    local count = 200
    for _ = 1, count do
      assert(world:client { group = "app", on_request = pong })
    end
    world:run("all tunnels", function()
      return server:stats().tunnels == count
    end)
    local before = World.now()
    assert(server:reauthenticate("app", 0))
    await_questions(count)
    assert.is_true(World.now() - before < 5)
    assert.equal("PONG\n", world:get("/"):body())
    assert.equal(count, server:stats().tunnels)
  end)
end)
