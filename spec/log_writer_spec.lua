-- How the program writes its log: a configuration that logs shows it.

local host = require "host"
local new_folder = require "new_folder"
local programs = require "programs"

local reverst = os.getenv "REVERST_BIN_DIR" .. "/reverst"

-- the lines that a script leaves, without their times
local function lines_of(script)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write("local log = require 'reverst.log'\n", script)
  file:close()
  local program = programs.start { reverst, path, may_fail = true }
  program:wait()
  os.remove(path)
  local lines = {}
  for time, line in program:text "errors":gmatch "time=(%S+) (level=[^\n]*)\n" do
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", time)
    lines[#lines + 1] = line
  end
  return lines
end

describe("the log", function()
  after_each(programs.end_all)

  it("has one line for each entry, its fields in order", function()
    assert.same({
      "level=info event=first a=1 b=text c=true d=1.5",
      "level=warn event=second",
      "level=error event=third",
    }, lines_of [[
      log.info("first", { b = "text", a = 1, d = 1.5, c = true })
      log.warn "second"
      log.error("third", {})
    ]])
  end)

  it("leaves out what is below its level", function()
    assert.same({}, lines_of "log.trace 'no' log.debug 'no'")
  end)

  it("quotes what a program could misread", function()
    assert.same({ [[level=info event=e a="" b="x y" c="say \"hi\"" d="k=v" ]]
      .. [[e="back\\slash"]] }, lines_of [[
      log.info("e", { a = "", b = "x y", c = 'say "hi"', d = "k=v",
        e = "back\\slash" })
    ]])
  end)

  it("lets no byte through that moves a cursor or makes a line", function()
    assert.same({ [[level=info event=e a="\x1b[2J" b="one\ntwo\x0d\t\x00" ]]
      .. [[c="\xc2\x9b\x7f"]] }, lines_of [[
      log.info("e", { a = "\27[2J", b = "one\ntwo\r\t\0", c = "\xc2\x9b\x7f" })
    ]])
  end)

  it("cuts a line that is too long", function()
    local lines = lines_of "log.info('e', { a = ('x'):rep(1e5), b = 1 })"
    assert.same({ "level=info event=e a=..." }, lines)
  end)

  it("takes keys that are texts only", function()
    assert.same({}, lines_of "log.info('e', { 'x' })")
  end)
end)

describe("the log as JSON", function()
  local folder, json = nil, require "cjson"

  before_each(function()
    folder = new_folder()
  end)

  after_each(function()
    programs.end_all()
    os.execute("rm -r " .. folder)
  end)

  local function raw_lines(script)
    local path = folder .. "/script.lua"
    local file = assert(io.open(path, "wb"))
    file:write("require 'reverst.core'.set_log_format 'json'\n",
      "local log = require 'reverst.log'\n", script)
    file:close()
    local program = programs.start { reverst, path, may_fail = true }
    program:wait()
    local lines = {}
    for line in program:text "errors":gmatch "({\"time[^\n]*)\n" do
      lines[#lines + 1] = line
    end
    return lines
  end

  local function entry_of(script)
    local lines = raw_lines(script)
    assert.equal(1, #lines)
    local entry = json.decode(lines[1])
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", entry.time)
    entry.time = nil
    return entry, lines[1]
  end

  it("has one object for each entry", function()
    assert.same({ level = "info", event = "e", a = 1, b = 'say "hi"\\', c = "",
      d = "k=v", ["e f"] = "-" }, (entry_of [[
      log.info("e", { a = 1, b = 'say "hi"\\', c = "", d = "k=v",
        ["e f"] = "-" })]]))
  end)

  it("keeps characters, and shows bytes that are none", function()
    local entry = entry_of [[log.info("e", { a = "z\u{fc}g \u{20ac} \u{1f600}",
      b = "\xff\xc3", c = "\xed\xa0\x80", d = "\xf4\x90\x80\x80",
      e = "\xc0\x80" })]]
    assert.same({ level = "info", event = "e", a = "z\u{fc}g \u{20ac} \u{1f600}",
      b = "\u{ff}\u{c3}", c = "\u{ed}\u{a0}\u{80}",
      d = "\u{f4}\u{90}\u{80}\u{80}", e = "\u{c0}\u{80}" }, entry)
  end)

  it("lets no byte through that moves a cursor or makes a line", function()
    local _, line = entry_of
      [[log.info("e", { a = "\27[2J\n\r\0\127", b = "\u{9b}" })]]
    assert.truthy(line:find(
      [["a":"\u001b[2J\u000a\u000d\u0000\u007f","b":"\u00c2\u009b"]], 1, true))
  end)

  it("leaves out what makes a line too long, and says so", function()
    local entry, line = entry_of
      "log.info('e', { a = 1, b = ('x'):rep(1e5), c = 2 })"
    assert.same({ level = "info", event = "e", a = 1, cut = true }, entry)
    assert.is_true(#line < 4096)
    -- whatever the length
    for length = 3970, 4020, 7 do
      line = select(2, entry_of(
        ("log.info('e', { b = ('x'):rep(%d) })"):format(length)))
      assert.is_true(#line < 4096)
    end
  end)

  it("is what a server writes when told so", function()
    host.open()
    finally(host.close)
    host.make_certificate "server"
    for _, how in ipairs {
      { "--log-format=json" },
      { environment = { REVERST_LOG_FORMAT = "json" } },
    } do
      local server = programs.start { reverst, host.config(), "-n", "localhost",
        "-c", host.path "server.crt", "-k", host.path "server.key", "-a",
        "127.0.0.1:0", "-s", "127.0.0.1:0", environment = how.environment,
        table.unpack(how) }
      local line = server:wait_for('^({"time":"[^"]+","level":"info",'
        .. '"event":"serving",.*})$')
      local entry = json.decode(line)
      assert.same({ "app", "app.test", "insecure" },
        { entry.group, entry.hosts, entry.authenticate })
      -- from the first line on
      for each in server:text "errors":gmatch "[^\n]+" do
        assert.is_string(json.decode(each).event)
      end
    end
  end)

  it("knows no third format", function()
    local path = folder .. "/script.lua"
    local file = assert(io.open(path, "wb"))
    file:write "require 'reverst.core'.set_log_format 'xml'"
    file:close()
    local program = programs.start { reverst, path, may_fail = true }
    program:wait()
    assert.matches("there is no such format", program:text "errors")
  end)
end)
