-- The programs at both ends of a tunnel, ours and those on quic-go, by the same
-- few functions.  REVERST_GO_SERVER and REVERST_GO_CLIENT may name builds of
-- the Go original's two programs.

local fixture = require "fixture"
local process = require "spec.process"
local programs = require "programs"
local visitor = require "visitor"

local peers = {
  -- the host and group that everything here is about
  host = "localhost", group = "main",
  username = "user", password = "pass", token = "secret-token",
}

local Server = {}
Server.__index = Server

--- Asks as a visitor: see visitor.ask.
function Server:ask(path, arguments)
  return visitor.finish(self:start(path, arguments))
end

function Server:start(path, arguments)
  arguments = arguments or {}
  table.insert(arguments, 1, "--header")
  table.insert(arguments, 2, "Host: " .. (arguments.host or peers.host))
  arguments.host = nil
  return visitor.start("http://" .. self.http .. path, arguments)
end

--- How often a tunnel came to be, and was lost.
function Server:ups()
  return #self.program:events(self.up)
end

function Server:downs()
  return #self.program:events(self.down)
end

--- Waits until so many tunnels came to be since the start.
function Server:wait_for_ups(count, seconds)
  self.program:wait_for_events(self.up, count, seconds)
end

--- Waits until a request is answered by the tunnel's application.
function Server:wait_until_it_serves(seconds)
  programs.wait_until(function()
    return self:ask("/pong").body == "PONG\n"
  end, "an answer", seconds)
end

-- ---- servers ----

local config = [[
local auth = require "reverst.auth"
return {
  tunnel = { address = "%s", keep_alive_period = "%s", max_idle_timeout = "%s" },
  http = { address = "%s" },
  log = { level = "debug" },
  drain_timeout = "2s",
  groups = {
    main = {
      hosts = { "localhost" },
      authenticate = auth.basic { username = "user", password = "pass" },
    },
    tokens = {
      hosts = { "tokens.example.test" },
      authenticate = auth.bearer { token = "secret-token" },
    },
    open = { hosts = { "open.example.test" }, authenticate = auth.insecure() },
  },
}
]]

--- Our program; options: tunnel and http (addresses, for one that comes back),
--- keep_alive_period, max_idle_timeout.
function peers.reverst_server(options)
  options = options or {}
  local certificate, key = fixture.certificate()
  local path = fixture.write("config.lua", config:format(
    options.tunnel or "127.0.0.1:0", options.keep_alive_period or "30s",
    options.max_idle_timeout or "1m", options.http or "127.0.0.1:0"))
  local program = programs.start { fixture.reverst, "-n", "localhost", "-c",
    certificate, "-k", key, path, name = "server" }
  return setmetatable({
    program = program,
    tunnel = program:wait_for_event { event = "listening", ["for"] = "tunnels" }.address,
    http = program:wait_for_event { event = "listening", ["for"] = "visitors" }.address,
    up = { event = "tunnel_up" },
    down = { event = "tunnel_down" },
  }, Server)
end

--- The server on quic-go; options: more flags, bearer = true.
function peers.go_server(options)
  local certificate, key = fixture.certificate()
  local command = { fixture.interop(), "server", "-address", "127.0.0.1:0",
    "-http", "127.0.0.1:0", "-cert", certificate, "-key", key, "-group",
    peers.group, name = "go server" }
  local credentials = options and options.bearer
    and { "-token", peers.token }
    or { "-username", peers.username, "-password", peers.password }
  table.move(credentials, 1, #credentials, #command + 1, command)
  table.move(options or {}, 1, #(options or {}), #command + 1, command)
  local program = programs.start(command)
  local listening = program:wait_for_event { event = "listening" }
  return setmetatable({
    program = program,
    tunnel = listening.tunnel,
    http = listening.http,
    up = { event = "registered" },
    down = { event = "closed" },
  }, Server)
end

local groups_of_original = [[
groups:
  "main":
    hosts: ["localhost"]
    authentication:
      basic: {username: "user", password: "pass"}
]]

--- The Go original's server.
function peers.original_server()
  local certificate, key = fixture.certificate()
  local server = {
    tunnel = "127.0.0.1:" .. process.free_port "udp",
    http = "127.0.0.1:" .. process.free_port "tcp",
    up = { msg = "Server registered" },
    down = { msg = "roundrobbin set: removing entry" },
  }
  server.program = programs.start { os.getenv "REVERST_GO_SERVER", "-l",
    "debug", "-a", server.tunnel, "-s", server.http, "-n", "localhost", "-k",
    key, "-c", certificate, "-g",
    fixture.write("groups.yml", groups_of_original), may_fail = true }
  server.program:wait_for_event { msg = "HTTP listener starting..." }
  return setmetatable(server, Server)
end

-- ---- clients: program, and application, the program with the handlers ----

--- The client on quic-go; options: more flags, or other credentials and group.
function peers.go_client(server, options)
  options = options or {}
  local command = { fixture.interop(), "client", "-address", server.tunnel,
    "-ca", (fixture.certificate()), name = "go client" }
  local function add(...)
    for _, word in ipairs { ... } do
      command[#command + 1] = word
    end
  end
  add("-group", options.group or peers.group)
  if options.token then
    add("-token", options.token)
  elseif options.username ~= false then
    add("-username", options.username or peers.username, "-password",
      options.password or peers.password)
  end
  add(table.unpack(options))
  local program = programs.start(command)
  return { program = program, application = program }
end

local function start_origin()
  local origin = programs.start { fixture.interop(), "origin", "-address",
    "127.0.0.1:0", name = "origin" }
  return origin, origin:wait_for_event({ event = "listening" }).http
end

-- the flags that ours has from the original
local function http_flags(server, options)
  local flags = { "-l", "debug", "-a", server.tunnel, "-n", "localhost", "-g",
    options.group or peers.group, "-c", (fixture.certificate()) }
  if options.token then
    table.move({ "--token", options.token }, 1, 2, #flags + 1, flags)
  elseif options.username ~= false then
    table.move({ "--username", options.username or peers.username,
      "--password", options.password or peers.password }, 1, 4, #flags + 1,
      flags)
  end
  return flags
end

local function start_http_client(program, server, options)
  options = options or {}
  local address = options.origin
  local application
  if not address then
    application, address = start_origin()
  end
  local command = { program, "http", name = options.name,
    may_fail = options.may_fail }
  local flags = http_flags(server, options)
  table.move(flags, 1, #flags, 3, command)
  table.insert(command, "http://" .. address)
  return { program = programs.start(command), application = application,
    origin = address }
end

--- Our program; options: group, username (false: none), password, token, origin.
function peers.reverst_client(server, options)
  options = options or {}
  options.name = "client"
  return start_http_client(fixture.reverst, server, options)
end

--- The Go original's client.
function peers.original_client(server)
  return start_http_client(os.getenv "REVERST_GO_CLIENT", server,
    { name = "original client", may_fail = true })
end

return peers
