-- Errors of Lua in configurations and scripts, told so that people know what to do.

local text = require "reverst.base.text"

local lua_errors = {}

local modules = { "reverst", "reverst.auth", "reverst.balance", "reverst.crypto",
  "reverst.http", "reverst.json", "reverst.log" }

-- require says where it looked, in twenty lines
local function shorten(message)
  local place, name = message:match "^(.-)module '([^'\n]+)' not found:\n"
  if not name then
    return message
  end
  local suggestion = text.suggestion(name, modules)
  for _, module in ipairs(modules) do
    if module == "reverst." .. name then
      suggestion = (' (did you mean "%s"?)'):format(module)
    end
  end
  return ("%sthere is no module %s%s"):format(place, text.quoted(name),
    suggestion ~= "" and suggestion or ", neither beside this file nor where "
      .. "Lua looks for modules (LUA_PATH)")
end

-- texts in a program may be secrets, and Lua shows those that it stumbles over
local function without_texts(message)
  return (message:gsub("%(constant '.-'%)", "(a constant)")
    :gsub("near '[\"'%[].*'$", "near a text"))
end

-- what is not there is a module that was not required, or a text
local function with_cure(message)
  local name = message:match "%(global '([^']+)'%)$"
  if not name then
    return message
  end
  local names = {}
  for i, module in ipairs(modules) do
    names[i] = module:match "[^.]*$"
    if names[i] == name then
      return ('%s (write local %s = require "%s" above)'):format(message, name,
        module)
    end
  end
  local suggestion = text.suggestion(name, names)
  return message .. (suggestion ~= "" and suggestion
    or " (a text is written in quotes)")
end

--- The message of an error, with what can be done about it, and without the
--- places where a module was looked for.
---@param message string
---@return string
function lua_errors.helpful(message)
  return with_cure(shorten(message))
end

-- the way through our own modules is of no interest
local function is_ours(frame)
  return frame:match "^%s*reverst%.[%w_.]+:%d+: in"
    and not frame:match "^%s*reverst%.lua:"
    or frame:match "^%s*%[C%]: in function 'error'"
    or frame:match "^%s*%[C%]: in function 'require'"
end

local function frames_of(stack)
  local frames = {}
  for frame in stack:gmatch "\n([^\n]+)" do
    if frame:match "^%s*%[C%]: in function 'xpcall'" then
      break
    elseif frame:match "^%s" and not is_ours(frame) then
      frames[#frames + 1] = frame
    end
  end
  return frames
end

--- A message handler for what a file does: the error, with its place, and the
--- way there where the place alone does not say it.
---@param path string the file
---@return fun(object: any): string
function lua_errors.handler(path)
  return function(object)
    local message = with_cure(without_texts(shorten(
      text.error_message(object))))
    if message:sub(1, #path + 1) ~= path .. ":" then
      message = path .. ": " .. message
    end
    local frames = frames_of(debug.traceback("", 2))
    local place = message:match "^(.-:%d+:)"
    if #frames == 0 or #frames == 1 and place
      and frames[1]:match "^%s*(.-:%d+:)" == place then
      return message
    end
    return message .. "\nstack traceback:\n" .. table.concat(frames, "\n")
  end
end

-- name-with-hyphens = ..., in the line of which the message speaks
local function hyphenated(source, message)
  local number, line = tonumber(message:match ":(%d+):"), 0
  for text_of_line in source:gmatch "([^\n]*)\n?" do
    line = line + 1
    if line == number then
      return text_of_line:match "([%a_][%w_]*%-[%w_-]*)%s*=[^=]"
    end
  end
end

--- What may have been meant by what is no Lua.
---@param source string
---@param message string of load
---@return string
function lua_errors.explain(source, message)
  message = without_texts(message)
  if source:match "^%s*{" then
    return message .. ' (write "return" before the table)'
  elseif message:match "near '='$" and hyphenated(source, message) then
    return ('%s (a name with a hyphen is written ["%s"] = ...)'):format(message,
      hyphenated(source, message))
  elseif message:match "'}' expected .*near [^<]*$" then
    return message .. " (is a comma missing before it?)"
  elseif message:match "<name> expected near" then
    return message .. " (a field of a table is written: name = value)"
  end
  return message
end

return lua_errors
