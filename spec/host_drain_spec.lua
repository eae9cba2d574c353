-- How the server ends: after one signal when all is done, or its time is up;
-- after two at once.

local host = require "host"
local programs = require "programs"

describe("a server that is told to end", function()
  local server

  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  local function start(...)
    server = host.start_server { host.config(), ... }
    host.start_client(server)
    server:wait_for_event { event = "tunnel_up" }
  end

  -- a visitor's request that waits for its answer
  local function ask(arguments)
    local visitor = host.ask(server, "/", arguments)
    return visitor, host.accept_request()
  end

  -- an empty reply, a partial file, or a reset: never what looks whole
  local function sees_the_end(visitor)
    local ending, status = host.await(visitor)
    assert.equal("exit", ending)
    assert.is_true(status == 52 or status == 18 or status == 56, status)
  end

  local function ends_well()
    assert.same({ "exit", 0 }, { host.await(server) })
  end

  for _, name in ipairs { "TERM", "INT" } do
    it("by SIG" .. name .. " answers what it was asked, and says that it ends",
      function()
        start "--drain-timeout=off"
        local visitor, request = ask()
        server:signal(name)
        assert.same({ exchanges = "1", tunnels = "1", event = "draining",
          level = "info" }, (function(event)
            event.time = nil
            return event
          end)(server:wait_for_event { event = "draining" }))
        assert.is_true(server:is_running())
        host.answer(request, "at last")
        assert.same({ "exit", 0 }, { host.await(visitor) })
        assert.matches("^HTTP/1.1 200 ", visitor:text "output")
        assert.matches("\nconnection: close\r\n", visitor:text "output")
        assert.matches("at last$", visitor:text "output")
        ends_well()
        assert.equal(0, #server:events { event = "drain_timeout" })
        assert.equal(0, #server:events { event = "exchanges_aborted" })
      end)
  end

  it("lets a hook finish that waits for what it spawned, not the background",
    function()
      server = host.start_server { host.write("config.lua", [[
        local reverst = require "reverst"
        local log = require "reverst.log"
        reverst.spawn(function()
          local guard <close> = setmetatable({}, { __close = function()
            log.info "background_ended"
          end })
          while true do reverst.sleep(0.01) end
        end)
        return { groups = { app = { hosts = { "app.test" },
          authenticate = require "reverst.auth".insecure(),
          on_request = function()
            local task = reverst.spawn(function()
              log.info "hook_waits"
              reverst.sleep(0.5)
              return "spawned"
            end)
            return { body = select(2, task:wait()) }
          end } } }]]), "--drain-timeout=off" }
      host.start_client(server)
      server:wait_for_event { event = "tunnel_up" }
      local visitor = host.ask(server, "/")
      server:wait_for_event { event = "hook_waits" }
      server:signal "TERM"
      server:wait_for_event { event = "background_ended" }
      assert.same({ "exit", 0 }, { host.await(visitor) })
      assert.matches("spawned$", visitor:text "output")
      ends_well()
    end)

  it("lets a body go on that has begun", function()
    start "--drain-timeout=off"
    local visitor, request = ask()
    request:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst"
    host.wait_until(function()
      return visitor:text "output":find "first"
    end, "the body's begin")
    server:signal "TERM"
    server:wait_for_event { event = "draining" }
    request:write "12345"
    assert.same({ "exit", 0 }, { host.await(visitor) })
    assert.matches("first12345$", visitor:text "output")
    ends_well()
    request:close()
  end)

  it("closes connections that are kept, and takes no new ones", function()
    start "--drain-timeout=off"
    local kept = programs.connect(server.http)
    kept:write "GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n"
    kept:wait_for "^HTTP/1.1 404 "
    local visitor, request = ask()
    server:signal "TERM"
    -- the other side has closed when a connection is over
    kept:wait()
    local late = host.ask(server, "/")
    assert.same({ "exit", 7 }, { host.await(late) })
    host.answer(request, "at last")
    assert.same({ "exit", 0 }, { host.await(visitor) })
    ends_well()
  end)

  it("ends at once when nothing is under way", function()
    start "--drain-timeout=off"
    server:signal "TERM"
    assert.equal("0",
      server:wait_for_event { event = "draining" }.exchanges)
    ends_well()
    local down = server:events { event = "tunnel_down" }[1]
    assert.same({ "app", "closed", "server closing down" },
      { down.group, down.cause, down.reason })
  end)

  it("breaks off at the end of drain_timeout, and counts what", function()
    start "--drain-timeout=100ms"
    local first, first_request = ask()
    local second, second_request = ask()
    second_request:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst"
    host.wait_until(function()
      return second:text "output":find "first"
    end, "the body's begin")
    server:signal "TERM"
    assert.equal("2",
      server:wait_for_event { event = "drain_timeout" }.exchanges)
    ends_well()
    sees_the_end(first)
    sees_the_end(second)
    host.await_close(first_request)
    host.await_close(second_request)
  end)

  for _, names in ipairs { { "TERM", "TERM" }, { "INT", "INT" },
    { "TERM", "INT" } } do
    it(("ends at once after SIG%s and SIG%s"):format(names[1], names[2]),
      function()
        start "--drain-timeout=off"
        local visitor, request = ask()
        server:signal(names[1])
        server:wait_for_event { event = "draining" }
        server:signal(names[2])
        assert.equal("1",
          server:wait_for_event { event = "exchanges_aborted" }.exchanges)
        ends_well()
        sees_the_end(visitor)
        host.await_close(request)
      end)
  end

  it("refuses who registers meanwhile, so that they come again", function()
    start "--drain-timeout=off"
    local visitor, request = ask()
    server:signal "TERM"
    server:wait_for_event { event = "draining" }
    local other = host.start_client(server)
    local refused = server:wait_for_event { event = "registration_refused" }
    assert.equal("draining", refused.reason)
    other:wait_for "next try in"
    host.answer(request, "at last")
    host.await(visitor)
    ends_well()
  end)
end)
