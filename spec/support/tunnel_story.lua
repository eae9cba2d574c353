-- SPDX-License-Identifier: MIT
-- Stories of tunnels, made from a seed: a network, clients, visitors, and what
-- goes wrong. A story ends well when all its promises were kept.
local scene = require "tunnel_scene"
local simnet = require "spec.simnet"

local ms, second = simnet.millisecond, simnet.second

local LIMIT = 900 * second -- until all visitors have gone

local Story = {}
Story.__index = Story

-- ---- chance ----

function Story:chance(percent)
  return self:number(1, 100) <= percent
end

function Story:number(low, high)
  self.state = (self.state * 6364136223846793005 + 1442695040888963407)
  return low + ((self.state >> 33) % (high - low + 1))
end

function Story:pick(list)
  return list[self:number(1, #list)]
end

-- ---- what there is ----

function Story:make_link()
  local delay = self:number(1, 120) * ms
  return {
    delay = delay,
    jitter = self:chance(50) and self:number(0, delay) or 0,
    loss = self:pick { 0, 0, 10, 50, 100, 200, 300 },
    duplication = self:pick { 0, 0, 20, 100 },
    corruption = self:pick { 0, 0, 0, 20 },
  }
end

local function size(self)
  local kind = self:number(1, 10)
  if kind <= 3 then
    return 0
  elseif kind <= 7 then
    return self:number(1, 3000)
  elseif kind <= 9 then
    return self:number(3000, 40000)
  end
  return self:number(40000, 200000)
end

function Story:make_plan()
  local plan = {
    method = self:pick { "GET", "GET", "POST", "POST", "PUT", "DELETE",
      "HEAD" },
    mode = "after",
    down = size(self),
    delay = self:chance(30) and self:number(1, 1500) * ms or 0,
    with_length = self:chance(50),
    with_trailers = self:chance(30),
  }
  if plan.method == "POST" or plan.method == "PUT" then
    plan.up = size(self)
  end
  if self:chance(40) then
    plan.mode = self:pick { "at_once", "ignore", "whole", "abort",
      "abort_head", "never" }
  end
  if self:chance(10) then
    plan.read_pause = self:number(1, 300) * ms
  end
  if plan.mode == "never" or self:chance(10) then
    plan.cancel_after = self:number(1, 4000) * ms
  end
  return plan
end

-- ---- what goes wrong ----

local troubles = {}

function troubles:rebind(client)
  self.world:socket(client.number, "rebind")
end

function troubles:dark(client)
  self.world:socket(client.number, "dark")
  self:plan_for(self:number(100, 90000) * ms, function()
    self.world:socket(client.number, "light")
  end)
end

function troubles:blackhole()
  local link = { blackhole = true }
  for key, value in pairs(self.link) do
    link[key] = value
  end
  self.world:link(link)
  self:plan_for(self:number(10, 3000) * ms, function()
    self.world:link(self.link)
  end)
end

function troubles:close(client)
  self.world:close_tunnel(client.tunnel)
end

function troubles:drain(client)
  self.world:drain_tunnel(client.tunnel)
end

function troubles:ask_to_leave()
  self.world:drain(true)
end

local names = { "rebind", "dark", "blackhole", "close", "drain",
  "ask_to_leave" }

-- ---- the course of events ----

function Story:plan_for(delay, what)
  local time = self.world:now() + delay
  local place = #self.schedule + 1
  while place > 1 and self.schedule[place - 1].time > time do
    place = place - 1
  end
  table.insert(self.schedule, place, { time = time, what = what })
end

-- Clients dial again when their tunnel has gone or is asked to go.
function Story:keep_tunnels()
  for _, client in ipairs(self.clients) do
    local state = client.tunnel and self.world:tunnel(client.tunnel)
    if not state or state.closed or state.draining then
      if client.dials < 12 then
        client.dials = client.dials + 1
        client.tunnel = self.world:dial(client.number, {
          max_streams_bidi = self.streams })
      end
    end
  end
end

function Story:play()
  while #self.schedule > 0 do
    local event = table.remove(self.schedule, 1)
    if event.time > self.world:now() then
      self.world:run(event.time - self.world:now())
    end
    event.what()
    self:keep_tunnels()
  end
end

function Story:prepare()
  self.link = self:make_link()
  self.streams = self:pick { 2, 5, 100 }
  self.is_calm = self:chance(40)
  self.world = scene.world { seed = self.seed, link = self.link,
    queue_timeout = LIMIT }
  self.clients = {}
  for i = 1, self:pick { 1, 1, 1, 2, 2, 3 } do
    self.clients[i] = { number = self.world:client(), dials = 0 }
  end
  self:keep_tunnels()
  self.schedule, self.visits = {}, {}
end

function Story:await_tunnels()
  for _ = 1, 30 do
    for _, client in ipairs(self.clients) do
      if not scene.register(self.world, client.tunnel, 15 * second) then
        self:keep_tunnels()
      end
    end
    if self.world:stats().tunnels >= #self.clients then
      return
    end
  end
end

function Story:plan_events()
  local length = self:number(0, 20000)
  for _ = 1, self:pick { 1, 2, 5, 10, 20, 50 } do
    local plan = self:make_plan()
    self:plan_for(self:number(0, length) * ms, function()
      table.insert(self.visits,
        { plan = plan, number = self.world:visit(plan) })
    end)
  end
  for _ = 1, self.is_calm and 0 or self:number(1, 4) do
    local trouble = troubles[self:pick(names)]
    self:plan_for(self:number(0, length) * ms, function()
      trouble(self, self:pick(self.clients))
    end)
  end
end

-- ---- judging ----

local broken = { abort = true, abort_head = true }

function Story:fail(visit, result, what)
  error(("request %d (%s, %s): %s: %s, %s, status %d, %d tries, %d executions")
    :format(visit.number, visit.plan.method, visit.plan.mode, what,
      result.outcome, result.failure, result.status, result.tries,
      result.executions), 0)
end

-- On a network that is merely bad all answers come.
function Story:judge_calm(visit, result)
  local plan = visit.plan
  if result.outcome == "cancelled" and plan.cancel_after then
    return
  elseif plan.mode == "abort_head" then
    if result.status ~= 502 then
      self:fail(visit, result, "should have been 502")
    end
  elseif plan.mode == "abort" then
    -- An answer to HEAD is whole with its head. A reset may overtake a head.
    if result.outcome ~= "aborted" and plan.method ~= "HEAD"
      and result.failure ~= "upstream_reset" then
      self:fail(visit, result, "should have been broken off")
    end
  elseif result.outcome ~= "answered" or result.status ~= 200 then
    self:fail(visit, result, "should have been answered")
  end
end

local reasons = { tunnel_lost = true, refused = true, no_tunnel = true,
  upstream_reset = true, timeout_queue = true, none = true }

function Story:judge_troubled(visit, result)
  if result.outcome == "failed" and not reasons[result.failure] then
    self:fail(visit, result, "failed for a strange reason")
  end
  local status = visit.plan.mode == "abort_head" and 502 or 200
  if result.outcome == "answered" and result.status ~= status then
    self:fail(visit, result, "got a strange answer")
  end
  if result.outcome == "aborted" and not broken[visit.plan.mode]
    and result.failure ~= "tunnel_lost" then
    self:fail(visit, result, "was aborted for a strange reason")
  end
end

function Story:judge()
  local calm = self.is_calm and self.link.loss <= 200
  for _, visit in ipairs(self.visits) do
    local result = self.world:result(visit.number)
    if result.outcome == "running" then
      self:fail(visit, result, "never ended")
    elseif calm then
      self:judge_calm(visit, result)
    else
      self:judge_troubled(visit, result)
    end
  end
end

-- Tells the story of this seed: nil, or what was wrong in it.
local function tell(seed)
  local self = setmetatable({ seed = seed, state = seed }, Story)
  for _ = 1, 3 do
    self:number(0, 1)
  end
  local ok, what = pcall(function()
    self:prepare()
    self:await_tunnels()
    self:plan_events()
    self:play()
    self.world:finish(LIMIT)
    self:judge()
  end)
  local fault = self.world and self.world:free()
  if not ok then
    return what
  end
  return fault
end

return { tell = tell }
