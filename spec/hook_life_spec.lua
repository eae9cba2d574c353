-- Hooks when tunnels come and go, when a server drains, and when its routing is
-- exchanged.

local World = require "world"
local hook_scene = require "hook_scene"

local start, echo, await, line_of =
  hook_scene.start, hook_scene.echo, hook_scene.await, hook_scene.line_of

local world

before_each(function()
  world = hook_scene.open()
end)

after_each(function()
  world:close()
end)

describe("on_tunnel_up and on_tunnel_down", function()
  it("tell of each tunnel, also after they waited", function()
    local server = start [[
      on_tunnel_up = function(tunnel)
        up = (up or "") .. tunnel.name
      end,
      on_tunnel_down = function(tunnel, reason)
        reverst.sleep(0.01)
        down = (down or "") .. tunnel.name .. tunnel.labels.zone
          .. (tunnel.latency and "" or "?") .. ": " .. reason
      end]]
    local client = world:connected_client { group = "app", metadata = {
      ["Reverst-Name"] = "blue", ["Reverst-Label-zone"] = "eu" },
      on_request = function() end }
    assert.equal("blue", await(server, "on_tunnel_up", "return up"))
    world:close_engine(client)
    assert.equal("blueeu?: closed_by_peer",
      await(server, "on_tunnel_down", "return down"))
  end)

  it("are logged when they fail", function()
    local server = start [[
      on_tunnel_up = function() error "up" end,
      on_tunnel_down = function() error "down" end]]
    local client = echo()
    world:run("the entry", function() return server:logged "hook_failed" end)
    assert.equal("on_tunnel_up", server:logged "hook_failed"["function"])
    assert.equal(200, world:get("/").status)
    world:close_engine(client)
  end)

  it("come when the server is closed", function()
    local server = start [[on_tunnel_down = function(tunnel, reason)
      reverst.log = require "reverst.log"
      reverst.log.info("saw_down", { reason = reason })
    end]]
    echo()
    world:close_engine(server)
    assert.is_table(server:logged "saw_down")
  end)
end)

describe("a server that drains", function()
  it("lets hooks finish", function()
    local server = start [[
      on_request = function(request)
        waiting = true
        while not released do reverst.sleep(0.005) end
        request.headers["x-waited"] = "yes"
      end,
      on_response = function(_, response)
        reverst.sleep(0.01)
        response.headers["x-waited"] = "too"
      end]]
    echo()
    local visitor = world:visitor():ask()
    await(server, "the hook", "return waiting")
    server:drain()
    world:turns(20)
    server:call "released = true"
    local answer = visitor:read_answer()
    assert.equal("yes", line_of(answer, "x-waited"))
    assert.equal("too", answer:header "x-waited")
    world:close_object(visitor.wire)
    world:run("the server's end", function() return server:is_closed() end)
  end)

  it("ends those that do not", function()
    local server = start [[on_request = function(request)
      waiting = true
      reverst.sleep(1000)
    end]]
    echo()
    local visitor = world:visitor():ask()
    await(server, "the hook", "return waiting")
    server:drain()
    world:turns(5)
    world:close_engine(server)
    visitor:await_end()
  end)
end)

describe("a routing that is exchanged", function()
  it("leaves hooks that wait to the one before", function()
    local server = start [[on_request = function(request)
      waiting = true
      while not released do reverst.sleep(0.005) end
      request.headers["x-by"] = "first"
    end,
    balance = function(tunnels) kept = tunnels[1] return kept end]]
    echo()
    local visitor = world:visitor():ask()
    await(server, "the hook", "return waiting")
    local certificate = World.certificate()
    server:call([[
      local config = require "reverst.config"
      local settings = config.settings("spec", {
        tunnel = { certificate_path = (...), private_key_path = select(2, ...),
          server_name = "x" },
        groups = { app = { hosts = { "app.test" },
          authenticate = auth.insecure(),
          balance = function(tunnels)
            second = tunnels[1]
            return second
          end,
          on_request = function(request)
            request.headers["x-by"] = "second"
          end } } }, {})
      assert(reverst.set_routing(server, settings))]],
      certificate.certificate, certificate.private_key)
    assert.equal("second", line_of(world:get "/", "x-by"))
    server:call "released = true"
    assert.equal("first", line_of(visitor:read_answer(), "x-by"))
    assert.is_true(server:call "return second.active == 0 and kept == nil")
  end)

  it("changes nothing when it is refused", function()
    local server = start [[balance = function(tunnels)
      known = known or tunnels[1]
      return known
    end]]
    echo()
    assert.equal(200, world:get("/").status)
    assert.same({ nil, "REVERST_ERR_NO_GROUP_AUTHENTICATION", false },
      { server:call [[
        local ok, _, code = server:set_routing { groups = {
          { name = "app", hosts = { "app.test" } } } }
        return ok, code, (pcall(server.set_routing, server, { groups = {
          { name = "x", hosts = { "x.test" }, insecure = true,
            balance = "no" } } })) ]] })
    assert.equal(200, world:get("/").status)
  end)

  it("tells of tunnels whose group is gone", function()
    local server = start [[on_tunnel_down = function(tunnel, reason)
      down = tunnel.name .. reason
    end, balance = function(tunnels) kept = tunnels[1] return kept end]]
    world:client { group = "app", metadata = { ["Reverst-Name"] = "blue" },
      on_request = function(_, request) request:respond {} end }
    world:run("the tunnel", function() return server:stats().tunnels == 1 end)
    assert.equal(200, world:get("/").status)
    server:call [[assert(server:set_routing { groups = {} })]]
    assert.matches("^blue.*not found", await(server, "the news", "return down"))
    assert.equal("blue", server:call "return kept.name")
    assert.equal(404, world:get("/").status)
  end)
end)
