-- The program as a server and as a client, with a folder for their files and an
-- origin in this process, which says when it answers.

local event = require "spec.event"
local new_folder = require "new_folder"
local programs = require "programs"
local stream = require "spec.stream"

local host = { reverst = os.getenv "REVERST_BIN_DIR" .. "/reverst" }

local folder, loop, listener

--- For before_each.
function host.open()
  folder = new_folder()
  loop = event.loop()
  listener = stream.listen(loop, "127.0.0.1:0")
end

--- For after_each: ends all programs; nothing may be left over.
function host.close()
  programs.end_all()
  listener:close()
  loop:dispatch()
  assert(loop:finish())
  os.execute("rm -r " .. folder)
end

function host.path(name)
  return folder .. "/" .. name
end

function host.write(name, content)
  local file = assert(io.open(host.path(name), "wb"))
  file:write(content)
  file:close()
  return host.path(name)
end

--- Runs it to its end: exit status, output, errors.
function host.run(arguments)
  table.insert(arguments, 1, host.reverst)
  arguments.may_fail = true
  local program = programs.start(arguments)
  local ending, status = program:wait()
  assert(ending == "exit", program:text "errors")
  return status, program:text "output", program:text "errors"
end

--- NAME.crt and NAME.key, for localhost.
function host.make_certificate(name)
  local status, _, errors = host.run { "certificate", "-c",
    host.path(name .. ".crt"), "-k", host.path(name .. ".key"), "localhost" }
  assert(status == 0, errors)
end

--- config.lua with a group "app" for app.test; `strategy` as "insecure()".
function host.config(strategy)
  return host.write("config.lua", ([[
    local auth = require "reverst.auth"
    return { groups = { app = { hosts = { "app.test" },
      authenticate = auth.%s } } }]]):format(strategy or "insecure()"))
end

--- A server with server.crt and these arguments; with its addresses.
function host.start_server(arguments)
  local command = { host.reverst, "-a", arguments.tunnel or "127.0.0.1:0", "-s",
    arguments.http or "127.0.0.1:0", "-n", "localhost", "-c",
    host.path "server.crt", "-k", host.path "server.key",
    environment = arguments.environment, may_fail = arguments.may_fail,
    name = "server" }
  table.move(arguments, 1, #arguments, #command + 1, command)
  local server = programs.start(command)
  server.tunnel = server:wait_for_event {
    event = "listening", ["for"] = "tunnels" }.address
  server.http = server:wait_for_event {
    event = "listening", ["for"] = "visitors" }.address
  return server
end

--- A client in front of the origin, in group "app"; it trusts server.crt
--- unless arguments say otherwise.
function host.start_client(server, arguments)
  arguments = arguments or {}
  local command = { host.reverst, "http", "-a", server.tunnel, "-n",
    "localhost", "-c", arguments.roots or host.path "server.crt", "-g", "app",
    environment = arguments.environment, name = "client" }
  table.move(arguments, 1, #arguments, #command + 1, command)
  table.insert(command, listener:address())
  return programs.start(command)
end

--- Where the origin listens, for who is to ask it otherwise.
function host.origin_address()
  return listener:address()
end

--- Waits, while the origin goes on.
function host.wait_until(condition, what)
  return programs.wait_until(function()
    loop:poll()
    return condition()
  end, what)
end

--- A visitor who asks for a path of a host, "app.test" unless arguments say
--- otherwise; curl, with these arguments before.
function host.ask(server, path, arguments)
  local command = { "curl", "--silent", "--show-error", "--include", "--no-buffer",
    "--header", "Host: " .. (arguments and arguments.host or "app.test"),
    may_fail = true, name = "visitor" }
  table.move(arguments or {}, 1, #(arguments or {}), #command + 1, command)
  table.insert(command, "http://" .. server.http .. path)
  return programs.start(command)
end

--- The next request at the origin's door, on a connection of its own: with its
--- whole head, which is not answered yet.
function host.accept_request()
  host.wait_until(function()
    return listener:count() > 0
  end, "a request at the origin")
  local connection = listener:accept()
  host.wait_until(function()
    return connection:received():find("\r\n\r\n", 1, true)
  end, "the request's head")
  return connection
end

--- The client lets go of a request.
function host.await_close(connection)
  if not connection:state().closed then
    connection:close_on_end()
  end
  host.wait_until(function()
    return connection:state().closed
  end, "the client to close its connection")
end

--- Answers it, and closes; the answer was taken when this returns.
function host.answer(connection, body)
  connection:write(("HTTP/1.1 200 OK\r\nConnection: close\r\n"
    .. "Content-Length: %d\r\n\r\n%s"):format(#body, body))
  connection:shutdown()
  host.await_close(connection)
end

--- A program has come to its end; the origin goes on meanwhile.
function host.await(program)
  host.wait_until(function()
    return not program:is_running()
  end, program.name .. " to end")
  return program:wait()
end

return host
