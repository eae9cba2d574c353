-- Slices, chunks, arenas and buffers: the memory of everything.

local engines = require "spec.engine"
local memory = require "spec.memory"

local CHUNK = 16384

local function text_of(length, seed)
  local parts = {}
  for i = 1, length do
    parts[i] = string.char((i * 31 + seed * 17) % 256)
  end
  return table.concat(parts)
end

describe("a queue of slices", function()
  local engine, queue

  before_each(function()
    engine = engines.new()
    queue = memory.slices(engine)
  end)

  after_each(function()
    queue:close()
    engine:close()
  end)

  local function take(max)
    local slice = queue:take(max)
    local text = slice and slice:text()
    if slice then
      slice:release()
    end
    return text
  end

  it("holds no chunk and gives nothing while it is empty", function()
    assert.equal(0, (queue:size()))
    assert.is_nil(queue:take(10))
    assert.same({ "", 0 }, { queue:peek(0, 8) })
    queue:consume(10)
    assert.equal(0, (engine:chunks()))
  end)

  it("merges what follows in the same chunk", function()
    queue:copy "one "
    queue:copy "two"
    assert.same({ 7, 1 }, { queue:size() })
    assert.equal("one two", take(100))
  end)

  it("does not merge across a gap", function()
    local other <close> = memory.slices(engine)
    queue:copy "one"
    other:copy "gap"
    queue:copy "two"
    assert.same({ 6, 2 }, { queue:size() })
    assert.same({ "onetwo", 2 }, { queue:peek(0, 8) })
  end)

  it("gives at most the first slice, and at most what is asked for", function()
    queue:copy(text_of(CHUNK + 5, 1))
    assert.equal(0, queue:take(0) and 1 or 0)
    assert.equal(text_of(CHUNK, 1):sub(1, 100), take(100))
    assert.equal(CHUNK - 100, #take(1 << 20))
    assert.equal(5, #take(1 << 20))
    assert.is_nil(queue:take(1))
  end)

  it("keeps a chunk for as long as one slice of it lives", function()
    queue:copy(text_of(CHUNK, 1))
    queue:copy(text_of(CHUNK, 2))
    local held = queue:take(10)
    queue:clear()
    assert.equal(1, (engine:chunks()))
    assert.equal(text_of(10, 1), held:text())
    held:release()
    assert.equal(0, (engine:chunks()))
  end)

  it("ignores an empty slice", function()
    queue:copy ""
    assert.same({ 0, 0 }, { queue:size() })
  end)

  it("moves all slices of another queue behind its own", function()
    local other <close> = memory.slices(engine)
    queue:copy "ab"
    other:copy(text_of(2 * CHUNK, 3))
    assert.is_true(queue:append(other))
    assert.same({ 0, 0 }, { other:size() })
    assert.equal("ab" .. text_of(2 * CHUNK, 3), (queue:peek(0, 64)))
  end)

  it("returns chunks to the pool, which keeps a bounded number", function()
    queue:copy(text_of(300 * CHUNK, 1))
    assert.equal(299, (engine:chunks()))
    queue:clear()
    assert.same({ 0, 64 }, { engine:chunks() })
  end)

  -- As when one visitor sends byte by byte while others send much.
  local much = ("y"):rep(CHUNK - 1)

  local function push_bytes(count)
    for _ = 1, count do
      local other <close> = memory.slices(engine)
      other:copy "x"
      queue:push(other:take(1))
      other:copy(much)
    end
  end

  it("holds few chunks when it is filled byte by byte", function()
    push_bytes(1000)
    assert.equal(("x"):rep(1000), (queue:peek(0, 64)))
    assert.is_true((engine:chunks()) <= 6, "chunks: " .. engine:chunks())
    queue:consume(500)
    push_bytes(20000)
    assert.equal(20500, (queue:size()))
    assert.is_true((engine:chunks()) <= 10, "chunks: " .. engine:chunks())
    queue:clear()
    assert.equal(0, (engine:chunks()))
  end)

  it("does not move what it holds", function()
    push_bytes(20)
    local held = {}
    for i = 1, 10 do
      held[i] = queue:take(1)
    end
    push_bytes(20)
    for i = 1, 10 do
      assert.equal("x", held[i]:text())
      held[i]:release()
    end
    assert.equal(("x"):rep(30), (queue:peek(0, 64)))
  end)

  it("agrees with a string, whatever is done to it", function()
    for seed = 1, 20 do
      math.randomseed(seed)
      local model, held = "", {}
      for _ = 1, 200 do
        local action = math.random(7)
        local n = math.random(0, 3) == 0 and math.random(0, 40000)
          or math.random(0, 300)
        if action <= 2 then
          local text = text_of(n, math.random(100))
          assert.is_true(queue:copy(text))
          model = model .. text
        elseif action == 3 then
          queue:consume(n)
          model = model:sub(n + 1)
        elseif action == 4 then
          local slice = queue:take(n)
          if slice then
            local length = #slice:text()
            assert.is_true(length >= 1 and length <= n)
            assert.equal(model:sub(1, length), slice:text())
            model = model:sub(length + 1)
            held[#held + 1] = slice
          else
            assert.is_true(model == "" or n == 0)
          end
        elseif action == 5 and #held > 0 then
          local slice = table.remove(held, math.random(#held))
          model = model .. slice:text()
          assert.is_true(queue:push(slice))
        elseif action == 6 and #held > 0 then
          table.remove(held, math.random(#held)):release()
        else
          local vectors = math.random(1, 64)
          local offset = math.random(0, #model)
          local text, count = queue:peek(offset, vectors)
          assert.is_true(count <= vectors)
          assert.equal(model:sub(offset + 1, offset + #text), text)
          assert.is_true(count == vectors or #text == #model - offset)
        end
        assert.equal(#model, (queue:size()))
      end
      for _, slice in ipairs(held) do
        slice:release()
      end
      queue:clear()
      assert.equal(0, (engine:chunks()))
    end
  end)
end)

describe("an engine short of memory", function()
  it("knows it by its budget of chunks", function()
    local engine = engines.new { memory_budget = 4 * CHUNK }
    local queue = memory.slices(engine)
    queue:copy(text_of(4 * CHUNK, 1))
    assert.is_false(engine:is_short_of_memory())
    queue:copy "x"
    assert.is_true(engine:is_short_of_memory())
    queue:close()
    assert.is_false(engine:is_short_of_memory())
    engine:close()
  end)
end)

describe("an arena", function()
  it("keeps every piece whole and aligned", function()
    for seed = 1, 10 do
      math.randomseed(seed)
      local arena = memory.arena()
      local sizes = {}
      for _ = 1, 500 do
        local size = math.random(0, 4) == 0 and math.random(0, 5000)
          or math.random(0, 100)
        local action = math.random(3)
        if action == 1 and #sizes > 0 then
          local i = math.random(2) == 1 and #sizes or math.random(#sizes)
          sizes[i] = sizes[i] + size
          arena:grow(i, sizes[i])
        elseif action == 2 then
          local text = text_of(size, seed)
          assert.equal(text, arena:copy(text))
        else
          sizes[arena:allocate(size)] = size
        end
      end
      arena:check()
    end
  end)

  it("grows the newest piece in place", function()
    local arena = memory.arena()
    local piece = arena:allocate(10)
    for size = 11, 1000 do
      arena:grow(piece, size)
    end
    arena:check()
    assert.equal(1000, arena:used())
  end)

  it("grows a large piece by small steps in linear space", function()
    local arena = memory.arena()
    local piece = arena:allocate(1)
    for size = 2, 100000, 50 do
      arena:grow(piece, size)
    end
    arena:check()
    assert.is_true(arena:used() < 400000)
  end)
end)

describe("a buffer", function()
  it("holds what was appended", function()
    local buffer = memory.buffer()
    local parts = {}
    for i = 1, 500 do
      parts[i] = text_of(i, i)
      buffer:append(parts[i])
    end
    assert.same({ table.concat(parts), false }, { buffer:get() })
  end)

  it("fills to its limit, and then fails until it is cleared", function()
    local buffer = memory.buffer(300)
    buffer:append(text_of(300, 1))
    assert.same({ text_of(300, 1), false }, { buffer:get() })
    buffer:append "x"
    assert.same({ text_of(300, 1), true }, { buffer:get() })
    buffer:append ""
    buffer:clear()
    buffer:append "again"
    assert.same({ "again", false }, { buffer:get() })
  end)

  it("appends nothing after a failure, even what would fit", function()
    local buffer = memory.buffer(10)
    buffer:append "12345678"
    buffer:append "too long"
    buffer:append "9"
    assert.same({ "12345678", true }, { buffer:get() })
  end)
end)
