-- Uploads to a peer with a small connection window: those that nobody reads
-- must not stop the others.

local bytes = require "h3_bytes"

local CONNECTION, STREAM = 786432, 524288

-- A peer as quic-go is: it opens a window further after a quarter of it was
-- read, by what was read.
local function new_peer(world, quietly)
  local peer = { streams = {}, read = 0, opened = 0, stuck = {} }

  local function read_stream(id)
    local stream = peer.streams[id] or { read = 0, opened = 0 }
    peer.streams[id] = stream
    local written = world:stream(id).written
    peer.read = peer.read + written - stream.read
    stream.read = written
    if stream.read - stream.opened >= STREAM // 4 then
      world:grow(id, stream.read - stream.opened)
      stream.opened = stream.read
    end
  end

  -- reads all but the stuck streams; true: something was read
  function peer.step(ids)
    local before = peer.read
    world:run()
    for _, id in ipairs(ids) do
      if not peer.stuck[id] then
        read_stream(id)
      end
    end
    if peer.read - peer.opened >= CONNECTION // 4 then
      world:grow(-1, peer.read - peer.opened, quietly)
      peer.opened = peer.read
    end
    return peer.read > before
  end

  return peer
end

describe("uploads to a Go client", function()
  local world, peer, ids, next_id

  local function upload(size, stuck)
    local down = assert(world:request(bytes.post))
    down:write(("x"):rep(size))
    down:finish()
    ids[#ids + 1] = next_id
    peer.stuck[next_id] = stuck
    next_id = next_id + 4
    return next_id - 4
  end

  local function run_peer()
    for _ = 1, 1000 do
      if not peer.step(ids) then
        return
      end
    end
  end

  before_each(function()
    world = bytes.world {
      role = "requester", window = CONNECTION, stream_window = STREAM,
    }
    peer, ids, next_id = new_peer(world), {}, 1
  end)

  after_each(bytes.finish_all)

  local function check_small_ones()
    local small = {}
    for i = 1, 100 do
      small[i] = upload(10240)
      if i % 10 == 0 then
        run_peer()
      end
    end
    run_peer()
    for i = 1, 100 do
      assert.is_true(world:stream(small[i]).fin, "upload " .. i)
    end
    world:request(bytes.get)
    world:run()
    assert.is_true(world:stream(next_id).fin)
  end

  it("pass ten stuck ones that were started at once", function()
    for _ = 1, 10 do
      upload(1000000, true)
    end
    run_peer()
    assert.is_true(world:totals().window > 128 * 1024)
    check_small_ones()
  end)

  it("pass ten stuck ones that were started one after another", function()
    for _ = 1, 10 do
      upload(1000000, true)
      run_peer()
    end
    assert.is_true(world:totals().window > 128 * 1024)
    check_small_ones()
  end)

  it("pass ten stuck ones among 100 at once", function()
    for _ = 1, 10 do
      upload(1000000, true)
    end
    local small = {}
    for i = 1, 100 do
      small[i] = upload(10240)
    end
    run_peer()
    for i = 1, 100 do
      assert.is_true(world:stream(small[i]).fin)
    end
  end)

  it("are all complete when all are read, however large", function()
    local all = {}
    for i = 1, 12 do
      all[i] = upload(2000000)
    end
    run_peer()
    for i = 1, 12 do
      assert.is_true(world:stream(all[i]).fin)
    end
  end)

  it("are complete though nobody tells that the connection's window grew",
    function()
      peer = new_peer(world, true)
      local all = {}
      for i = 1, 12 do
        all[i] = upload(2000000)
      end
      run_peer()
      for i = 1, 12 do
        assert.is_true(world:stream(all[i]).fin)
      end
    end)

  it("go on when the stuck ones are read at last", function()
    for _ = 1, 10 do
      upload(1000000, true)
    end
    run_peer()
    peer.stuck = {}
    run_peer()
    for _, id in ipairs(ids) do
      assert.is_true(world:stream(id).fin)
    end
  end)
end)

describe("uploads to a peer with a large window", function()
  after_each(bytes.finish_all)

  it("are not held back", function()
    local world = bytes.world {
      role = "requester", window = 8 << 20, stream_window = 1 << 20,
    }
    local down = world:request(bytes.post)
    down:write(("x"):rep(900000))
    world:run()
    assert.is_true(world:stream(1).written > 900000)
  end)
end)
