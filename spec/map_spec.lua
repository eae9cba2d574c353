-- The hash map, and the hash it uses.

local engines = require "spec.engine"
local text = require "spec.text"

describe("a map", function()
  local engine, map

  before_each(function()
    engine = engines.new { seed = 7 }
    map = text.map(engine)
  end)

  after_each(function()
    map = nil
    collectgarbage()
    engine:close()
  end)

  it("is empty at first", function()
    assert.is_nil(map:find "a")
    assert.is_nil(map:any())
    assert.same({ 0, 0 }, { map:size() })
  end)

  it("finds what was put in by its bytes", function()
    for _, key in ipairs { "a", "", "a\0", "a\0b", ("k"):rep(1000) } do
      assert.is_true(map:insert(key))
    end
    assert.equal("a\0b", map:find "a\0b")
    assert.equal("", map:find "")
    assert.is_nil(map:find "b")
  end)

  it("refuses a key that is there already", function()
    map:insert "a"
    assert.same({ nil, "REVERST_ERR_EXISTS" }, { map:insert "a" })
    assert.equal(1, (map:size()))
  end)

  it("agrees with a table, whatever is done to it", function()
    math.randomseed(3)
    local model, count = {}, 0
    for _ = 1, 20000 do
      local key = string.pack("<I4", math.random(2000))
      if math.random(5) <= 3 then
        local fresh = not model[key]
        assert.equal(fresh or nil, (map:insert(key)))
        count = count + (fresh and 1 or 0)
        model[key] = true
      else
        assert.equal(model[key] or false, map:remove(key))
        count = count - (model[key] and 1 or 0)
        model[key] = nil
      end
      assert.equal(count, (map:size()))
    end
    for key in pairs(model) do
      assert.equal(key, map:find(key))
    end
    while map:any() do
      local key = map:any()
      assert.is_true(model[key])
      model[key] = nil
      map:remove(key)
    end
    assert.same({}, model)
  end)

  it("grows and shrinks with its elements", function()
    for i = 1, 10000 do
      map:insert(tostring(i))
    end
    local _, buckets = map:size()
    assert.is_true(buckets >= 8192 and buckets <= 16384)
    for i = 1, 10000 do
      map:remove(tostring(i))
    end
    _, buckets = map:size()
    assert.is_true(buckets <= 16)
  end)

  it("is emptied in linear time", function()
    for i = 1, 200000 do
      map:insert(tostring(i))
    end
    local start = os.clock()
    while map:any() do
      map:remove(map:any())
    end
    -- a search from the first bucket each time would take minutes
    assert.is_true(os.clock() - start < 10)
  end)
end)

describe("SipHash-2-4", function()
  local secret = ""
  for i = 0, 15 do
    secret = secret .. string.char(i)
  end

  -- vectors of the reference implementation: length of 00 01 02 ..., hash
  local vectors = {
    [0] = "310e0edd47db6f72",
    [1] = "fd67dc93c539f874",
    [7] = "37d1018bf50002ab",
    [8] = "6224939a79f5f593",
    [15] = "e545be4961ca29a1",
    [16] = "db9bc2577fcc2a3f",
  }

  for length, hash in pairs(vectors) do
    it("hashes " .. length .. " bytes as its authors do", function()
      local data = ""
      for i = 0, length - 1 do
        data = data .. string.char(i)
      end
      local hex = text.siphash(secret, data):gsub(".", function(c)
        return ("%02x"):format(c:byte())
      end)
      assert.equal(hash, hex)
    end)
  end

  it("depends on the secret", function()
    assert.are_not.equal(text.siphash(secret, "a"), text.siphash(secret:reverse(), "a"))
  end)
end)
