local message = require "spec.message"
local vectors = require "registration_vectors"

local function bytes(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function in_one_piece(text)
  return { text }
end

local function every_byte(text)
  local pieces = {}
  for i = 1, #text do pieces[i] = text:sub(i, i) end
  return pieces
end

-- What the messages of the "encode" vectors say.
local metadata_16 = {}
do -- the order in which Go's map iteration happened to write them
  local order = "13 01 10 11 12 15 00 03 09 14 05 06 07 02 04 08"
  for key in order:gmatch "%d+" do
    metadata_16[#metadata_16 + 1] = { "k" .. key, "v" }
  end
end

local said = {
  ["req-minimal"] = { group = "main" },
  ["req-empty-metadata"] = { group = "main", metadata = {} },
  ["req-empty-group"] = { group = "" },
  ["req-basic"] = { group = "main", metadata = { { "Authorization", "Basic dXNlcjpwYXNz" } } },
  ["req-bearer"] = { group = "main", metadata = { { "Authorization", "Bearer token" } } },
  ["req-group-31"] = { group = ("g"):rep(31) },
  ["req-group-32"] = { group = ("g"):rep(32) },
  ["req-group-200"] = { group = ("g"):rep(200) },
  ["req-group-300"] = { group = ("g"):rep(300) },
  ["req-metadata-3"] = {
    group = "main",
    metadata = { { "Zone", "a" }, { "Authorization", "Bearer token" }, { "Region", "eu" } },
  },
  ["req-metadata-16"] = { group = "main", metadata = metadata_16 },
  ["req-version-200"] = { group = "main", version = 200 },
  ["resp-ok"] = { code = 0 },
  ["resp-ok-empty-body"] = { code = 0, body = "" },
  ["resp-badrequest"] = { code = 1, body = "x" },
  ["resp-notfound"] = { code = 2, body = "x" },
  ["resp-unauthorized"] = { code = 3, body = "x" },
  ["resp-servererror"] = { code = 4, body = "x" },
}

describe("the encoder of registration messages", function()
  for _, vector in ipairs(vectors.encode) do
    it("writes the bytes of the Go original: " .. vector.name, function()
      local is_request = vector.name:find "^req"
      local encode = is_request and message.encode_request or message.encode_response
      local what = assert(said[vector.name], "no message for this vector")
      assert.equal(vector.hex, hex(encode(what)))
    end)
  end
end)

-- How strict we are: as lenient as the Go original where that is harmless.
local verdicts = {
  ["version as fixint 01"] = "main",
  ["version as uint16"] = "main",
  ["version as int64"] = "main",
  ["version 300 as uint16 (overflow)"] = "bad",
  ["version nil"] = "main",
  ["version as float64 1.0"] = "bad",
  ["version as string"] = "bad",
  ["version true"] = "bad",
  ["other key order"] = "main",
  ["only group"] = "main",
  ["empty map"] = "no_group",
  ["nil"] = "no_group",
  ["lower-case keys (ignored)"] = "no_group",
  ["unknown key skipped"] = "main",
  ["duplicate key: last wins"] = "bad",
  ["map16 header"] = "main",
  ["map32 header"] = "main",
  ["group as str8"] = "main",
  ["group as str32"] = "main",
  ["group as bin8"] = "main",
  ["group nil"] = "no_group",
  ["group as int"] = "bad",
  ["key as str8"] = "main",
  ["key as bin8"] = "main",
  ["key as int"] = "bad",
  ["array form of the struct"] = "bad",
  ["short array"] = "bad",
  ["long array"] = "bad",
  ["empty array"] = "bad",
  ["metadata value int"] = "bad",
  ["metadata value nil"] = "bad",
  ["metadata key nil"] = "bad",
  ["metadata as array"] = "bad",
  ["declared 4 GiB string, no bytes"] = "bad",
  ["declared 4 Gi entries map, no bytes"] = "bad",
  ["metadata 4 Gi entries, no bytes"] = "bad",
  ["trailing bytes after the message"] = "bad",
  ["truncated"] = "bad",
  ["empty input"] = "no_group",
  ["top level int"] = "bad",
  ["top level string"] = "bad",
  ["ext type"] = "bad",
  ["reserved c1"] = "bad",
  ["not utf-8 group"] = "bad",
}

describe("the decoder of registrations", function()
  for _, vector in ipairs(vectors.decode_request) do
    local verdict = assert(verdicts[vector.name], vector.name)
    for how, split in pairs { whole = in_one_piece, ["byte by byte"] = every_byte } do
      it(("judges %q as %q, %s"):format(vector.name, verdict, how), function()
        local text = bytes(vector.hex)
        local pieces = split(text)
        if #pieces == 0 then pieces = { "" } end
        local result, what = message.decode("request", pieces, true)
        if vector.name:find "^trailing" and how == "byte by byte" then
          -- seen only when they come with the end of the message or after it
          assert.equal("complete", result)
        elseif verdict == "bad" or verdict == "no_group" then
          assert.equal(verdict, result)
        else
          assert.equal("complete", result)
          assert.equal(verdict, what.group)
        end
      end)
    end
  end

  it("needs no FIN to see that a message is complete", function()
    local text = message.encode_request { group = "main", metadata = { { "a", "b" } } }
    local result, what = message.decode("request", every_byte(text), false)
    assert.equal("complete", result)
    assert.same({ a = "b" }, what.metadata)
  end)

  it("waits for the rest of a message", function()
    local text = message.encode_request { group = "main", metadata = { { "a", "b" } } }
    for length = 0, #text - 1 do
      assert.equal("more", (message.decode("request", { text:sub(1, length) }, false)))
    end
  end)

  it("skips unknown values of every kind", function()
    for _, value in ipairs {
      "\xc0", "\xc3", "\x05", "\xcb\0\0\0\0\0\0\0\0", "\xa0", "\xa3abc", "\xc4\0", "\xc4\2ab",
      "\x90", "\x80", "\x93\1\2\3", "\x82\1\2\3\4", "\xd4\1x", "\xc7\0\1", "\x91\x91\x81\1\x91\2",
    } do
      local text = "\x82\xa1X" .. value .. "\xabTunnelGroup\xa4main"
      local result, what = message.decode("request", every_byte(text), true)
      assert.equal("complete", result, hex(value))
      assert.equal("main", what.group)
    end
  end)

  it("skips eight levels and no ninth", function()
    local function nested(depth)
      return "\x82\xa1X" .. ("\x91"):rep(depth) .. "\1\xabTunnelGroup\xa4main"
    end
    assert.equal("complete", (message.decode("request", { nested(8) }, true)))
    local result, fault = message.decode("request", { nested(9) }, true)
    assert.equal("bad", result)
    assert.match("nested too deep", fault)
    assert.equal("bad", (message.decode("request", { nested(60000) }, true)))
  end)

  it("bounds what it reads", function()
    local endless = "\xdf\xff\xff\xff\xff" .. ("\xa1a\xc0"):rep(30000)
    local _, fault = message.decode("request", { endless }, false)
    assert.match("64 KiB", fault)
    local many = {}
    for i = 1, 65 do many[i] = { "key" .. i, "v" } end
    assert.match("64 metadata", select(2, message.decode("request",
      { message.encode_request { group = "main", metadata = many } }, true)))
    many[65] = nil
    assert.equal("complete", (message.decode("request",
      { message.encode_request { group = "main", metadata = many } }, true)))
    assert.match("255 bytes", select(2, message.decode("request",
      { message.encode_request { group = ("g"):rep(256) } }, true)))
  end)

  it("refuses a metadata key that comes twice, and control characters in a group", function()
    local function judge(what)
      return message.decode("request", { message.encode_request(what) }, true)
    end
    assert.equal("bad", (judge { group = "main", metadata = { { "a", "b" }, { "a", "c" } } }))
    for _, group in ipairs {
      "a\0b", "a\nb", "\x7f", "\xc2\x85", "\xed\xa0\x80", "\xc0\xaf", "\xf5\x80\x80\x80",
    } do
      assert.equal("bad", (judge { group = group }), hex(group))
    end
    local green = "gr\xc3\xbcn \xf0\x9f\x8c\xb1"
    local result, what = judge { group = green }
    assert.equal("complete", result)
    assert.equal(green, what.group)
  end)

  it("refuses metadata that C and scripts would read differently", function()
    local function judge(key, value)
      return message.decode("request", every_byte(message.encode_request {
        group = "main", metadata = { { "Reverst-Name", "a" }, { key, value } } }), true)
    end
    for _, key in ipairs { "Reverst-Name\0", "\0", "a\nb", "\xff", "\xc2\x9b" } do
      local result, fault = judge(key, "v")
      assert.equal("bad", result)
      assert.equal("a metadata key is not UTF-8 text", fault)
    end
    local result, fault = judge("Authorization", "Basic x\0y")
    assert.equal("bad", result)
    assert.match("byte of value zero", fault)
    for _, value in ipairs { "a\27[2J", "\xff", "\xc2\x9b31m", "a\nb" } do
      assert.equal("bad", (judge("Reverst-Label-x", value)))
      assert.equal("complete", (judge("Other", value)))
    end
    assert.equal("complete", (judge("Reverst-Label-gr\xc3\xb6\xc3\x9fe", "\xf0\x9f\x8c\xb1")))
  end)

  it("bounds the metadata that are kept as long as the tunnel", function()
    local function judge(size)
      return message.decode("request", { message.encode_request { group = "main", metadata = {
        { "Authorization", ("c"):rep(20000) }, { "k", ("v"):rep(size - 1) } } } }, true)
    end
    assert.equal("complete", (judge(8192)))
    local result, fault = judge(8193)
    assert.equal("bad", result)
    assert.match("8 KiB", fault)
  end)

  it("survives random bytes and random changes of good ones", function()
    math.randomseed(7)
    local good = message.encode_request {
      group = "main",
      metadata = { { "Authorization", "Basic x" }, { "k", "v" } },
    }
    for _ = 1, 20000 do
      local pieces = {}
      for i = 1, math.random(1, 3) do
        local text = {}
        for j = 1, math.random(0, 20) do text[j] = string.char(math.random(0, 255)) end
        pieces[i] = table.concat(text)
      end
      message.decode("request", pieces, math.random(2) == 1)
      local at = math.random(#good)
      local changed = good:sub(1, at - 1) .. string.char(math.random(0, 255)) .. good:sub(at + 1)
      local kind = math.random(2) == 1 and "request" or "response"
      message.decode(kind, { changed }, true)
    end
  end)
end)

describe("the decoder of answers", function()
  it("reads what our encoder writes", function()
    for code = 0, 4 do
      local text = message.encode_response {
        code = code, body = "why", metadata = { { "Reverst-Features", "drain" } },
      }
      local result, what = message.decode("response", every_byte(text), true)
      assert.equal("complete", result)
      assert.same({
        code = code, body = "why", group = "", metadata = { ["Reverst-Features"] = "drain" },
      }, what)
    end
  end)
end)

describe("the check of what a client may send", function()
  it("names the bound that was broken", function()
    assert.is_nil(message.check_request { group = "main" })
    assert.match("no name", message.check_request { group = "" })
    assert.match("255", message.check_request { group = ("g"):rep(256) })
    assert.match("UTF%-8", message.check_request { group = "\xff" })
    assert.match("64 KiB", message.check_request {
      group = "main", metadata = { { "k", ("v"):rep(66000) } },
    })
    assert.match("8 KiB", message.check_request {
      group = "main", metadata = { { "k", ("v"):rep(9000) } },
    })
    assert.match("a metadata key", message.check_request {
      group = "main", metadata = { { "a\nb", "v" } },
    })
  end)
end)
