-- The gate of an exchange: a response head that waits for the router's word.

local engines = require "spec.engine"
local exchanges = require "spec.exchange"
local failures = require("spec.text").failures()

local GET = { method = "GET", scheme = "http", authority = "a.example", path = "/" }
local OK = { status = 200, fields = { { "a", "1" } } }

local function cause(word)
  return failures[word].value
end

describe("a gated exchange", function()
  local engine, exchange

  local function expect(wanted)
    local seen = exchange:look()
    for key, value in pairs(wanted) do
      assert.same(value, seen[key], key)
    end
  end

  local function finish()
    exchange:detach "upstream"
    exchange:detach "router"
    exchange:detach "downstream"
    engine:run_turn()
    assert.equal(0, engine:exchanges())
  end

  before_each(function()
    engine = engines.new { now = 1000 }
    exchange = exchanges.new(engine, GET)
    exchange:submit(function()
      exchange:attach "router"
      exchange:attach "upstream"
    end)
    exchange:gate()
    exchange:woken()
  end)

  after_each(function()
    finish()
    engine:close()
  end)

  it("holds a response head until the router lets it pass", function()
    assert.is_true(exchange:respond(OK))
    local downstream, _, router = exchange:woken()
    assert.same({ false, true }, { downstream, router })
    expect { has_response = false, held = true, finished = false, head = 1000 }
    exchange:push("response", "body")
    assert.is_true(exchange:release())
    assert.is_true((exchange:woken()))
    expect { has_response = true, held = false,
      response = { status = 200, fields = { { "a", "1" } } } }
    assert.equal("body", exchange:take "response")
  end)

  it("lets a response pass that was whole while it was held", function()
    exchange:respond(OK)
    exchange:push("response", "body")
    exchange:finish "response"
    exchange:detach "upstream"
    expect { held = true, finished = false, failure = "none" }
    exchange:fail(cause "tunnel_lost")
    expect { held = true, failure = "none" }
    assert.is_true(exchange:release())
    assert.equal("body", exchange:take "response")
    expect { finished = true, failure = "none" }
  end)

  it("takes no second head, nor a late 1xx", function()
    exchange:respond(OK)
    assert.same({ nil, "REVERST_ERR_CLOSED" }, { exchange:respond(OK) })
    exchange:inform { status = 103 }
    assert.is_nil(exchange:take_informational())
  end)

  it("passes a 1xx that comes before", function()
    exchange:inform { status = 103 }
    assert.equal(103, exchange:take_informational().status)
  end)

  it("shows a failure that comes while the head is held, without a retry",
    function()
      exchange:push("request", "small")
      exchange:respond(OK)
      exchange:push("response", "half")
      exchange:woken()
      exchange:fail(cause "tunnel_lost")
      assert.same({ true, true, true }, { exchange:woken() })
      expect { has_response = false, concluded = true, finished = true,
        failure = "tunnel_lost" }
      assert.equal("aborted", (exchange:body "response"))
      exchange:detach "upstream"
      assert.is_false(exchange:retry())
      assert.is_true(exchange:release())
      expect { has_response = false, failure = "tunnel_lost" }
    end)

  it("shows a failure in place of a whole response when the router says so",
    function()
      exchange:respond(OK)
      exchange:push("response", "secret")
      exchange:finish "response"
      exchange:withdraw(cause "hook_failed")
      expect { has_response = false, concluded = true, failure = "hook_failed" }
      assert.equal("", exchange:take "response")
    end)

  it("is cancelled while the head is held", function()
    exchange:respond(OK)
    exchange:push("response", "half")
    exchange:woken()
    exchange:cancel()
    assert.same({ false, true, true }, { exchange:woken() })
    expect { cancelled = true, finished = true, has_response = false }
  end)

  it("fails when the router goes without a word", function()
    exchange:respond { status = 204 }
    exchange:detach "router"
    expect { has_response = false, concluded = true, failure = "internal" }
  end)

  it("is let pass or withdrawn only while a head is held", function()
    assert.is_true(exchange:release())
    exchange:withdraw(cause "hook_failed")
    expect { has_response = false, failure = "none", concluded = false }
    exchange:respond(OK)
    exchange:release()
    exchange:withdraw(cause "hook_failed")
    expect { has_response = true, failure = "none" }
  end)

  it("adds the router's fields as the head passes", function()
    exchange:add_answer_field("Set-Cookie", "a=b")
    exchange:respond(OK)
    expect { response = { status = 200, fields = { { "a", "1" } } } }
    exchange:release()
    expect { response = { status = 200,
      fields = { { "a", "1" }, { "set-cookie", "a=b" } } } }
  end)
end)

describe("an exchange without a gate", function()
  it("gets the router's fields as well", function()
    local engine = engines.new { now = 1000 }
    local exchange = exchanges.new(engine, GET)
    exchange:submit(function() exchange:attach "upstream" end)
    exchange:add_answer_field("x-a", "1")
    exchange:respond(OK)
    assert.same({ { "a", "1" }, { "x-a", "1" } }, exchange:look().response.fields)
    exchange:detach "upstream"
    exchange:detach "downstream"
    engine:run_turn()
    engine:close()
  end)
end)
