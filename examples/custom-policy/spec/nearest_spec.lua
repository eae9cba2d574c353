-- reverst test, in the folder above

local nearest = require "nearest"
local testing = require "reverst.testing"

local function request_from(region)
  return testing.request { headers = { ["X-Region"] = region } }
end

describe("the policy nearest", function()
  local policy, europe, busy, america, tunnels

  before_each(function()
    policy = nearest "x-region"
    tunnels = testing.tunnels {
      { labels = { region = "eu" }, active = 7 },
      { labels = { region = "eu" }, active = 9 },
      { labels = { region = "us" } },
    }
    europe, busy, america = table.unpack(tunnels)
  end)

  it("prefers a tunnel of the visitor's region", function()
    assert.equal(europe, testing.choose(policy, tunnels, request_from "eu"))
    assert.equal(america, testing.choose(policy, tunnels, request_from "us"))
  end)

  it("takes the least busy of them", function()
    busy.active = 1
    assert.equal(busy, testing.choose(policy, tunnels, request_from "eu"))
  end)

  it("goes elsewhere rather than nowhere", function()
    assert.equal(america, testing.choose(policy, tunnels, request_from "cn"))
    assert.equal(america, testing.choose(policy, tunnels, testing.request()))
  end)
end)

describe("the configuration", function()
  it("lets in who has the password", function()
    local authenticate = testing.config "config.lua".groups.app.authenticate
    assert.is_true(testing.authenticate(authenticate,
      testing.registration { username = "user", password = "pass" }))
    assert.is_falsy(testing.authenticate(authenticate,
      testing.registration { username = "user", password = "guess" }))
  end)
end)
