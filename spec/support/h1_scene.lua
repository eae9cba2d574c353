-- A visitor's connection over HTTP/1.1, and what specs ask it.

local assert = require "luassert"
local h1 = require "spec.h1"

local scene = {}

scene.get = "GET /path?q HTTP/1.1\r\nHost: example.com\r\n\r\n"
scene.chunked_post = "POST /upload HTTP/1.1\r\nHost: example.com\r\n" ..
  "Transfer-Encoding: chunked\r\n\r\n"
scene.hello = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

--- body(world); nothing may be left afterwards.
function scene.with(options, body)
  local world = h1.server(options)
  local fine, message = xpcall(body, debug.traceback, world)
  local left = world:finish()
  assert(fine, message)
  assert.equal(0, left)
end

--- The status of the one answer that was written.
function scene.status_of(output)
  return tonumber(output:match "^HTTP/1%.1 (%d%d%d) ")
end

--- What is answered to these bytes, and the connection's state.
function scene.answer_to(bytes, options)
  local output, state
  scene.with(options or { answer = "hello" }, function(world)
    world:feed(bytes)
    output, state = world:output(), world:state()
  end)
  return output, state
end

return scene
