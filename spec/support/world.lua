-- A world of a spec: servers, clients, visitors and origins in this process, on
-- one event base, joined by the loopback network. See spec/README.md.

local core = require "spec.world"
local clients = require "spec.world_client"
local http_reader = require "http_reader"
local load = require "spec.world_load"
local relays = require "spec.world_relay"
require "spec.world_group"
local servers = require "spec.world_server"
local wires = require "spec.world_wire"

local PATIENCE = 30 -- seconds; only ever spent by a spec that fails

local World = {}
World.__index = World

-- ---- the certificate: one for all specs of a run ----

local certificate

local function make_certificate()
  local folder = core.make_folder()
  certificate = {
    certificate = folder .. "/server.crt", private_key = folder .. "/server.key",
  }
  core.make_certificate("tunnel.test", certificate.certificate,
    certificate.private_key)
  -- goes with the last reference: when the state is closed
  certificate.folder = setmetatable({}, { __gc = function()
    os.remove(certificate.certificate)
    os.remove(certificate.private_key)
    core.remove_folder(folder)
  end })
end

--- Paths of the certificate and of its private key.
function World.certificate()
  if not certificate then
    make_certificate()
  end
  return certificate
end

local function new_world()
  World.certificate()
  return setmetatable({
    c = core.new(), servers = {}, clients = {}, open = {}, relays = {},
  }, World)
end

-- ---- time ----

-- Runs the loop until the predicate holds, and returns what it returned;
-- an error that says what was awaited when it does not.
function World:run(what, predicate, seconds)
  local deadline = core.now() + (seconds or PATIENCE)
  while true do
    local result = predicate()
    if result then
      return result
    end
    if core.now() > deadline then
      error("waited in vain for " .. what .. self:recent_log(), 2)
    end
    self.c:turn(1)
  end
end

-- Runs so many turns of the loop: for what must not happen.
function World:turns(count)
  for _ = 1, count do
    self.c:turn(0.001)
  end
end

