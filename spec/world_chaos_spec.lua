-- SPDX-License-Identifier: MIT
-- Everything at once, in an order that a seed decides.
--
-- REVERST_SPEC_SEED=N: that order; REVERST_SPEC_FULL=1: a hundred orders.
local World = require "world"
local handlers = require "handlers"

local STEPS = 300
local MAX_CLIENTS = 5

-- ---- those who answer ----

local answers = {
  at_once = function(request) request:respond { body = "PONG\n" } end,
  never = function() end,
  abort = function(request) request:abort() end,
  large = function(request)
    request:start {}
    handlers.produce(request, 300000)
  end,
  endless = function(request)
    request:start {}
    handlers.produce(request, math.maxinteger)
  end,
  half = function(request)
    request:start { headers = { { "Content-Length", "100" } } }
    request:write("half")
    request:abort()
  end,
  echo_length = function(request)
    handlers.consume(request, function(length)
      request:respond { body = tostring(length) }
    end)
  end,
  early = function(request) request:respond { status = 403, body = "no" } end,
}
local answer_names = {}
for name in pairs(answers) do
  table.insert(answer_names, name)
end
table.sort(answer_names)

local function one_of(list)
  return list[math.random(#list)]
end

-- ---- those who decide ----

local decisions = {
  function(visit) visit:continue() end,
  function(visit) visit:continue() end,
  function(visit) visit:continue() end,
  function(visit) visit:fail() end,
  function(visit)
    if not visit:respond { status = 302, body = "elsewhere" } then
      visit:continue() -- it is too late for that
    end
  end,
}

-- What an application may do within any of its callbacks.
local acts = {}

local function act(chaos)
  if not chaos.is_over and math.random(25) == 1 then
    acts[one_of { "reroute", "ask_again", "finish" }](chaos)
  end
end

-- Some of it is too late, or wrong where it is done: that is an answer, too.
local function change(visit)
  visit:add_response_header("x-seen", "yes")
  visit:set_header("x-hop", one_of { "1", "a\nb", ("x"):rep(20000) })
  visit:set_header("accept", nil)
  visit:set_path("/" .. one_of(answer_names))
  visit:set_status(one_of { 99, 200, 204, 304, 418, 599 })
  visit:set_response_header("content-length", "1")
  visit:set_response_header("set-cookie", ("x"):rep(math.random(9000)))
end

-- Hooks of one owner of a group, or of the routing.
local function add_hooks(chaos, options, names)
  local function hook(_, visit)
    if math.random(3) == 1 then
      change(visit)
    end
    act(chaos)
    if math.random(3) == 1 then
      table.insert(chaos.visits, visit)
    else
      one_of(decisions)(visit)
    end
  end
  for _, name in ipairs(names) do
    options[name] = math.random(2) == 1 and hook or nil
  end
  options.on_cancelled = function(_, visit)
    act(chaos)
    for i, other in ipairs(chaos.visits) do
      if other == visit then
        table.remove(chaos.visits, i)
        return
      end
    end
    error "a visit is cancelled that nobody waits for"
  end
end

local function new_policy(chaos)
  return function(_, visit, tunnels)
    local i = math.random(#tunnels + (math.random(10) == 1 and 1 or 0))
    visit:add_response_header("set-cookie", "tunnel=" .. i)
    if math.random(25) == 1 then
      one_of { acts.reroute, acts.ask_again }(chaos)
    end
    if tunnels[i] then
      visit:pick(tunnels[i])
    end
  end
end

-- The list of groups, each time with other hooks.
local function new_groups(chaos)
  local groups = {
    {
      name = "app", hosts = { "app.test" }, insecure = true,
      queue_timeout = 0.5, response_timeout = one_of { 0.05, 2 },
      max_fails = one_of { 1, 3 }, fail_duration = 0.2,
    },
    {
      name = "guarded", hosts = { "guarded.test" },
      forget_credentials = math.random(5) == 1,
      authenticate = function(_, registration)
        act(chaos)
        local mood = math.random(5)
        if mood == 1 then
          registration:accept { weight = math.random(3) }
        elseif mood == 2 then
          registration:reject("no")
        elseif mood == 3 then
          registration:fail("who knows")
        else
          table.insert(chaos.registrations, registration)
        end
      end,
    },
  }
  for _, group in ipairs(groups) do
    add_hooks(chaos, group, { "on_request", "on_response" })
    group.choose = math.random(2) == 1 and new_policy(chaos) or nil
    group.on_tunnel_up = function() act(chaos) end
    group.on_tunnel_down = function() act(chaos) end
  end
  return groups
end

function acts.reroute(chaos)
  local routing = new_groups(chaos)
  if math.random(3) == 1 then
    table.remove(routing, math.random(#routing))
  end
  add_hooks(chaos, routing, { "on_route" })
  chaos.server:set_routing(routing)
end

function acts.ask_again(chaos)
  chaos.server:reauthenticate(one_of { "app", "guarded" },
    one_of { 0, 0.05, 5 })
end

function acts.finish(chaos)
  if chaos.may_end and math.random(10) == 1 then
    one_of { chaos.server.drain, chaos.server.close }(chaos.server)
    chaos.must_replace = true
  end
end

local function by_name(groups)
  local result = {}
  for _, group in ipairs(groups) do
    result[group.name] = group
  end
  return result
end

-- ---- those who do ----

local function new_chaos(world)
  local chaos = {
    world = world, clients = {}, visitors = {}, relays = {}, registrations = {},
    visits = {}, may_end = true,
  }
  chaos.server = world:server {
    drain_timeout = 0.1,
    groups = by_name(new_groups(chaos)),
  }
  chaos.tunnel_address = chaos.server:tunnel_address()
  chaos.origin = world:origin(function(wire)
    local mood = math.random(6)
    if mood == 1 then
      wire:reset()
    elseif mood == 2 then
      wire:send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      wire:close()
    elseif mood == 3 then
      wire:send("garbage\r\n\r\n")
    elseif mood > 3 then
      wire:send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nPONG\n")
    end
  end)
  return chaos
end

local steps = {}

function steps.join(chaos)
  if #chaos.clients >= MAX_CLIENTS then
    return
  end
  local options = {
    group = one_of { "app", "app", "guarded" },
    max_streams = one_of { 1, 2, 10, 100 },
    max_idle_timeout = 2,
  }
  local client
  if math.random(4) == 1 then
    local relay = chaos.world:relay()
    table.insert(chaos.relays, relay)
    options.address = relay:address()
  end
  if math.random(3) == 1 then
    options.origin = chaos.origin.address
  else
    options.on_request = function(_, request)
      if request:path() == "/close_the_client" then
        return client:is_closed() or client:close()
      end
      local answer = answers[request:path():sub(2)] or answers.at_once
      answer(request)
    end
  end
  client = assert(chaos.world:client(options))
  table.insert(chaos.clients, client)
end

function steps.leave(chaos)
  if #chaos.clients > 0 and math.random(3) == 1 then
    local client = table.remove(chaos.clients, math.random(#chaos.clients))
    if not client:is_closed() then
      client:close()
    end
  end
end

function steps.decide(chaos)
  local registration = table.remove(chaos.registrations, 1)
  if registration then
    registration[one_of { "accept", "reject", "fail" }](registration)
  end
end

function steps.decide_visit(chaos)
  if #chaos.visits > 0 then
    one_of(decisions)(table.remove(chaos.visits, math.random(#chaos.visits)))
  end
end

function steps.reroute(chaos)
  if math.random(10) == 1 then
    acts.reroute(chaos)
  end
end

function steps.ask_about_tunnels(chaos)
  if math.random(5) == 1 then
    -- an error where that group is not there just now
    chaos.server:reauthenticate("guarded", one_of { 0, 0.05 })
  end
end

function steps.move(chaos)
  if math.random(20) == 1 then
    assert(chaos.server:set_http_address(
      one_of { "127.0.0.1:0", "127.0.0.2:0" }))
  end
end

function steps.disturb(chaos)
  if #chaos.relays > 0 then
    local relay = one_of(chaos.relays)
    local way = math.random(4)
    if way == 1 then
      relay:rebind()
    elseif way == 2 then
      relay:inject(("x"):rep(math.random(1300)))
    else
      relay:silence(way == 3)
    end
  end
end

function steps.ask(chaos)
  local visitor = chaos.world:visitor {
    receive_buffer = one_of { 0, 0, 4096 },
  }
  visitor.wire:rate(one_of { 0, 100, 10000, 65536, 65536, 65536 })
  local request = {
    path = "/" .. (math.random(100) == 1 and "close_the_client"
      or one_of(answer_names)),
    host = one_of { "app.test", "app.test", "guarded.test", "no.test" },
    method = one_of { "GET", "GET", "HEAD", "POST", "PUT", "DELETE" },
  }
  local size = one_of { 0, 10, 70000, 400000 }
  if request.method == "POST" or request.method == "PUT" then
    if math.random(2) == 1 then
      request.body = ("x"):rep(size)
    else
      request.chunks = { ("x"):rep(size + 1), "y" }
    end
  end
  visitor:ask(request)
  table.insert(chaos.visitors, visitor)
end

function steps.ask_again(chaos)
  local visitor = #chaos.visitors > 0 and one_of(chaos.visitors)
  if visitor and visitor:look() and not visitor.wire:ended() then
    visitor:ask { path = "/at_once" }
    end
end

function steps.go(chaos)
  if #chaos.visitors == 0 then
    return
  end
  local visitor = table.remove(chaos.visitors, math.random(#chaos.visitors))
  local way = math.random(4)
  if way == 1 then
    visitor.wire:shut()
    table.insert(chaos.visitors, visitor)
  elseif way == 2 then
    visitor.wire:close()
  else
    visitor.wire:reset()
  end
end

function steps.half_a_request(chaos)
  local visitor = chaos.world:visitor()
  visitor:expect()
  visitor.wire:send(one_of {
    "GET / HT", "POST /echo_length HTTP/1.1\r\nHost: app.test\r\n" ..
      "Content-Length: 1000\r\n\r\nhalf",
    "GET / HTTP/1.1\r\nHost: app.test\r\n\r\nGET /never HTTP/1.1\r\n",
    "\0\1\2\3\r\n\r\n",
  })
  table.insert(chaos.visitors, visitor)
end

function steps.wait(chaos)
  chaos.world:turns(math.random(20))
end

function steps.replace_server(chaos)
  if math.random(40) > 1 and not chaos.must_replace then
    return
  end
  local old = chaos.server
  chaos.may_end = false
  local options = {
    tunnel_address = chaos.tunnel_address,
    groups = by_name(new_groups(chaos)), drain_timeout = 0.1,
  }
  if not chaos.must_replace then
    one_of { old.drain, old.close }(old)
  end
  chaos.world:run("the server's end", function() return old:is_closed() end)
  for _, relay in ipairs(chaos.relays) do
    relay:silence(false) -- else nobody would come back for long
  end
  chaos.server = assert(chaos.world:server(options))
  chaos.may_end, chaos.must_replace = true, false
end

local step_names = { "ask", "ask", "ask", "ask_again", "go", "go", "go",
  "decide", "decide_visit", "decide_visit", "reroute", "disturb",
  "half_a_request", "ask_about_tunnels", "move", "join", "join", "leave",
  "replace_server", "wait", "wait", "wait" }

describe("everything at once", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  local function run(seed)
    math.randomseed(seed)
    local chaos = new_chaos(world)
    for _ = 1, STEPS do
      steps[chaos.must_replace and "replace_server" or one_of(step_names)](chaos)
      world:turns(1)
    end
    chaos.may_end = false
    if chaos.must_replace then
      steps.replace_server(chaos)
    end
    -- those who are still there leave; a reset is seen even by who does not read
    for _, visitor in ipairs(chaos.visitors) do
      visitor.wire:reset()
    end
    while #chaos.registrations > 0 do
      steps.decide(chaos)
    end
    for _, relay in ipairs(chaos.relays) do
      relay:silence(false)
    end
    for _, client in ipairs(chaos.world.clients) do
      if not client:is_closed() then
        client:close()
      end
    end
    world:run("the clients' end", function()
      steps.decide(chaos) -- some are asked about once more
      for _, client in ipairs(chaos.world.clients) do
        if not client:is_closed() then
          return false
        end
      end
      return #chaos.registrations == 0
    end)
    world:forget_closed()
    -- while an upload is held back nobody sees that its visitor has left
    world:run("the end of all requests", function()
      steps.decide_visit(chaos)
      return chaos.server:stats().exchanges == 0
    end)
    assert.equal(0, #chaos.visits)
    -- and the server still serves
    chaos.is_over = true
    assert(chaos.server:set_routing { {
      name = "app", hosts = { "app.test" }, insecure = true } })
    world:connected_client {
      group = "app",
      on_request = function(_, request) request:respond { body = "well" } end,
    }
    assert.equal("well", world:get("/"):body())
  end

  local seed = tonumber(os.getenv("REVERST_SPEC_SEED") or "")
  local first, last = 1, os.getenv("REVERST_SPEC_FULL") == "1" and 100 or 5
  if seed then
    first, last = seed, seed
  end
  for i = first, last do
    it("comes to a good end, with seed " .. i, function() run(i) end)
  end
end)
