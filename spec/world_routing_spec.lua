-- SPDX-License-Identifier: MIT
-- Which group a visitor comes to, and what the fields say on the way.
local World = require "world"

describe("a request's host", function()
  local world, facts

  local function answer_as(name)
    return function(_, request)
      facts = request:facts()
      request:respond { body = name }
    end
  end

  before_each(function()
    world = World.new()
    world:server { groups = {
      red = { "red.test", "also-red.test" }, blue = { "blue.test" },
      idle = { "idle.test" },
    } }
    world:connected_client { group = "red", on_request = answer_as "red" }
    world:connected_client { group = "blue", on_request = answer_as "blue" }
  end)
  after_each(function() world:close() end)

  local function group_of(host)
    return world:get("/", { host = host }):body()
  end

  it("chooses the group", function()
    assert.equal("red", group_of("red.test"))
    assert.equal("red", group_of("also-red.test"))
    assert.equal("blue", group_of("blue.test"))
  end)

  it("is compared without case, port and trailing dot", function()
    assert.equal("red", group_of("RED.Test"))
    assert.equal("red", group_of("red.test:8080"))
    assert.equal("blue", group_of("blue.test."))
    assert.equal("blue", group_of("Blue.TEST.:443"))
  end)

  it("comes to the origin as the visitor wrote it", function()
    group_of("Red.test:8080")
    assert.equal("Red.test:8080", facts.host)
  end)

  it("is 404 when no group has it", function()
    local answer = world:get("/", { host = "unknown.test" })
    assert.equal(404, answer.status)
    assert.matches("No service", answer:body())
    assert.is_nil(answer:header("retry-after"))
  end)

  it("is 503 with Retry-After when its group has no tunnel", function()
    local answer = world:get("/", { host = "idle.test" })
    assert.equal(503, answer.status)
    assert.equal("5", answer:header("retry-after"))
    assert.is_truthy(answer:header("content-length"))
  end)

  it("is never taken from X-Forwarded-Host", function()
    local answer = world:get("/", {
      host = "red.test", headers = { { "X-Forwarded-Host", "blue.test" } },
    })
    assert.equal("red", answer:body())
  end)

  it("is taken from an absolute target before Host", function()
    assert.equal("blue", world:get("http://blue.test/x?y", {
      host = "red.test",
    }):body())
    assert.equal("/x?y", facts.path)
    assert.equal("blue.test", facts.host)
  end)
end)

describe("the fields of a request", function()
  local world, headers, facts

  before_each(function()
    world = World.new()
    world:server { groups = { app = { "app.test" } } }
    world:connected_client {
      group = "app",
      on_request = function(_, request)
        facts = request:facts()
        headers = facts.headers
        request:respond { status = 204 }
      end,
    }
  end)
  after_each(function() world:close() end)

  it("say who asked for what and which way it came", function()
    world:get("/a?b=c")
    assert.equal("127.0.0.1", World.value(headers, "x-forwarded-for"))
    assert.equal("http", World.value(headers, "x-forwarded-proto"))
    assert.equal("app.test", World.value(headers, "x-forwarded-host"))
    assert.equal("1.1 reverst", World.value(headers, "via"))
    assert.is_true(#World.value(headers, "x-request-id") >= 16)
    assert.equal("http", facts.scheme)
    assert.equal("/a?b=c", facts.path)
    assert.equal("GET", facts.method)
  end)

  it("give each request an id of its own", function()
    world:get("/")
    local first = World.value(headers, "x-request-id")
    world:get("/")
    assert.not_equal(first, World.value(headers, "x-request-id"))
  end)

  it("cannot be forged by a visitor", function()
    world:get("/", { headers = {
      { "X-Forwarded-For", "6.6.6.6" }, { "X-Forwarded-Proto", "https" },
      { "X-Forwarded-Host", "evil.test" }, { "X-Real-IP", "6.6.6.6" },
      { "Forwarded", "for=6.6.6.6" }, { "X_Forwarded_For", "6.6.6.6" },
      { "X-Request-Id", "mine" },
    } })
    assert.equal("127.0.0.1", World.value(headers, "x-forwarded-for"))
    assert.equal("http", World.value(headers, "x-forwarded-proto"))
    assert.equal("app.test", World.value(headers, "x-forwarded-host"))
    assert.is_nil(World.value(headers, "x-real-ip"))
    assert.is_nil(World.value(headers, "forwarded"))
    assert.is_nil(World.value(headers, "x_forwarded_for"))
    assert.not_equal("mine", World.value(headers, "x-request-id"))
  end)

  it("cannot be removed by naming them in Connection", function()
    world:get("/", { headers = {
      { "Connection", "X-Forwarded-For, Cookie, Authorization, Host, x-mine" },
      { "Cookie", "a=b" }, { "Authorization", "Basic eA==" }, { "X-Mine", "1" },
    } })
    assert.equal("127.0.0.1", World.value(headers, "x-forwarded-for"))
    assert.equal("a=b", World.value(headers, "cookie"))
    assert.equal("Basic eA==", World.value(headers, "authorization"))
    assert.equal("app.test", facts.host)
    assert.is_nil(World.value(headers, "x-mine"))
  end)

  it("lose what is meant for one hop only", function()
    world:get("/", { headers = {
      { "Connection", "close, X-Hop" }, { "X-Hop", "1" },
      { "Keep-Alive", "timeout=5" }, { "Proxy-Connection", "close" },
      { "TE", "gzip" }, { "Upgrade", "h2c" },
    } })
    for _, name in ipairs { "connection", "x-hop", "keep-alive",
      "proxy-connection", "te", "upgrade", "transfer-encoding" } do
      assert.same({}, World.values(headers, name), name)
    end
  end)

  it("keep order, repetition, empty values and foreign bytes", function()
    world:get("/", { headers = {
      { "X-Many", "1" }, { "X-Empty", "" }, { "X-Many", "2" },
      { "X-Latin", "caf\xe9" }, { "X-Many", "1" },
    } })
    assert.same({ "1", "2", "1" }, World.values(headers, "x-many"))
    assert.equal("", World.value(headers, "x-empty"))
    assert.equal("caf\xe9", World.value(headers, "x-latin"))
  end)
end)

describe("the fields of a response", function()
  local world, response

  before_each(function()
    world = World.new()
    world:server { groups = { app = { "app.test" } } }
    world:connected_client {
      group = "app",
      on_request = function(_, request)
        assert(request:respond(response))
      end,
    }
  end)
  after_each(function() world:close() end)

  it("come as they were set, Set-Cookie never merged", function()
    response = { body = "x", headers = {
      { "Set-Cookie", "a=1; Path=/" }, { "X-Other", "" },
      { "set-cookie", "b=2, c" }, { "Server", "mine" },
    } }
    local answer = world:get("/")
    assert.same({ "a=1; Path=/", "b=2, c" },
      World.values(answer.headers, "set-cookie"))
    assert.equal("", answer:header("x-other"))
    assert.equal("mine", answer:header("server"))
  end)

  it("lose what is meant for one hop only", function()
    response = { body = "x", headers = {
      { "Connection", "close, X-Hop" }, { "X-Hop", "1" },
      { "Keep-Alive", "timeout=5" }, { "Transfer-Encoding", "chunked" },
      { "Content-Length", "77" }, { "X-Kept", "1" },
    } }
    local answer = world:get("/")
    assert.is_nil(answer:header("x-hop"))
    assert.is_nil(answer:header("keep-alive"))
    assert.equal("1", answer:header("x-kept"))
    assert.equal("1", answer:header("content-length"))
    assert.equal("x", answer:body())
  end)
end)
