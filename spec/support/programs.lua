-- Programs that a spec starts, and what they say: lines of their output and
-- errors, and the events in those lines.  Waiting always has a bound, and what
-- was said is shown when it is over.

local process = require "spec.process"

local programs = {}

local patience = 30 -- seconds that anything may take, unless said otherwise
local running = {}

local Program = {}
Program.__index = Program

---@param arguments string[] the program and its arguments; name: what it is called in
--- messages; environment: table of strings (false: unset); input: true for a pipe;
--- may_fail: any exit status is fine
function programs.start(arguments)
  local program = setmetatable({
    name = arguments.name or arguments[1]:match "[^/]+$",
    may_fail = arguments.may_fail,
    handle = process.spawn(arguments, arguments.environment, arguments.input),
    pieces = { output = {}, errors = {} },
    rest = { output = "", errors = "" },
    lines = {},
    seen = 0,
  }, Program)
  running[#running + 1] = program
  return program
end

--- Connects to a TCP address, or the path of a Unix socket; what comes back is
--- the "output" of it, which ends when the other side closes.
function programs.connect(address)
  local host, port = address:match "^(.*):(%d+)$"
  host = host or address
  local connection = setmetatable({
    name = "connection to " .. address,
    handle = process.connect(host, tonumber(port) or 0),
    pieces = { output = {}, errors = {} },
    rest = { output = "", errors = "" },
    lines = {},
    seen = 0,
    is_connection = true,
  }, Program)
  running[#running + 1] = connection
  return connection
end

-- takes what one pipe has; true while it is open
local function take(program, stream)
  local bytes
  repeat
    bytes = process.read(program.handle, stream)
    if bytes and bytes ~= "" then
      table.insert(program.pieces[stream], bytes)
    end
  until not bytes or bytes == ""
  return bytes ~= nil
end

local function take_all(program)
  local output, errors = take(program, "output"), take(program, "errors")
  if not program.ending then
    program.ending, program.number = process.status(program.handle)
  end
  program.is_over = program.ending and not output and not errors
end

-- Waits for news of any program, at most so long; a child whose pipe is full
-- stands still, so all are read.
local function pump(seconds)
  local handles = {}
  for _, program in ipairs(running) do
    if not program.is_over then
      handles[#handles + 1] = program.handle
    end
  end
  process.poll(handles, seconds)
  for _, program in ipairs(running) do
    if not program.is_over then
      take_all(program)
    end
  end
end

--- Waits until condition() is true; gives what it gave.
function programs.wait_until(condition, what, seconds)
  local deadline = process.now() + (seconds or patience)
  while true do
    local result = condition()
    if result then
      return result
    end
    local left = deadline - process.now()
    if left <= 0 then
      error(("waited in vain for %s\n%s"):format(
        type(what) == "function" and what() or what, programs.transcript()), 2)
    end
    -- a part of it, since a condition may ask for more than programs
    pump(math.min(left, 0.1))
  end
end

--- Waits for every program to say what it has to, without waiting for news.
function programs.pump()
  pump(0)
end

-- What one stream said is joined, cut into lines, and kept as one piece.
local function split(program, stream)
  local pieces = program.pieces[stream]
  local first = program["split_" .. stream] or 0
  if #pieces == first then
    return
  end
  local text = program.rest[stream] .. table.concat(pieces, "", first + 1)
  program["split_" .. stream] = #pieces
  program.rest[stream] = text:match "[^\n]*$"
  for line in text:gmatch "([^\n]*)\n" do
    table.insert(program.lines, line)
  end
end

local function update_lines(program)
  split(program, "output")
  split(program, "errors")
end

--- The text of "output" or "errors" so far.
function Program:text(stream)
  return table.concat(self.pieces[stream])
end

local function last_lines(program, count)
  update_lines(program)
  local first = math.max(1, #program.lines - count + 1)
  return table.concat(program.lines, "\n    ", first)
end

--- What all programs said last.
function programs.transcript()
  local parts = {}
  for _, program in ipairs(running) do
    parts[#parts + 1] = ("  %s (%s):\n    %s"):format(program.name,
      program.ending and program.ending .. " " .. program.number or "runs",
      last_lines(program, 25))
  end
  return table.concat(parts, "\n")
end

-- ---- events ----

local escapes = { n = "\n", t = "\t", r = "\r" }

local function unquote(text)
  text = text:gsub("\\x(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  return (text:gsub("\\(.)", function(letter)
    return escapes[letter] or letter
  end))
end

-- "key=value" and 'key="va lue"' from a position on; position after it
local function next_pair(line, position)
  local key, first = line:match("^%s*([%w_.-]+)=()", position)
  if not key then
    return
  elseif line:sub(first, first) ~= '"' then
    return key, line:match("^(%S*)()", first)
  end
  local last = first + 1
  while line:sub(last, last) ~= '"' and last <= #line do
    last = last + (line:sub(last, last) == "\\" and 2 or 1)
  end
  return key, unquote(line:sub(first + 1, last - 1)), last + 1
end

--- An event's fields: "word key=value …" has its word as event.
function programs.parse(line)
  local word, position = line:match "^([%w_]+) ?()"
  local fields = {}
  if word and line:sub(#word + 1, #word + 1) ~= "=" then
    fields.event = word
  else
    position = 1
  end
  while position do
    local key, value, after = next_pair(line, position)
    if key then
      fields[key] = value
    end
    position = after
  end
  return fields
end

local function fits(fields, wanted)
  for key, value in pairs(wanted) do
    if fields[key] ~= tostring(value) then
      return false
    end
  end
  return true
end

local function describe(wanted)
  local parts = {}
  for key, value in pairs(wanted) do
    parts[#parts + 1] = ("%s=%s"):format(key, value)
  end
  table.sort(parts)
  return table.concat(parts, " ")
end

--- Waits for the next line that fits; gives what the match gave.  Lines before
--- it are not looked at again.
---@param match fun(line: string): any
function Program:wait_for_line(match, what, seconds)
  return programs.wait_until(function()
    update_lines(self)
    while self.seen < #self.lines do
      self.seen = self.seen + 1
      local result = match(self.lines[self.seen])
      if result then
        return result
      end
    end
    if self.is_over then
      error(("%s ended without %s\n%s"):format(self.name, what,
        programs.transcript()), 0)
    end
  end, self.name .. ": " .. what, seconds)
end

--- Waits for the next event with these fields; gives all of its fields.
function Program:wait_for_event(wanted, seconds)
  return self:wait_for_line(function(line)
    local fields = programs.parse(line)
    return fits(fields, wanted) and fields
  end, describe(wanted), seconds)
end

--- Waits for the next line with this pattern; gives its capture.
function Program:wait_for(pattern, seconds)
  return self:wait_for_line(function(line)
    return line:match(pattern)
  end, pattern, seconds)
end

--- All events with these fields that were said so far.
function Program:events(wanted)
  programs.pump()
  update_lines(self)
  local found = {}
  for _, line in ipairs(self.lines) do
    local fields = programs.parse(line)
    if fits(fields, wanted) then
      found[#found + 1] = fields
    end
  end
  return found
end

--- Waits until there are so many events with these fields since the start.
function Program:wait_for_events(wanted, count, seconds)
  return programs.wait_until(function()
    local found = self:events(wanted)
    return #found >= count and found
  end, ("%s: %d times %s"):format(self.name, count, describe(wanted)), seconds)
end

-- ---- input and the end ----

--- Writes all of it, as far as the program reads.
function Program:write(bytes)
  local written = 0
  programs.wait_until(function()
    written = written + (process.write(self.handle, bytes:sub(written + 1))
      or #bytes)
    return written >= #bytes
  end, self.name .. " to read its input")
end

function Program:close_input()
  process.close_input(self.handle)
end

--- Closes a connection; nothing to programs.
function Program:hang_up()
  if self.is_connection then
    process.close(self.handle)
    self.is_over = true
  end
end

function Program:signal(name)
  return process.signal(self.handle, name)
end

function Program:pid()
  return process.pid(self.handle)
end

function Program:is_running()
  programs.pump()
  return not self.ending
end

local function wait_for_end(program, seconds)
  programs.wait_until(function()
    return program.is_over
  end, program.name .. " to end", seconds)
end

--- Waits for its end: "exit" or "signal", and the number.
function Program:wait(seconds)
  wait_for_end(self, seconds)
  self.was_awaited = true
  return self.ending, self.number
end

-- a sanitizer's report, or a status that nobody expected
local function complaint(program)
  local text = program:text "errors"
  if text:match "Sanitizer" or text:match "runtime error:" then
    return ("%s: a sanitizer complains\n%s"):format(program.name, text)
  elseif not program.may_fail and not program.was_awaited
    and (program.ending ~= "exit" or program.number ~= 0) then
    return ("%s ended by %s %d\n    %s"):format(program.name, program.ending,
      program.number, last_lines(program, 40))
  end
end

--- Takes a program that has ended out of what end_all looks at.
function programs.forget(program)
  for i, other in ipairs(running) do
    if other == program then
      table.remove(running, i)
      return
    end
  end
end

--- Lets everything in action() take at most so many seconds.
function programs.with_patience(seconds, action)
  local before = patience
  patience = seconds
  local ok, message = pcall(action)
  patience = before
  if not ok then
    error(message, 0)
  end
end

--- Asks every program to end, in the reverse order of their starts, and fails
--- if one does not, or not well.  For after_each.
function programs.end_all()
  local complaints = {}
  for i = #running, 1, -1 do
    local program = running[i]
    program:hang_up()
    program:signal "CONT"
    program:signal "TERM"
    if not pcall(wait_for_end, program) then
      table.insert(complaints, program.name .. " did not end after SIGTERM\n    "
        .. last_lines(program, 40))
      program:signal "KILL"
      program.may_fail = true
      wait_for_end(program)
    end
    complaints[#complaints + 1] = complaint(program)
  end
  running = {}
  if #complaints > 0 then
    error(table.concat(complaints, "\n"), 0)
  end
end

return programs
