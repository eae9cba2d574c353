-- What specs of hooks have in common: a world with a server that has them.

local assert = require "luassert"
local World = require "world"
local lua_server = require "lua_server"

local scene = {}

local world

--- For before_each: the world.
function scene.open()
  world = World.new()
  return world
end

--- A server whose group "app" has these fields.
function scene.start(fields, top)
  return lua_server.new(world, ([[
    return { %s groups = { app = { hosts = { "app.test" },
      authenticate = auth.insecure(), %s } } }]]):format(top or "", fields))
end

--- A client that answers with what it was asked: its method and path, then each
-- field in a line of its own, then the body.
function scene.echo(group)
  return world:connected_client {
    group = group or "app",
    on_request = function(_, request)
      local facts = request:facts()
      local lines = { facts.method .. " " .. facts.path }
      for _, field in ipairs(facts.headers) do
        lines[#lines + 1] = field[1] .. ": " .. field[2]
      end
      request:respond { body = table.concat(lines, "\n") .. "\n",
        headers = { { "x-origin", "1" }, { "x-twice", "a" },
          { "x-twice", "b" } } }
    end,
  }
end

function scene.await(server, what, code)
  return world:run(what, function()
    return server:call(code)
  end)
end

function scene.line_of(answer, name)
  return ("\n" .. answer:body()):match("\n" .. name:gsub("%-", "%%-") .. ": ([^\n]*)")
end

--- Asks once: the hook has failed, and the log says why
function scene.fails(server, pattern, hook, path)
  local answer = world:get(path or "/")
  assert.equal(500, answer.status)
  assert.is_nil(answer:body():find("config", 1, true))
  local entry = server:logged "hook_failed"
  assert.equal(hook or "on_request", entry["function"])
  assert.matches(pattern, entry.error)
  return entry
end

return scene
