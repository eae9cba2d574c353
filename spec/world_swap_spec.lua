-- SPDX-License-Identifier: MIT
-- Groups that are exchanged while the server runs.
local World = require "world"

describe("a server whose groups are exchanged", function()
  local world, server, held, events

  before_each(function()
    world, held, events = World.new(), {}, {}
  end)
  after_each(function() world:close() end)

  -- A group whose owner notes what he hears under his own name.
  local function group(name, options, owner)
    local made = { name = name, hosts = { name .. ".test" }, insecure = true }
    for key, value in pairs(options or {}) do made[key] = value end
    made.on_tunnel_up = function(_, tunnel)
      events[#events + 1] = ("%s up %d"):format(owner or "first", tunnel.id)
    end
    made.on_tunnel_down = function(_, tunnel, reason)
      events[#events + 1] =
        ("%s down %d %s"):format(owner or "first", tunnel.id, reason)
    end
    return made
  end

  local function serve(...)
    server = world:server()
    assert(server:set_routing { ... })
  end

  local function join(name, options)
    options = options or {}
    options.group = options.group or "app"
    options.on_request = options.on_request or function(_, request)
      if request:path():find "^/hold" then
        held[#held + 1] = request
      else
        request:respond { body = name }
      end
    end
    return world:connected_client(options)
  end

  local function hold(path, host)
    local visitor = world:visitor():ask { path = path, host = host }
    local count = #held
    world:run("the request", function() return #held > count end)
    return visitor
  end

  it("keeps the tunnels of a group of the same name", function()
    serve(group "app", group "other")
    local client = join "a"
    assert(server:set_routing {
      group("app", nil, "second"), group("other", nil, "second"),
    })
    assert.equal("a", world:get("/"):body())
    assert.equal(1, server:stats().registrations_accepted)
    world:close_engine(client)
    world:run("its end", function() return #events == 2 end)
    assert.same({ "first up 1", "second down 1 closed_by_peer" }, events)
  end)

  it("moves hosts at once", function()
    serve(group("app", { hosts = { "a.test", "*.test" } }))
    join "a"
    local kept = world:visitor()
    kept:ask { host = "a.test" }
    assert.equal("a", kept:read_answer():body())
    assert(server:set_routing { group("app", { hosts = { "b.test" } }) })
    kept:ask { host = "a.test" }
    assert.equal(404, kept:read_answer().status)
    kept:ask { host = "x.test" }
    assert.equal(404, kept:read_answer().status)
    kept:ask { host = "b.test" }
    assert.equal("a", kept:read_answer():body())
  end)

  it("may give a host to another group", function()
    serve(group("red", { hosts = { "app.test" } }),
      group("blue", { hosts = { "*" } }))
    join("red", { group = "red" })
    join("blue", { group = "blue" })
    assert.equal("red", world:get("/"):body())
    assert(server:set_routing {
      group("blue", { hosts = { "app.test" } }),
      group("red", { hosts = { "*" } }),
    })
    assert.equal("blue", world:get("/"):body())
    assert.equal("red", world:get("/", { host = "none.test" }):body())
  end)

  it("keeps the turn of the round robin", function()
    serve(group "app")
    for _, name in ipairs { "a", "b", "c" } do join(name) end
    local names = ""
    for _ = 1, 6 do
      names = names .. world:get("/"):body()
      assert(server:set_routing { group("app", nil, "next") })
    end
    assert.equal("abcabc", names)
  end)

  it("keeps those that wait for a stream", function()
    serve(group "app")
    join("a", { max_streams = 1 })
    local first = hold "/hold"
    local second = world:visitor():ask { path = "/" }
    world:run("the second", function()
      return server:stats().exchanges == 2
    end)
    assert(server:set_routing { group("app", { queue_timeout = 1 }) })
    held[1]:respond { body = "first" }
    assert.equal("first", first:read_answer():body())
    assert.equal("a", second:read_answer():body())
  end)

  it("changes nothing when one of the new groups is wrong", function()
    serve(group "app", group("other", { hosts = { "*" } }))
    join "a"
    local waiting = hold "/hold"
    for fault, bad in pairs {
      REVERST_ERR_INVALID = group("bad", { hosts = { "*foo" } }),
      REVERST_ERR_EXISTS = group("bad", { hosts = { "APP.test" } }),
      REVERST_ERR_NO_GROUP_AUTHENTICATION =
        group("bad", { hosts = { "bad.test" }, insecure = false }),
    } do
      local done, error = server:set_routing {
        group("app", { hosts = { "app.test", "new.test" } }, "second"), bad,
      }
      assert.is_nil(done)
      assert.equal(fault, error)
      assert.equal("bad", server:logged("group_not_added").group)
    end
    assert.equal("a", world:get("/"):body())
    assert.equal(503, world:get("/", { host = "new.test" }).status)
    held[1]:respond { body = "held" }
    assert.equal("held", waiting:read_answer():body())
    assert.equal(1, server:stats().tunnels)
    assert.same({ "first up 1" }, events)
  end)

  it("names both groups that claim one host", function()
    serve(group "app")
    server:set_routing {
      group("red", { hosts = { "*.test" } }),
      group("blue", { hosts = { "*.TEST" } }),
    }
    local entry = server:logged "group_not_added"
    assert.same({ "blue", "red", "*.TEST" },
      { entry.group, entry.other_group, entry.value })
  end)

  it("closes the tunnels of a group that goes", function()
    serve(group "app", group "other")
    local client = join("a", {
      on_disconnected = function(it) it:close() end,
    })
    assert(server:set_routing { group "other" })
    assert.same({ "first up 1", "first down 1 not found" }, events)
    local disconnect = world:run("the disconnection", function()
      return client.disconnects[1]
    end)
    assert.same({ "not found", 2 }, { disconnect.reason, disconnect.code })
    assert.equal(404, world:get("/").status)
    world:run("no tunnel", function() return server:stats().tunnels == 0 end)
    world:turns(3)
    assert.equal(2, #events)
    world:run("its end", function() return client:is_closed() end)
  end)

  it("refuses those who would join a group that has gone", function()
    serve(group "app", group "other")
    assert(server:set_routing { group "other" })
    local client = world:client { group = "app", on_request = print }
    assert.equal("not found", world:disconnect_of(client).reason)
  end)

  it("lets requests finish through a group that goes", function()
    serve(group "app")
    local client = join "a"
    local waiting = { hold "/hold1", hold "/hold2" }
    assert(server:set_routing {})
    world:turns(5)
    assert.equal(1, server:stats().tunnels)
    assert.equal(404, world:get("/").status)
    held[1]:start {}
    held[1]:write "half"
    waiting[1]:await_body(4)
    held[2]:respond { body = "two" }
    assert.equal("two", waiting[2]:read_answer():body())
    held[1]:write " and half"
    held[1]:finish()
    assert.equal("half and half", waiting[1]:read_answer():body())
    world:run("the end", function() return server:stats().tunnels == 0 end)
    -- it was told to dial anew, and where it did the group had gone already
    assert.equal("not found", client.disconnects[1].reason)
    assert.is_true(client.disconnects[1].refused)
    assert.is_false(client:is_connected())
  end)

  it("fails what waits in a group that goes", function()
    serve(group "app")
    join("a", { max_streams = 1, on_disconnected = function(it) it:close() end })
    local first = hold "/hold"
    local waiting = {}
    for i = 1, 3 do waiting[i] = world:visitor():ask { path = "/" } end
    world:run("all", function() return server:stats().exchanges == 4 end)
    assert(server:set_routing {})
    for i = 1, 3 do assert.equal(404, waiting[i]:read_answer().status) end
    held[1]:respond { body = "first" }
    assert.equal("first", first:read_answer():body())
  end)

  it("breaks off what a group that goes does not finish in time", function()
    serve(group "app", group "other")
    server:set_drain_timeout(0.3)
    local stays, goes = join("a", { group = "other" }), join "b"
    local kept = hold("/hold", "other.test")
    local endless = hold("/hold", "app.test")
    held[2]:start {}
    held[2]:write "event"
    endless:await_body(5)
    local before = World.now()
    assert(server:set_routing { group("other", nil, "second") })
    endless:await_close()
    assert.is_true(World.now() - before > 0.25)
    local entry = server:logged "drain_timeout"
    assert.same({ "app", 1 }, { entry.group, entry.exchanges })
    world:run("the tunnel's end", function() return server:stats().tunnels == 1 end)
    assert.equal("not found", world:disconnect_of(goes).reason)
    assert.is_true(stays:is_connected())
    held[1]:respond { body = "finished" }
    assert.equal("finished", kept:read_answer():body())
  end)

  it("tries nothing again in a group that has gone", function()
    serve(group "app")
    local client = join "a"
    join("b", { on_disconnected = function(it) it:close() end })
    local waiting = hold "/hold"
    assert(server:set_routing {})
    client:close()
    assert.equal(502, waiting:read_answer().status)
    assert.equal(0, server:stats().retries)
  end)

  it("may have a group of that name again while the old one ends", function()
    serve(group "app")
    join "a"
    local waiting = hold "/hold"
    assert(server:set_routing {})
    assert(server:set_routing { group("app", nil, "second") })
    assert.equal(503, world:get("/").status)
    world:run("the client's return", function() return events[3] end)
    assert.equal(2, server:stats().tunnels)
    assert.equal("a", world:get("/"):body())
    held[1]:respond { body = "held" }
    assert.equal("held", waiting:read_answer():body())
    world:run("the end of the old one", function()
      return server:stats().tunnels == 1
    end)
    assert.same({ "first up 1", "first down 1 not found", "second up 2" },
      events)
  end)

  it("lets a registration join the group that there is at its decision",
    function()
      local registration
      local function authenticated(options, owner)
        options.insecure = false
        options.authenticate = function(_, it)
          assert(owner == "first", "the second owner was asked")
          registration = it
        end
        return group("app", options, owner)
      end
      serve(authenticated({}, "first"))
      local client = world:client { group = "app", on_request = print }
      world:run("the registration", function() return registration end)
      assert(server:set_routing { authenticated({}, "second") })
      registration:accept()
      world:run("the tunnel", function() return client:is_connected() end)
      assert.same({ "second up 1" }, events)
      assert.equal(1, #server:tunnels "app")
    end)

  it("refuses a registration whose group has gone at its decision", function()
    local registration
    serve(group("app", { insecure = false,
      authenticate = function(_, it) registration = it end }))
    local client = world:client { group = "app", on_request = print }
    world:run("the registration", function() return registration end)
    assert(server:set_routing {})
    registration:accept()
    assert.equal("not found", world:disconnect_of(client).reason)
    assert.same({}, events)
  end)

  it("may be exchanged when a tunnel comes, and when it goes", function()
    serve(group "app")
    local first = group("app", nil, "second")
    first.on_tunnel_up = function() assert(server:set_routing {}) end
    local down = 0
    first.on_tunnel_down = function()
      down = down + 1
      assert(server:set_routing { group("app", nil, "third") })
    end
    assert(server:set_routing { first })
    local client = world:client {
      group = "app", on_request = function(_, it) it:respond { body = "a" } end,
    }
    world:run("the last tunnel", function()
      return events[1] and client:is_connected()
    end, 60)
    assert.equal(1, down)
    assert.same({ "third up 2" }, events)
    assert.equal("a", world:get("/"):body())
  end)

  it("may be exchanged by a policy, also for none", function()
    local choices = 0
    serve(group("app", { choose = function(_, visit, tunnels)
      choices = choices + 1
      assert(server:set_routing {})
      visit:pick(tunnels[1])
    end }))
    join("a", { on_disconnected = function(it) it:close() end })
    assert.equal("a", world:get("/"):body())
    assert.equal(404, world:get("/").status)
    assert.equal(1, choices)
    world:run("the end", function() return server:stats().tunnels == 0 end)
  end)

  it("asks no policy again that took itself away", function()
    local asked = 0
    serve(group("app", { choose = function(_, visit, tunnels)
      asked = asked + 1
      if asked == 3 then
        assert(server:set_routing { group "app" })
      end
      visit:pick(tunnels[1])
    end }))
    local relay = world:relay()
    join("a", { address = relay:address() })
    join "b"
    assert.equal("a", world:get("/"):body())
    relay:silence(true)
    world:visitor():ask { path = "/", method = "POST" }
    local begin = World.now()
    world:run("suspicion", function() return World.now() - begin > 1.5 end)
    -- the silent one is chosen once more: that is not good enough by now
    assert.equal("b", world:get("/"):body())
    assert.equal(3, asked)
    relay:silence(false)
  end)

  it("may be exchanged by a policy while others wait", function()
    local exchanges = 0
    serve(group "app")
    join("a", { max_streams = 1, on_disconnected = function(it) it:close() end })
    local first = hold "/hold"
    local waiting = {}
    for i = 1, 3 do waiting[i] = world:visitor():ask { path = "/hold" } end
    world:run("all", function() return server:stats().exchanges == 4 end)
    assert(server:set_routing { group("app", {
      choose = function(_, visit, tunnels)
        exchanges = exchanges + 1
        assert(server:set_routing {})
        visit:pick(tunnels[1])
      end }) })
    held[1]:respond { body = "first" }
    assert.equal("first", first:read_answer():body())
    world:run("the second", function() return held[2] end)
    held[2]:respond { body = "second" }
    assert.equal("second", waiting[1]:read_answer():body())
    for i = 2, 3 do assert.equal(404, waiting[i]:read_answer().status) end
    assert.equal(1, exchanges)
  end)

  it("fails no request in 1 000 exchanges", function()
    serve(group "app", group "other")
    for _, name in ipairs { "a", "b", "c" } do
      join(name, { on_request = function(_, request)
        request:respond { body = "PONG\n" }
      end })
    end
    local load = world:start_load {
      connections = 20, requests = 10000, body = "PONG\n",
    }
    for i = 1, 1000 do
      assert(server:set_routing {
        group("app", { hosts = { "app.test", i .. ".test" } }, "next"),
        i % 2 == 0 and group "other" or group "another",
      })
      world.c:turn(0.001)
    end
    world:run("the load", function() return load:is_done() end, 120)
    assert.same({ right = 10000, wrong = 0, broken = 0, active = 0 },
      load:counts())
    assert.equal(0, server:stats().failures)
    assert.equal(0, server:stats().retries)
    assert.equal(3, server:stats().registrations_accepted)
    assert.same({ "first up 1", "first up 2", "first up 3" }, events)
  end)

  it("ends while it goes through with the exchange", function()
    serve(group "app")
    join("a", { on_disconnected = function(it) it:close() end })
    hold "/hold"
    assert(server:set_routing {})
    server:close()
    assert.same({ nil, "REVERST_ERR_CLOSED" },
      { server:set_routing { group "app" } })
    world:run("the server's end", function() return server:is_closed() end)
    assert.same({ "first up 1", "first down 1 not found" }, events)
  end)
end)
