-- The lists of options in the manual pages, made from the table of options.

local options = require "reverst.config.options"

local manual = {}

local function escape(text)
  return (text:gsub("\\", "\\e"))
end

-- in lines of at most 80 bytes
local function sentence(text)
  local lines, line = {}, ""
  for word in escape(text:sub(1, 1):upper() .. text:sub(2) .. "."):gmatch "%S+" do
    if #line + 1 + #word > 80 then
      lines[#lines + 1] = line
      line = ""
    end
    line = line .. (line == "" and "" or " ") .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function add_rest(lines, row)
  lines[#lines + 1] = sentence(row.help)
  if row.default then
    lines[#lines + 1] = "Default:"
    lines[#lines + 1] = (".Cm %s ."):format(row.default)
  elseif row.required then
    lines[#lines + 1] = "Required."
  end
end

local function flags_of(row)
  local flags = { row.short and "Fl " .. row.short }
  flags[#flags + 1] = "Fl -" .. row.flag
  for _, alias in ipairs(row.aliases or {}) do
    flags[#flags + 1] = "Fl -" .. alias
  end
  return table.concat(flags, " , ")
end

local function list(name, add_item)
  local lines = { ".Bl -tag -width Ds" }
  for _, row in ipairs(options[name]) do
    if add_item(lines, row) then
      add_rest(lines, row)
    end
  end
  lines[#lines + 1] = ".El"
  return table.concat(lines, "\n") .. "\n"
end

local lists = {}

function lists.options(name)
  return list(name, function(lines, row)
    if row.flag then
      lines[#lines + 1] = ".It " .. flags_of(row)
        .. (row.argument and " Ar " .. row.argument or "")
      return true
    end
  end)
end

function lists.keys(name)
  return list(name, function(lines, row)
    if not row.is_flag_only then
      lines[#lines + 1] = ".It Ic " .. row.key
      return true
    end
  end)
end

--- A page with its lists made anew: between '.\" options server' or
--- '.\" keys group', and '.\" end'.  Also the names of the lists, joined.
---@param page string
---@return string
---@return table<string, boolean>
function manual.fill(page)
  local names = {}
  local filled = page:gsub('(%.\\" (%l+) (%l+)\n).-(%.\\" end\n)',
    function(head, kind, name, tail)
      names[kind .. " " .. name] = true
      return head .. lists[kind](name) .. tail
    end)
  return filled, names
end

return manual
