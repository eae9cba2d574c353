-- The examples do what their READMEs say.

local new_folder = require "new_folder"
local programs = require "programs"

local binaries = os.getenv "REVERST_BIN_DIR"

describe("the example simple", function()
  local folder

  before_each(function()
    folder = new_folder()
  end)

  after_each(function()
    programs.end_all()
    os.execute("rm -r " .. folder)
  end)

  it("answers PONG", function()
    local certificate = { "-c", folder .. "/server.crt", "-k",
      folder .. "/server.key" }
    local reverst = binaries .. "/reverst"
    programs.start({ reverst, "certificate", "flipt.dev.local",
      table.unpack(certificate) }):wait()
    local server = programs.start { reverst, "-a", "127.0.0.1:0", "-s",
      "127.0.0.1:0", "examples/simple/config.lua", table.unpack(certificate) }
    local tunnel = server:wait_for_event { event = "listening",
      ["for"] = "tunnels" }.address
    local http = server:wait_for_event { event = "listening",
      ["for"] = "visitors" }.address
    local client = programs.start { binaries .. "/reverst-example-simple",
      "--address", tunnel, "--ca", folder .. "/server.crt" }
    client:wait_for "registered"
    server:wait_for_event { event = "tunnel_up", group = "flipt.dev.local" }
    local visitor = programs.start { "curl", "--silent", "--show-error",
      "--header", "Host: flipt.dev.local", http .. "/fo" }
    assert.same({ "exit", 0 }, { visitor:wait() })
    assert.equal("PONG", visitor:text "output")
    client:signal "INT"
    assert.same({ "exit", 0 }, { client:wait() })
  end)

  it("explains its flags when it does not know one", function()
    local program = programs.start { binaries .. "/reverst-example-simple",
      "--nonsense", may_fail = true }
    assert.same({ "exit", 2 }, { program:wait() })
    assert.matches("usage: ", program:text "errors")
  end)
end)

describe("the example embed", function()
  after_each(programs.end_all)

  it("prints the answer to its own request, and ends", function()
    local program = programs.start { binaries .. "/reverst-example-embed" }
    assert.same({ "exit", 0 }, { program:wait() })
    assert.matches("^HTTP/1.1 200 ", program:text "output")
    assert.matches("\r\n\r\napp.example.com was asked for /\n$",
      program:text "output")
    assert.equal("", program:text "errors")
  end)

  it("says why it cannot start", function()
    local program = programs.start { binaries .. "/reverst-example-embed",
      environment = { TMPDIR = "/nowhere" }, may_fail = true }
    assert.same({ "exit", 1 }, { program:wait() })
    assert.matches("^cannot start: ", program:text "errors")
  end)
end)
