-- SPDX-License-Identifier: MIT
local World = require "world"

describe("a server and a client in one process", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("answer a visitor by a function", function()
    world:server { groups = { app = { "app.test" } } }
    world:connected_client {
      group = "app",
      on_request = function(_, request)
        request:respond { body = "PONG\n" }
      end,
    }
    local answer = world:get("/ping")
    assert.equal(200, answer.status)
    assert.equal("PONG\n", answer:body())
    assert.equal("5", answer:header("content-length"))
  end)
end)
