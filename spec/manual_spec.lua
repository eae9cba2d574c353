-- The manual pages and the README's tables say what the table of options says.
-- With REVERST_UPDATE_MANUAL=1 the lists in the pages are made anew.

local manual = require "manual"
local options = require "reverst.config.options"
local programs = require "programs"

local pages = {
  ["bin/man/reverst.1"] =
    { "options server", "options client", "options control",
      "options certificate",
      "options run", "options import" },
  ["bin/man/reverst-config.5"] = { "keys server", "keys group" },
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read "a"
  file:close()
  return content
end

local function write(path, content)
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
end

local function has_mandoc()
  return os.execute "command -v mandoc >/dev/null 2>&1"
end

describe("a page of the manual", function()
  after_each(programs.end_all)

  for path, lists in pairs(pages) do
    it(("(%s) has every option, as the table says"):format(path), function()
      local page = read(path)
      local filled, names = manual.fill(page)
      for _, name in ipairs(lists) do
        assert.is_true(names[name], name)
      end
      if os.getenv "REVERST_UPDATE_MANUAL" then
        write(path, filled)
        page = filled
      end
      assert(page == filled, path .. " is not what options.lua says; run "
        .. "REVERST_UPDATE_MANUAL=1 bin/test spec/manual_spec.lua")
    end)

    it(("(%s) is well-formed"):format(path), function()
      if not has_mandoc() then
        return pending "without mandoc"
      end
      local lint = programs.start { "mandoc", "-Tlint", "-Wstyle", path,
        may_fail = true }
      lint:wait()
      local complaints = {}
      for line in lint:text "output":gmatch "[^\n]+" do
        -- the other page is not installed here
        if not line:find("referenced manual not found", 1, true)
          and not line:find("Mdocdate", 1, true) then
          complaints[#complaints + 1] = line
        end
      end
      assert.same({}, complaints)
    end)
  end

  it("shows each flag to who reads it", function()
    if not has_mandoc() then
      return pending "without mandoc"
    end
    local shown = programs.start { "mandoc", "-Tascii", "bin/man/reverst.1" }
    shown:wait()
    local text = shown:text "output":gsub(".\b", "")
    for _, row in ipairs(options.server) do
      assert.truthy(text:find("--" .. (row.flag or ""), 1, true), row.flag)
    end
  end)
end)

describe("the README", function()
  local readme

  setup(function()
    readme = read "README.md"
  end)

  -- the rows of the table below a heading
  local function section(heading)
    return assert(readme:match("\n### " .. heading .. "[^\n]*\n(.-)\n##"))
  end

  local function has(rows, of)
    for line in rows:gmatch "|[^\n]+" do
      local all = true
      for _, word in ipairs(of) do
        all = all and line:find("`" .. word .. "`", 1, true)
      end
      if all then
        return true
      end
    end
  end

  it("has every option of the server, with its flags and variable", function()
    local rows = section "The server"
    for _, row in ipairs(options.server) do
      local words = {}
      words[#words + 1] = row.flag and "--" .. row.flag or nil
      words[#words + 1] = options.variable(row)
      words[#words + 1] = row.short and "-" .. row.short or nil
      words[#words + 1] = not row.is_flag_only and row.key or nil
      assert(has(rows, words), row.key)
    end
  end)

  it("has every key of a group", function()
    local rows = section "The server"
    for _, row in ipairs(options.group) do
      assert(has(rows, { row.key }), row.key)
    end
  end)

  it("has every option of the client, with its flags and variable", function()
    local rows = section "The client"
    for _, row in ipairs(options.client) do
      assert(has(rows, { "--" .. row.flag, options.variable(row) }), row.key)
    end
  end)
end)
