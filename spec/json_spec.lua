-- JSON, and the hashes of reverst.crypto.

local crypto = require "reverst.crypto"
local json = require "reverst.json"

describe("reverst.json", function()
  it("brings back what it encodes", function()
    local value = {
      text = 'a "quoted" \\ line\n\0 é', whole = 12, part = 0.1, large = 2 ^ 53,
      yes = true, no = false, list = { 1, "two", { three = 3 } },
      empty = {}, nothing = json.null, third = 1 / 3, least = 5e-324,
    }
    assert.same(value, json.decode(json.encode(value)))
    assert.equal("[]", json.encode(json.list {}))
    assert.equal("[1]", json.encode(json.list { 1 }))
    assert.equal("{}", json.encode {})
    assert.equal('"text"', json.encode "text")
    assert.equal(json.null, json.decode "null")
  end)

  it("keeps whole numbers whole", function()
    assert.equal("1234567890123456", json.encode(1234567890123456))
    assert.equal("9223372036854775807", json.encode(math.maxinteger))
    assert.equal("integer", math.type(json.decode '[{"a":17}]'[1].a))
    assert.equal("float", math.type(json.decode "0.5"))
    assert.equal(1e300, json.decode "1e300")
  end)

  it("says why a text is no JSON", function()
    for _, bad in ipairs { "", "{", "[1,]", "{'a':1}", "nul", "[1] 2", "\255",
      "NaN", "[Infinity]", "0x10", '"\\x"' } do
      local value, message = json.decode(bad)
      assert.is_nil(value, bad)
      assert.is_string(message)
    end
    assert.same({ nil, "expected a text, got a nil" }, { json.decode(nil) })
    assert.same({ nil, "expected a text, got a table" }, { json.decode {} })
  end)

  it("says why a value cannot be JSON", function()
    local circle = {}
    circle[1] = circle
    for _, bad in ipairs { circle, 0 / 0, math.huge, -math.huge, print,
      { [1] = 1, [3] = 2 }, { 1, a = 2 }, { [{}] = 1 }, { { 0 / 0 } } } do
      local text, message = json.encode(bad)
      assert.is_nil(text)
      assert.is_string(message)
    end
  end)

  it("has a bound on how deep values are nested", function()
    local deep = ("["):rep(128) .. "1" .. ("]"):rep(128)
    assert.equal(deep, json.encode(json.decode(deep)))
    assert.is_nil((json.decode("[" .. deep .. "]")))
    assert.is_nil((json.decode(("["):rep(1e6))))
    assert.is_nil((json.decode(('{"a":'):rep(1e5))))
    local many = {}
    for i = 1, 20000 do many[i] = { i } end
    assert.equal(20000, #json.decode(json.encode(many)))
  end)

  it("leaves the options of cjson alone", function()
    assert.is_table(require("cjson").decode(("["):rep(500) .. ("]"):rep(500)))
  end)
end)

describe("reverst.crypto", function()
  local function from_hex(text)
    return (text:gsub("%x%x", function(byte)
      return string.char(tonumber(byte, 16))
    end))
  end

  it("writes bytes in hexadecimal", function()
    assert.equal("", crypto.hex "")
    assert.equal("00ff10ab", crypto.hex "\0\255\16\171")
  end)

  -- FIPS 180-4's examples
  it("hashes by SHA-256", function()
    for text, digest in pairs {
      [""] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      [("a"):rep(1000000)] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    } do
      assert.equal(digest, crypto.hex(crypto.sha256(text)))
    end
  end)

  -- RFC 4231, sections 4.2, 4.3, 4.4 and 4.7; an empty key
  it("authenticates by HMAC", function()
    for _, row in ipairs {
      { ("\11"):rep(20), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
      { "Jefe", "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
      { from_hex(("aa"):rep(20)), from_hex(("dd"):rep(50)),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
      { from_hex(("aa"):rep(131)),
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
      { "", "",
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    } do
      assert.equal(row[3], crypto.hex(crypto.hmac_sha256(row[1], row[2])))
    end
  end)

  it("has random bytes, as many as are asked for", function()
    assert.equal("", crypto.random(0))
    assert.equal(100000, #crypto.random(100000))
    assert.are_not.equal(crypto.random(16), crypto.random(16))
    assert.has_error(function() crypto.random(-1) end)
    assert.has_error(function() crypto.random(2 ^ 40) end)
  end)
end)