function World:recent_log()
  local lines = {}
  for _, list in ipairs { self.servers, self.clients } do
    for _, owner in ipairs(list) do
      for i = math.max(1, #owner.log - 8), #owner.log do
        local words = {}
        for key, value in pairs(owner.log[i]) do
          words[#words + 1] = key .. "=" .. tostring(value)
        end
        table.sort(words)
        lines[#lines + 1] = "\n  " .. owner.kind .. ": " ..
          table.concat(words, " ")
      end
    end
  end
  return table.concat(lines)
end

-- ---- servers and clients ----

-- What servers and clients have in common: a log, and the C object `c`.
local Engine = {}
Engine.__index = function(object, key)
  local method = Engine[key]
  if method then
    return method
  end
  return function(_, ...)
    return object.c[key](object.c, ...)
  end
end

-- The newest log entry of that event, or nil.
function Engine:logged(event)
  for i = #self.log, 1, -1 do
    if self.log[i].event == event then
      return self.log[i]
    end
  end
end

local function new_engine(kind, options)
  local engine = { kind = kind, log = {}, options = options, draining = false }
  options.on_log = function(_, entry)
    engine.log[#engine.log + 1] = entry
  end
  return engine
end

local function copy(options)
  local result = {}
  for key, value in pairs(options or {}) do
    result[key] = value
  end
  return result
end

-- A server on free ports. `groups` of the options: name to options of the group,
-- or to a list of hosts of an insecure one.
function World:server(options)
  options = copy(options)
  options.http_address = options.http_address or "127.0.0.1:0"
  options.tunnel_address = options.tunnel_address or "127.0.0.1:0"
  options.certificate = options.certificate or certificate.certificate
  options.private_key = options.private_key or certificate.private_key
  local server = new_engine("server", options)
  local fault
  server.c, fault = servers.new(self.c, options)
  if not server.c then
    return nil, fault, server.log
  end
  table.insert(self.servers, setmetatable(server, Engine))
  for name, group in pairs(options.groups or {}) do
    group = group[1] and { hosts = group, insecure = true } or copy(group)
    group.name = name
    assert(server:add_group(group))
  end
  return server
end

-- A client of the newest server; it trusts the certificate of the run.
function World:client(options)
  options = copy(options)
  local server = options.server or self.servers[#self.servers]
  options.address = options.address or server:tunnel_address()
  options.server_name = options.server_name or "tunnel.test"
  if not options.insecure then
    options.ca = options.ca or certificate.certificate
  end
  local client = new_engine("client", options)
  client.disconnects = {}
  local on_disconnected = options.on_disconnected
  options.on_disconnected = function(_, disconnect)
    table.insert(client.disconnects, disconnect)
    if on_disconnected then
      on_disconnected(client, disconnect)
    end
  end
  local fault
  client.c, fault = clients.new(self.c, options)
  if not client.c then
    return nil, fault, client.log
  end
  table.insert(self.clients, setmetatable(client, Engine))
  return client
end

function World:connected_client(options)
  local client = assert(self:client(options))
  self:run("the client's registration", function()
    return client:is_connected()
  end)
  return client
end

-- Why the client's next try failed.
function World:disconnect_of(client)
  local count = #client.disconnects
  return self:run("the client's disconnection", function()
    return client.disconnects[count + 1]
  end)
end

function World:close_engine(engine)
  engine:close()
  self:run("the end of a " .. engine.kind, function()
    return engine:is_closed()
  end)
end

-- Closed engines are forgotten, so that a long spec does not keep them.
function World:forget_closed()
  for _, list in ipairs { self.servers, self.clients } do
    for i = #list, 1, -1 do
      if list[i]:is_closed() then
        table.remove(list, i)
      end
    end
  end
end

function World:close_object(object)
  object:close()
  self.open[object] = nil
end

-- ---- visitors ----

local Visitor = {}
Visitor.__index = Visitor

-- A connection to the newest server's public side. `receive_buffer`: bytes that
-- the kernel keeps for a reader who is slow.
function World:visitor(options)
  options = options or {}
  local server = options.server or self.servers[#self.servers]
  local visitor = setmetatable({ world = self }, Visitor)
  visitor.wire = wires.connect(self.c, options.address or server:http_address(),
    {}, options.receive_buffer)
  self.open[visitor.wire] = true
  return visitor
end

-- Request bytes: method, path, host, headers (a list), body (sent with its
-- length) or chunks (a list, sent chunked) with trailers.
function World.request_bytes(request)
  local lines = {
    ("%s %s HTTP/1.1"):format(request.method or "GET", request.path or "/"),
    "Host: " .. (request.host or "app.test"),
  }
  for _, field in ipairs(request.headers or {}) do
    lines[#lines + 1] = field[1] .. ": " .. field[2]
  end
  local body = request.body or ""
  if request.chunks then
    lines[#lines + 1] = "Transfer-Encoding: chunked"
    body = {}
    for i, chunk in ipairs(request.chunks) do
      body[i] = ("%x\r\n%s\r\n"):format(#chunk, chunk)
    end
    body[#body + 1] = "0\r\n"
    for _, field in ipairs(request.trailers or {}) do
      body[#body + 1] = field[1] .. ": " .. field[2] .. "\r\n"
    end
    body = table.concat(body) .. "\r\n"
  elseif request.body then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

-- Begins a request; visitor.answer is what has come of its answer.
function Visitor:ask(request)
  request = request or {}
  self:expect(request.method, request.on_body)
  self.wire:send(World.request_bytes(request))
  return self
end

function Visitor:expect(method, on_body)
  self.answer = http_reader.new(method, on_body)
end

-- Reads what has come: true when the answer is complete or cannot be any more.
function Visitor:look()
  self.answer:feed(self.wire:take())
  if self.answer.complete then
    return true
  end
  local ended = self.wire:ended()
  if ended == "end" then
    self.answer:close()
  end
  return ended ~= nil
end

-- The whole answer; an error when it was broken off.
function Visitor:read_answer()
  self:await_end()
  assert(self.answer.complete, "the answer was broken off")
  return self.answer
end

-- The answer, complete or broken off.
function Visitor:await_end()
  self.world:run("the answer", function() return self:look() end)
  return self.answer
end

function Visitor:await_head()
  self.world:run("the head of the answer", function()
    return self:look() or self.answer.status
  end)
  return self.answer
end

function Visitor:await_body(length)
  self.world:run("some bytes of the answer", function()
    return self:look() or self.answer.length >= length
  end)
  return self.answer
end

-- How the server ended the connection: "end" or "reset".
function Visitor:await_close()
  return self.world:run("the end of the connection", function()
    return self.wire:ended()
  end)
end

-- One request on a connection of its own.
function World:ask(request)
  local visitor = self:visitor(request)
  visitor:ask(request)
  local answer = visitor:read_answer()
  self:close_object(visitor.wire)
  return answer
end

function World:get(path, request)
  request = copy(request)
  request.path = path
  return self:ask(request)
end

-- Many kept connections that ask the same: see world_load.c. Ends with its
-- counts.
function World:start_load(options)
  options = copy(options)
  options.address = options.address or self.servers[#self.servers]:http_address()
  options.request = World.request_bytes(options)
  local started = load.start(self.c, options)
  self.open[started] = true
  return started
end

function World:load(options)
  local started = self:start_load(options)
  self:run("the load's end", function() return started:is_done() end,
    options.seconds or 300)
  local counts = started:counts()
  self:close_object(started)
  return counts
end

-- ---- origins and networks ----

-- A TCP server whose answers a spec writes: on_request(wire, head) with each
-- whole request head that came; on_connection(wire) may be given instead.
function World:origin(on_request, on_connection)
  local origin = { connections = 0, requests = 0, wires = {} }
  origin.listener = wires.listen(self.c, {
    on_accept = function(_, wire, handlers)
      origin.connections = origin.connections + 1
      table.insert(origin.wires, wire)
      self.open[wire] = true
      if on_connection then
        return on_connection(wire, handlers)
      end
      local pending = ""
      handlers.on_data = function()
        pending = pending .. wire:take()
        local head, from = pending:match("^(.-\r\n\r\n)()")
        while head and not wire:is_closed() do
          pending = pending:sub(from)
          origin.requests = origin.requests + 1
          on_request(wire, head, origin)
          head, from = pending:match("^(.-\r\n\r\n)()")
        end
      end
      handlers.on_end = function()
        wire:close()
      end
    end,
  })
  self.open[origin.listener] = true
  origin.address = origin.listener:address()
  return origin
end

-- A relay of datagrams in front of the newest server: relay:address(). The
-- server sees them come from 127.0.0.1, or another address of loopback.
function World:relay(source)
  local relay = relays.new(self.c,
    self.servers[#self.servers]:tunnel_address(), source)
  table.insert(self.relays, relay)
  return relay
end

-- ---- the end ----

-- Visitors and origins leave, then clients, then servers: each time what was
-- made for them has to go by itself. on_closed of an engine, which is waited
-- for, comes only when its objects and chunks are all gone.
function World:close()
  for object in pairs(self.open) do
    object:close()
  end
  local ok, fault = true, nil
  for _, list in ipairs { self.clients, self.servers } do
    for _, engine in ipairs(list) do
      if not engine:is_closed() then
        if ok then -- the first fault is told, the rest only closed
          ok, fault = pcall(self.settle, self, engine)
        end
        self:close_engine(engine)
      end
    end
  end
  for _, relay in ipairs(self.relays) do
    relay:close()
  end
  self.c:free()
  if not ok then
    error(fault, 0)
  end
end

-- Without visitors no exchange may last; without clients a server holds nothing.
function World:settle(engine)
  self:run("the end of all exchanges of a " .. engine.kind, function()
    return engine:stats().exchanges == 0
  end)
  if engine.kind == "server" and not engine.draining then
    self:run("a server without objects", function()
      local stats = engine:stats()
      return stats.live_objects == 0 and stats.connections == 0 and
        stats.tunnels == 0 and stats.pending_registrations == 0
    end)
  end
end

-- The path of a certificate that nobody uses; the caller removes it, and, where
-- that is kept, its key (".key").
function World.other_certificate(keeps_key)
  local name = os.tmpname()
  os.remove(name)
  core.make_certificate("tunnel.test", name, name .. ".key")
  if not keeps_key then
    os.remove(name .. ".key")
  end
  return name
end

World.new = new_world
World.now = core.now
World.heap_bytes = core.heap_bytes
World.checksum = core.checksum
World.value = http_reader.value
World.values = http_reader.values

return World
