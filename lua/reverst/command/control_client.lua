-- What reverst reload, status, stats and drain have in common: they find the
-- control socket of a server, and ask.

local arguments = require "reverst.config.arguments"
local chunk = require "reverst.config.chunk"
local command = require "reverst.command"
local core = require "reverst.core"
local json = require "reverst.json"
local options = require "reverst.config.options"
local paths = require "reverst.base.paths"
local text = require "reverst.base.text"

local client = {}

local timeout = 60 -- seconds; a configuration may take 5 to load

--- The flags of these commands.
client.rows = options.control

local no_socket = 'which server? --control unix:PATH, the variable '
  .. "REVERST_CONTROL, or a config.lua with control = \"unix:PATH\""

-- in full, where it is relative to the file
local function in_full(socket, folder)
  local before = paths.set_base(folder)
  socket = "unix:" .. paths.resolve(socket:sub(#"unix:" + 1))
  paths.set_base(before)
  return socket
end

local function is_socket(value)
  return type(value) == "string" and value:match "^unix:." ~= nil
end

-- The file cannot be run, as in the middle of an edit, or without a variable
-- that the server has: if it says control = "unix:PATH" just once, that is it.
local function socket_in_text(path)
  local source = (paths.read(path) or ""):gsub("%-%-[^\r\n]*", "")
  local found = {}
  for _, socket in source:gmatch
    "%f[%w_]control%s*=%s*([\"'])(unix:[^\"'\\\r\n]+)%1" do
    table.insert(found, socket)
  end
  return #found == 1 and found[1] or nil
end

-- Only the key is looked at: the rest of the file may be bad, and that is for
-- the server to tell.
local function socket_of_file(name, path)
  local given
  local done, message = chunk.run(path, {
    import_flags = "",
    example = 'return { control = "unix:PATH", ... }',
  }, function(returned)
    given = returned.control
  end)
  given = given or not done and socket_in_text(path) or nil
  if is_socket(given) then
    if not done then
      command.complain(name, { message, "going by its control = "
        .. text.quoted(given) })
    end
    return in_full(given, paths.folder_of(path))
  elseif not done then
    return nil, message .. "\n(so its control socket is not known; --control "
      .. "names it)"
  end
  return nil, path .. ': it has no control = "unix:PATH"; ' .. no_socket
end

local function find_socket(name, values, parsed)
  local path = parsed.positional[1]
  if values.control then
    return values.control
  elseif path then
    return socket_of_file(name, path)
  end
  return nil, no_socket
end

local function explain(path, message, code)
  if code == "nobody" then
    return ("nobody answers at %s (%s); is the server running, with this "
      .. "control socket, and may this user open it?"):format(path, message)
  end
  return message
end

-- the answer as a table and as a line; or nil and the exit status
local function ask(self, socket, name)
  local path = socket:sub(#"unix:" + 1)
  local line, message, code = core.ask_control(path,
    json.encode { command = name }, timeout)
  local result = line and json.decode(line)
  if type(result) ~= "table" then
    command.complain(self.name, { line and path .. ": this is no control socket "
      .. "of reverst" or explain(path, message, code) })
    return nil, command.failure
  end
  return result, line
end

--- Runs a command that is one question.
---@param self { name: string, usage: string, show: fun(result: table) }
---@param question string
---@param list string[]
---@return integer status
function client.run(self, question, list)
  self.rows, self.most = client.rows, 1
  local values, parsed = command.read(self, list)
  if not values then
    return parsed
  end
  arguments.add_defaults(self.rows, values)
  local socket, message = find_socket(self.name, values, parsed)
  if not socket then
    command.complain(self.name, { message })
    return command.failure
  end
  local result, line = ask(self, socket, question)
  if not result then
    return line
  elseif values.json then
    io.stdout:write(line, "\n")
  elseif result.ok then
    self.show(result)
  else
    command.complain(self.name, result.problems or { result.error or "it failed" })
  end
  return result.ok and command.success or command.failure
end

return client
