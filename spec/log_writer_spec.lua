-- How the program writes its log: a configuration that logs shows it.

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
