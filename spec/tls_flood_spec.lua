-- A TLS stream whose peer makes it answer, and takes no answers.

local event = require "spec.event"
local new_folder = require "new_folder"
local programs = require "programs"
local stream = require "spec.stream"

local UPDATES = 6000 -- of 27 bytes each: more than what may wait

describe("a TLS stream whose peer wants new keys again and again", function()
  local folder, loop

  before_each(function()
    loop = event.loop()
    folder = new_folder()
  end)

  after_each(function()
    programs.end_all()
    loop:dispatch()
    assert.equal(0, loop:live_streams())
    assert.is_true(loop:finish())
    os.execute("rm -r " .. folder)
  end)

  local function make_certificate()
    return os.execute(("cd %s && openssl req -x509 -newkey ec -pkeyopt "
      .. "ec_paramgen_curve:prime256v1 -nodes -days 3 -subj /CN=a -addext "
      .. "subjectAltName=DNS:localhost -keyout key -out crt 2>/dev/null")
      :format(folder))
  end

  it("stops reading until its answers are taken", function()
    if not make_certificate() then
      return pending "without openssl"
    end
    local server = programs.start { "openssl", "s_server", "-accept",
      "127.0.0.1:0", "-cert", folder .. "/crt", "-key", folder .. "/key",
      "-tls1_3", "-num_tickets", "0", input = true, may_fail = true }
    local service = stream.connect(loop, "127.0.0.1:"
      .. server:wait_for "^ACCEPT 127%.0%.0%.1:(%d+)")
    loop:wait(function()
      return service:state().connected
    end)
    local near, far = stream.pair(loop)
    local passed = {}
    local function pass(from, to)
      local text = from:received()
      if #text > (passed[from] or 0) then
        to:write(text:sub((passed[from] or 0) + 1))
        passed[from] = #text
      end
    end
    near:secure(loop, folder .. "/crt", "localhost")
    loop:wait(function()
      pass(far, service)
      pass(service, far)
      return near:state().connected
    end)
    near:write "a"
    programs.wait_until(function()
      loop:poll()
      pass(far, service)
      return server:text "output":find("\na", 1, true)
    end, "a", 10)

    far:set_reading(false)
    for _ = 1, UPDATES do
      local before = #service:received()
      server:write "K\n"
      loop:wait(function()
        return #service:received() > before
      end)
      pass(service, far)
      programs.pump() -- else it waits for its words to be read
    end
    server:write "hello\n"
    loop:wait(function()
      return #service:received() > passed[service]
    end)
    pass(service, far)
    for _ = 1, 100 do
      loop:poll()
    end
    assert.equal("", near:received())
    far:set_reading(true)
    loop:wait(function()
      return near:received() == "hello\n"
    end)
    for _, one in ipairs { near, far, service } do
      one:abort()
    end
  end)
end)
