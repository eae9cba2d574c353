-- What functions of a configuration do to the very server that called them:
-- whatever it is, nothing breaks and nothing stays behind.

local hook_scene = require "hook_scene"
local lua_server = require "lua_server"

local world

before_each(function()
  world = hook_scene.open()
end)

after_each(function()
  world:close()
end)

local actions = {
  ["closes the server"] = "server:close()",
  ["drains the server"] = "server:drain()",
  ["exchanges the routing"] = [[assert(server:set_routing { groups = {
    { name = "app", hosts = { "app.test" }, insecure = true,
      balance = function(tunnels) return tunnels[1] end } } })]],
  ["removes all groups"] = "assert(server:set_routing { groups = {} })",
  ["stops everything"] = "require 'reverst.core'.stop(0)",
  ["starts a task"] = "reverst.spawn(function() reverst.sleep(0.01) end)",
}

-- each does it once; ACT stands for that
local places = {
  ["A policy"] = [[balance = function(tunnels) ACT return tunnels[1] end]],
  ["A policy that has chosen already"] = [[balance = function(tunnels)
    local tunnel = tunnels[1]
    ACT
    return tunnel
  end]],
  ["What a policy left behind"] = [[balance = function(tunnels)
    setmetatable({}, { __gc = function() ACT end })
    collectgarbage()
    return tunnels[1]
  end]],
  ["What a task begins with"] = [[on_request = function()
    collectgarbage "stop"
    for _ = 1, 100 do setmetatable({}, { __gc = function() ACT end }) end
    collectgarbage("setpause", 0)
    collectgarbage("setstepmul", 1000)
    collectgarbage "restart"
  end]],
  ["A reason to reject"] = [[authenticate = function()
    return false, setmetatable({}, { __tostring = function()
      ACT
      return "no"
    end })
  end]],
  ["An error object"] = [[on_request = function()
    error(setmetatable({}, { __tostring = function()
      ACT
      return "wrong"
    end }))
  end]],
  ["authenticate"] = "authenticate = function() ACT return true end",
  ["on_request"] = "on_request = function() ACT end",
  ["on_request that waited"] = [[on_request = function()
    reverst.sleep(0.002)
    ACT
  end]],
  ["on_request that is over"] = [[on_request = function()
    local guard <close> = setmetatable({}, { __close = function() ACT end })
    reverst.sleep(0.002)
  end]],
  ["on_response"] = "on_response = function() ACT end",
  ["on_tunnel_up"] = "on_tunnel_up = function() ACT end",
  ["on_tunnel_down"] = "on_tunnel_down = function() ACT end",
}

local function ask()
  local ok, visitor = pcall(function() return world:visitor():ask() end)
  world:turns(30)
  if ok then
    world:close_object(visitor.wire)
  end
end

for place, code in pairs(places) do
  describe(place, function()
    for what, action in pairs(actions) do
      it(what, function()
        local server = lua_server.new(world, ([[
          local function act_once()
            if not done then
              done = true
              %s
            end
          end
          return { groups = { app = { hosts = { "app.test" },
            authenticate = auth.insecure(), %s } } }]]):format(action,
            (code:gsub("ACT", "act_once()"))))
        local client = world:client { group = "app",
          on_request = function(_, request) request:respond {} end }
        world:turns(30)
        ask()
        ask()
        world:close_engine(client)
        world:run("what was to be done", function()
          return server:is_closed() or server:call "return done"
        end)
      end)
    end
  end)
end
