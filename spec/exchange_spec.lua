-- The exchange: what its three parties see of each other.

local engines = require "spec.engine"
local exchanges = require "spec.exchange"
local failures = require("spec.text").failures()

local GET = { method = "GET", scheme = "http", authority = "a.example", path = "/" }
local POST = { method = "POST", scheme = "http", authority = "a.example", path = "/" }
local OK = { status = 200 }

local function cause(word)
  return failures[word].value
end

describe("an exchange", function()
  local engine, exchange

  local function make(head)
    exchange = exchanges.new(engine, head)
  end

  -- Submits it to an upstream, with a router unless told otherwise.
  local function start(head, without_router)
    make(head)
    exchange:submit(function()
      if not without_router then
        exchange:attach "router"
      end
      exchange:attach "upstream"
    end)
    exchange:woken()
  end

  local function expect(wanted)
    local seen = exchange:look()
    for key, value in pairs(wanted) do
      assert.same(value, seen[key], key)
    end
  end

  -- All parties go; nothing may be left.
  local function finish()
    exchange:detach "upstream"
    exchange:detach "router"
    exchange:detach "downstream"
    assert.equal(1, engine:exchanges())
    engine:run_turn()
    assert.equal(0, engine:exchanges())
  end

  before_each(function()
    engine = engines.new { now = 1000 }
  end)

  after_each(function()
    engine:close()
  end)

  it("passes a request on and a response back", function()
    start(GET)
    exchange:push("request", "question")
    exchange:finish "request"
    assert.equal("question", exchange:take "request")
    engine:set_now(2000)
    assert.is_true(exchange:respond { status = 200, fields = { { "a", "1" } } })
    assert.is_true((exchange:woken()))
    expect { has_response = true, finished = false, start = 1000, head = 2000,
      response = { status = 200, fields = { { "a", "1" } } } }
    exchange:push("response", "answer")
    exchange:finish "response"
    exchange:detach "upstream"
    expect { finished = false, failure = "none" }
    assert.equal("answer", exchange:take "response")
    expect { finished = true, failure = "none", cancelled = false }
    engine:set_now(3000)
    finish()
  end)

  it("is freed at the end of the turn in which the last party went", function()
    make(GET)
    exchange:detach "downstream"
    assert.equal(1, engine:exchanges())
    engine:run_turn()
    assert.equal(0, engine:exchanges())
  end)

  it("gets a request id of its own, unless it has one", function()
    start(GET)
    local id = exchange:look().request_id
    assert.matches("^[0-9a-f]+$", id)
    assert.equal(32, #id)
    finish()
    start(GET)
    assert.are_not.equal(id, exchange:look().request_id)
    finish()
    make(GET)
    exchange:set_request_id "mine"
    exchange:submit()
    expect { request_id = "mine" }
    finish()
  end)

  it("fails when the handler attaches nobody", function()
    make(GET)
    exchange:submit(function() end)
    expect { failure = "internal", concluded = true, finished = true }
    assert.is_true((exchange:woken()))
    finish()
  end)

  it("is not failed for a router that attached", function()
    make(GET)
    exchange:submit(function()
      exchange:attach "router"
    end)
    expect { failure = "none", concluded = false }
    finish()
  end)

  it("ends the body of a response that has none", function()
    start(GET)
    exchange:respond { status = 204, no_body = true }
    assert.equal("ended", (exchange:body "response"))
    expect { finished = true }
    finish()
  end)

  it("takes one final head", function()
    start(GET)
    exchange:respond(OK)
    assert.same({ nil, "REVERST_ERR_CLOSED" }, { exchange:respond { status = 500 } })
    expect { response = { status = 200, fields = {} } }
    finish()
  end)

  describe("with informational heads", function()
    it("gives them in order, and wakes", function()
      start(GET)
      exchange:inform { status = 100 }
      exchange:inform { status = 103, fields = { { "link", "x" } } }
      assert.is_true((exchange:woken()))
      assert.same({ status = 100, fields = {} }, exchange:take_informational())
      assert.same({ status = 103, fields = { { "link", "x" } } },
        exchange:take_informational())
      assert.is_nil(exchange:take_informational())
      finish()
    end)

    it("takes sixteen in all", function()
      start(GET)
      for i = 1, 16 do
        assert.is_true(exchange:inform { status = 103 })
        if i % 2 == 0 then
          exchange:take_informational()
        end
      end
      assert.same({ nil, "REVERST_ERR_LIMIT" }, { exchange:inform { status = 103 } })
      finish()
    end)

    it("drops those behind the final head and those for nobody", function()
      start(GET)
      exchange:respond(OK)
      assert.is_true(exchange:inform { status = 103 })
      assert.is_nil(exchange:take_informational())
      finish()
      start(GET)
      exchange:cancel()
      assert.is_true(exchange:inform { status = 103 })
      assert.is_nil(exchange:take_informational())
      finish()
    end)
  end)

  describe("that is cancelled", function()
    it("tells the upstream and the router, and breaks both bodies off", function()
      start(POST)
      exchange:push("request", "part")
      exchange:woken()
      exchange:cancel()
      local _, upstream, router = exchange:woken()
      assert.is_true(upstream and router)
      expect { cancelled = true, failure = "cancelled", concluded = false,
        finished = true, ended = 1000 }
      assert.same({ "aborted", false, cause "cancelled" }, { exchange:body "request" })
      assert.same({ "stopped", true, 0 }, { exchange:body "response" })
      assert.same({ nil, "REVERST_ERR_CLOSED" }, { exchange:respond(OK) })
      exchange:fail(cause "upstream_reset")
      expect { failure = "cancelled", concluded = false }
      assert.is_false(exchange:retry())
      finish()
    end)

    it("is cancelled by a downstream that leaves early", function()
      start(POST)
      exchange:detach "downstream"
      local downstream, upstream = exchange:woken()
      assert.is_false(downstream)
      assert.is_true(upstream)
      expect { cancelled = true }
      finish()
    end)

    it("is not, once it is finished", function()
      start(GET)
      exchange:finish "request"
      exchange:respond { status = 204, no_body = true }
      exchange:cancel()
      expect { cancelled = false, failure = "none" }
      finish()
    end)

    it("after a failure was noted is over", function()
      start(GET)
      exchange:fail(cause "refused")
      exchange:cancel()
      expect { cancelled = true, failure = "cancelled" }
      exchange:conclude()
      expect { concluded = false }
      finish()
    end)
  end)

  it("aborts an upload that nobody will complete", function()
    start(POST)
    exchange:push("request", "part")
    exchange:respond { status = 413, no_body = true }
    exchange:detach "downstream"
    assert.equal("aborted", (exchange:body "request"))
    expect { cancelled = false }
    finish()
  end)

  describe("whose upstream fails", function()
    it("before the head asks the router", function()
      start(GET)
      exchange:fail(cause "refused")
      local _, _, router = exchange:woken()
      assert.is_true(router)
      expect { failure = "refused", concluded = false, finished = false }
      assert.same({ nil, "REVERST_ERR_CLOSED" }, { exchange:respond(OK) })
      exchange:detach "upstream"
      engine:set_now(5000)
      exchange:conclude()
      assert.is_true((exchange:woken()))
      expect { failure = "refused", concluded = true, finished = true, ended = 5000 }
      assert.is_false(exchange:retry())
      finish()
    end)

    it("before the head shows it when there is no router", function()
      start(POST, true)
      exchange:push("request", "part")
      exchange:fail(cause "refused")
      expect { failure = "refused", concluded = true }
      assert.same({ "stopped", true, 0 }, { exchange:body "request" })
      finish()
    end)

    it("after the head breaks the body off with the cause", function()
      start(GET)
      exchange:respond(OK)
      exchange:push("response", "part")
      exchange:woken()
      exchange:fail(cause "upstream_reset")
      assert.is_true((exchange:woken()))
      assert.same({ "aborted", false, cause "upstream_reset" },
        { exchange:body "response" })
      expect { failure = "upstream_reset", concluded = false, finished = true,
        ended = 1000 }
      assert.is_false(exchange:retry())
      finish()
    end)

    it("after the whole body changes nothing", function()
      start(GET)
      exchange:respond(OK)
      exchange:push("response", "whole")
      exchange:finish "response"
      exchange:fail(cause "tunnel_lost")
      exchange:detach "upstream"
      expect { failure = "none" }
      assert.equal("whole", exchange:take "response")
      expect { finished = true }
      finish()
    end)

    it("counts only the first time", function()
      start(GET)
      exchange:fail(cause "tunnel_lost")
      exchange:fail(cause "internal")
      expect { failure = "tunnel_lost" }
      finish()
    end)

    it("fails it also by leaving without a word", function()
      start(GET)
      exchange:detach "upstream"
      expect { failure = "internal", concluded = false }
      finish()
      start(GET)
      exchange:respond(OK)
      exchange:detach "upstream"
      assert.same({ "aborted", false, cause "internal" }, { exchange:body "response" })
      finish()
    end)
  end)

  describe("whose router leaves", function()
    it("shows a failure that it did not decide about", function()
      start(GET)
      exchange:fail(cause "refused")
      exchange:detach "router"
      expect { failure = "refused", concluded = true }
      finish()
    end)

    it("fails if nobody else is there", function()
      make(GET)
      exchange:submit(function()
        exchange:attach "router"
      end)
      exchange:detach "router"
      expect { failure = "internal", concluded = true }
      finish()
    end)

    it("goes on with its upstream, and fails without a retry", function()
      start(GET)
      exchange:detach "router"
      expect { failure = "none" }
      exchange:fail(cause "refused")
      expect { concluded = true }
      finish()
    end)
  end)

  describe("that is tried again", function()
    it("gives the next upstream the whole request, early and late parts", function()
      start { method = "PUT", path = "/" }
      exchange:push("request", "one ")
      assert.equal("one ", exchange:take "request")
      exchange:push("request", "two ")
      exchange:fail(cause "tunnel_lost")
      assert.same({ "stopped", false, 0 }, { exchange:body "request" })
      exchange:detach "upstream"
      exchange:push("request", "three")
      assert.is_true(exchange:retry())
      expect { failure = "none", concluded = false }
      assert.equal("open", (exchange:body "request"))
      exchange:attach "upstream"
      assert.equal("one two three", exchange:take "request")
      exchange:finish "request"
      assert.equal("ended", (exchange:body "request"))
      exchange:respond(OK)
      finish()
    end)

    it("keeps the end of a request that was whole", function()
      start(GET)
      exchange:finish "request"
      exchange:fail(cause "refused")
      exchange:detach "upstream"
      assert.is_true(exchange:retry())
      assert.equal("ended", (exchange:body "request"))
      finish()
    end)

    it("can be so more than once", function()
      start(GET)
      exchange:push("request", "body")
      for _ = 1, 3 do
        assert.equal("body", exchange:take "request")
        exchange:fail(cause "refused")
        exchange:detach "upstream"
        assert.is_true(exchange:retry())
        exchange:attach "upstream"
      end
      finish()
    end)

    it("cannot be after the window overflowed, also while it waits", function()
      start(GET)
      exchange:push("request", ("x"):rep(65537))
      exchange:take "request"
      exchange:fail(cause "refused")
      exchange:detach "upstream"
      assert.is_false(exchange:retry())
      finish()

      start(GET)
      exchange:push("request", "x")
      exchange:fail(cause "refused")
      exchange:detach "upstream"
      exchange:push("request", ("x"):rep(65536))
      assert.is_false(exchange:retry())
      finish()
    end)

    it("cannot be when the visitor's upload broke off meanwhile", function()
      start(GET)
      exchange:push("request", "x")
      exchange:fail(cause "refused")
      exchange:detach "upstream"
      exchange:cancel()
      assert.is_false(exchange:retry())
      finish()
    end)

    for word, row in pairs(failures) do
      for _, method in ipairs { "GET", "HEAD", "OPTIONS", "PUT", "DELETE",
        "POST", "PATCH", "CONNECT", "get" } do
        local idempotent = ("GET HEAD OPTIONS PUT DELETE"):find(method, 1, true) ~= nil
        local may = row.retry == "safe" or row.retry == "idempotent" and idempotent
        if word ~= "none" then
          it((may and "may" or "must not") .. " be: " .. method .. " after " .. word,
            function()
              start { method = method, path = "/" }
              exchange:fail(row.value)
              exchange:detach "upstream"
              assert.equal(may, exchange:retry())
              finish()
            end)
        end
      end
    end
  end)

  it("stops the rest of an upload that an answer made needless", function()
    start(POST)
    exchange:push("request", "part")
    exchange:respond(OK)
    assert.equal("open", (exchange:body "request"))
    exchange:finish "response"
    exchange:detach "upstream"
    assert.same({ "stopped", true, 0 }, { exchange:body "request" })
    assert.is_true(exchange:push("request", "rest"))
    expect { failure = "none" }
    finish()
  end)
end)
