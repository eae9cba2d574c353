-- Visitors: curl, and what it got.

local programs = require "programs"

local visitor = {}

--- Starts a request; visitor.finish takes the answer.  What of the body has
--- come is in the program's text "output".
---@param url string
---@param arguments? string[] more for curl; input: true for a pipe
function visitor.start(url, arguments)
  local command = { "curl", "--silent", "--show-error", "--no-buffer",
    "--path-as-is", "--max-time", "60", "--header", "Expect:", "--dump-header",
    "/dev/stderr", may_fail = true }
  for key, value in pairs(arguments or {}) do
    if type(key) == "string" then
      command[key] = value
    end
  end
  for _, argument in ipairs(arguments or {}) do
    table.insert(command, argument)
  end
  table.insert(command, url)
  return programs.start(command)
end

local function new_head(line)
  return { status = tonumber(line:match "^HTTP/%S+ (%d+)"), fields = {} }
end

-- heads, the last of them the final one; then trailers, and curl's complaint
local function read_errors(response, text)
  local head
  for line in text:gmatch "([^\r\n]*)\r?\n" do
    local name, value = line:match "^([^%s:]+):%s*(.-)%s*$"
    if line:match "^HTTP/" then
      head = new_head(line)
      table.insert(response.heads, head)
    elseif line:match "^curl: " then
      response.complaint = line
    elseif line == "" then
      head = nil
    elseif name and head then
      head.fields[name:lower()] = value
    elseif name then
      response.trailers[name:lower()] = value
    end
  end
end

--- The answer: status, fields, body, trailers, heads, exit (curl's status, 0 if
--- the message was complete) and complaint.
function visitor.finish(program)
  local kind, number = program:wait()
  programs.forget(program)
  local response = {
    heads = {}, trailers = {},
    body = program:text "output",
    exit = kind == "exit" and number or kind,
  }
  read_errors(response, program:text "errors")
  local head = response.heads[#response.heads] or { fields = {} }
  response.status, response.fields = head.status, head.fields
  return response
end

--- Asks and waits for the answer.
function visitor.ask(url, arguments)
  return visitor.finish(visitor.start(url, arguments))
end

return visitor
