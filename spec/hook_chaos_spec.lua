-- Visitors and tunnels that come and go, hooks that wait, policies that fail and
-- routings that are exchanged, all at once: each request gets one of the answers
-- that it may get, and at the end there is nothing left.

local hook_scene = require "hook_scene"
local lua_server = require "lua_server"

local seed = tonumber(os.getenv "REVERST_SPEC_SEED") or 20261123
local STEPS, MOST_VISITORS, MOST_CLIENTS = 400, 30, 5

local code = [[
  local policies = { "round_robin", "least_conn", "random", "random_choose",
    "weighted_round_robin", "uri_hash" }

  local function sometimes_wait()
    local n = math.random(10)
    if n > 5 then reverst.sleep(math.random() / 100) end
    if n == 10 then error "chaos" end
  end

  kept = {}

  local function make_group()
    local choose = balance.of(policies[math.random(#policies)])
    return { hosts = { "app.test" }, authenticate = auth.insecure(),
      balance = function(tunnels, request)
        -- what is kept for long must do no harm
        kept[math.random(20)] = tunnels
        kept[20 + math.random(20)] = request
        kept[40 + math.random(20)] = tunnels[1]
        local n = math.random(20)
        if n == 1 then error "chaos" end
        if n == 2 then return kept[41] end
        return choose(tunnels, request)
      end,
      on_request = function(request)
        sometimes_wait()
        request.headers["x-hook"] = request.id
        if math.random(8) == 1 then
          return { status = 302, headers = { location = "/" } }
        end
      end,
      on_response = function(_, response)
        sometimes_wait()
        response.headers["x-hook"] = tostring(response.status)
      end,
      on_tunnel_up = sometimes_wait,
      on_tunnel_down = function(tunnel)
        sometimes_wait()
        assert(tunnel.peer ~= "" and tunnel.labels and tunnel.requests)
      end }
  end

  function exchange()
    local group = make_group()
    group.name, group.insecure, group.authenticate = "app", true, nil
    assert(server:set_routing { groups = { group }, route = sometimes_wait })
  end

  math.randomseed(SEED)
  return { groups = { app = make_group() }, route = sometimes_wait }
]]

local answers = { [200] = true, [302] = true, [404] = true, [500] = true,
  [502] = true, [503] = true }

describe("hooks and policies among visitors and tunnels that come and go", function()
  local world

  before_each(function()
    world = hook_scene.open()
    math.randomseed(seed)
  end)

  after_each(function()
    world:close()
  end)

  -- a tunnel that answers, or fails, or ends when it is asked
  local function new_client(number)
    return world:client { group = "app",
      metadata = { ["Reverst-Name"] = "t" .. number % 3 },
      on_request = function(_, request)
        if math.random(12) == 1 then
          request:abort()
        else
          request:respond { body = "fine" }
        end
      end }
  end

  it("leave nothing behind (seed " .. seed .. ")", function()
    local server = lua_server.new(world, (code:gsub("SEED", seed)))
    local clients, visitors, seen = {}, {}, 0

    local function look(visitor)
      if visitor:look() then
        assert.is_true(answers[visitor.answer.status], visitor.answer.status)
        seen = seen + 1
        world:close_object(visitor.wire)
        return true
      end
    end

    local function leave_those(list, leaves)
      for i = #list, 1, -1 do
        if leaves(list[i]) then
          table.remove(list, i)
        end
      end
    end

    local actions = {
      function()
        if #visitors < MOST_VISITORS then
          visitors[#visitors + 1] = world:visitor():ask {
            path = "/" .. math.random(9),
            method = math.random(2) == 1 and "GET" or "POST" }
        end
      end,
      function()
        if #visitors > 0 and math.random(2) == 1 then
          local visitor = table.remove(visitors, math.random(#visitors))
          world:close_object(visitor.wire)
        end
      end,
      function()
        if #clients < MOST_CLIENTS then
          clients[#clients + 1] = new_client(math.random(9))
        end
      end,
      function()
        if #clients > 1 and math.random(4) == 1 then
          table.remove(clients, math.random(#clients)):close()
        end
      end,
      function()
        if math.random(6) == 1 then
          server:call "exchange()"
        end
      end,
    }
    for _ = 1, STEPS do
      actions[math.random(#actions)]()
      actions[1]()
      world:turns(math.random(3))
      leave_those(visitors, look)
    end
    world:run("all answers", function()
      leave_those(visitors, look)
      return #visitors == 0
    end)
    assert.is_true(seen > STEPS / 4)
    assert.is_true(server:memory() < 2 * 1024 * 1024)
  end)
end)
