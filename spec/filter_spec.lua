-- The filter: what is valid, and which field may pass where.

local fields = require "spec.fields"

local function q(text)
  return ("%q"):format(text):gsub("\n", "n")
end

local function names_of(list)
  local names = {}
  for i, field in ipairs(list) do
    names[i] = field[1]
  end
  return names
end

-- Is every byte at this place judged as `allowed` says?
local function check_bytes(kind, before, after, allowed)
  for byte = 0, 255 do
    local c = string.char(byte)
    assert.equal(allowed(c, byte), fields.is(kind, before .. c .. after),
      kind .. " with byte " .. byte)
  end
end

describe("the syntax of", function()
  local TCHAR = "^[%w!#$%%&'*+%-.^_`|~]$"

  it("tokens allows tchar and nothing else", function()
    check_bytes("token", "a", "b", function(c)
      return c:match(TCHAR) ~= nil
    end)
    check_bytes("token", "", "", function(c)
      return c:match(TCHAR) ~= nil
    end)
    assert.is_false(fields.is("token", ""))
  end)

  it("field names allows tokens without upper case", function()
    check_bytes("field_name", "a", "b", function(c)
      return c:match(TCHAR) ~= nil and not c:match "%u"
    end)
    assert.is_false(fields.is("field_name", ""))
    assert.is_false(fields.is("field_name", ":path"))
  end)

  it("field values allows text, tab and obs-text", function()
    check_bytes("field_value", "a", "b", function(_, byte)
      return byte == 9 or byte >= 32 and byte ~= 127
    end)
  end)

  it("field values allows no blank at the ends, but emptiness", function()
    for _, value in ipairs { " a", "a ", "\ta", "a\t", " ", "\t" } do
      assert.is_false(fields.is("field_value", value))
    end
    assert.is_true(fields.is("field_value", ""))
  end)

  it("paths allows visible bytes and obs-text, but no fragment", function()
    check_bytes("path", "/a", "b", function(c, byte)
      return byte > 32 and byte ~= 127 and c ~= "#"
    end)
    for _, path in ipairs { "/", "*", "//x", "/?a=b", "/%zz", "/..;/" } do
      assert.is_true(fields.is("path", path), path)
    end
    for _, path in ipairs { "", "a", "**", "*a", "?a", "http://a/" } do
      assert.is_false(fields.is("path", path), path)
    end
  end)

  it("hosts allows what RFC 3986 has in a name", function()
    check_bytes("authority", "a", "b", function(c)
      return c:match "^[%w%-._~!$&'()*+,;=]$" ~= nil
    end)
  end)

  local authorities = {
    ["a"] = true, ["a.example:80"] = true, ["a.example."] = true, ["a_b:1"] = true,
    ["127.0.0.1:65535"] = true, ["[::1]"] = true, ["[::1]:80"] = true,
    ["[2001:DB8::1]:443"] = true, ["[::ffff:1.2.3.4]"] = true, ["a:"] = true,
    ["%41b"] = true, ["a%2f"] = true, ["[::1]:"] = true,
    [""] = false, [":"] = false, [":80"] = false, ["a:65536"] = false,
    ["a:123456"] = false, ["a:-1"] = false, ["a:+1"] = false, ["a:8 0"] = false,
    ["a:80:80"] = false, ["user@a"] = false, ["user:pass@a"] = false, ["a/b"] = false,
    ["a?b"] = false, ["a#b"] = false, ["a\\b"] = false, ["a b"] = false, [" a"] = false,
    ["a\0"] = false, ["[::1"] = false, ["::1"] = false, ["[]"] = false,
    ["[::1]80"] = false, ["[::1]a:80"] = false, ["[::1%25lo]"] = false,
    ["[v1.a]"] = false, ["[127.0.0.1]"] = false, ["[::1\0]"] = false, ["["] = false,
    ["]"] = false, ["a]"] = false, ["%"] = false, ["%4"] = false, ["%4g"] = false,
    ["a:80\r\nx: y"] = false, ["\xc3\xa4.example"] = false,
  }
  for authority, valid in pairs(authorities) do
    it("authorities " .. (valid and "allows " or "refuses ") .. q(authority), function()
      assert.equal(valid, fields.is("authority", authority))
    end)
  end
end)

describe("the host to route by", function()
  local rows = {
    { "example.com", "example.com", false },
    { "example.com:8080", "example.com", false },
    { "example.com.:80", "example.com", false },
    { "EXAMPLE.Com", "example.com", true },
    { "Example.com.:80", "example.com", true },
    { "example.com..", "example.com.", false },
    { "[::1]:80", "[::1]", false },
    { "[2001:DB8::A]", "[2001:db8::a]", true },
    { "a:", "a", false },
    { ".", ".", false },
    { "", "", false },
  }
  for _, row in ipairs(rows) do
    it("of " .. q(row[1]) .. " is " .. q(row[2]), function()
      assert.same({ row[2], row[3] }, { fields.host_of_authority(row[1]) })
    end)
  end
end)

describe("a section of fields", function()
  local list = { { "a", "1" }, { "b", "2" }, { "a", "3" } }

  it("lowers names of what is copied into it, and nothing else", function()
    assert.same({ { "x-\xc4@[", "V A" } }, fields.add({}, "X-\xc4@[", "V A"))
  end)

  it("finds the first of a name, and counts", function()
    assert.same({ "1", 2 }, { fields.find(list, "a") })
    assert.same({ nil, 0 }, { fields.find(list, "A") })
  end)

  it("removes all of a name and keeps the order", function()
    assert.same({ { "b", "2" } }, fields.remove(list, "a"))
    assert.same(list, fields.remove(list, "c"))
  end)

  it("sets a name in the place of the first", function()
    assert.same({ { "a", "9" }, { "b", "2" } }, fields.set(list, "a", "9"))
    assert.same({ { "a", "1" }, { "b", "2" }, { "a", "3" }, { "c", "9" } },
      fields.set(list, "c", "9"))
  end)

  it("grows as far as needed", function()
    local many = {}
    for i = 1, 1000 do
      many[i] = { "n" .. i, ("v"):rep(i % 50) }
    end
    assert.same({ "vv", 1 }, { fields.find(many, "n52") })
    assert.equal(1001, #fields.add(many, "Last", ""))
  end)
end)

describe("a head", function()
  it("is moved with all that it has", function()
    local head = {
      method = "CONNECT", scheme = "https", authority = "a", path = "/x",
      protocol = "websocket", no_body = true, fields = { { "a", "1" }, { "b", "" } },
    }
    local wanted = {}
    for key, value in pairs(head) do
      wanted[key] = value
    end
    wanted.fields = { { "a", "1" }, { "b", "" }, { "added-since", "1" } }
    assert.same(wanted, fields.move_head(head))
    assert.same({ status = 200, fields = { { "added-since", "1" } } },
      fields.move_head { status = 200 })
  end)
end)

describe("the check of fields", function()
  local function field(name, value)
    return fields.check_fields { { name, value } }
  end

  it("passes what is valid and within the limits", function()
    assert.equal("none", fields.check_fields {})
    assert.equal("none", field("a", ""))
    assert.equal("none", field(("n"):rep(256), ("v"):rep(16384)))
    assert.equal("none", field("a", "caf\xe9"))
  end)

  it("refuses bytes that would end a line or a string", function()
    for _, bad in ipairs { "a\r\nb: c", "a\nb", "a\rb", "a\0b", "\27[0m" } do
      assert.equal("request_malformed", field("a", bad))
      assert.equal("request_malformed", field(bad, "a"))
    end
    for _, name in ipairs { "", "a b", "a:", ":a", "A", "a(", "\xe9" } do
      assert.equal("request_malformed", field(name, "x"))
    end
  end)

  it("refuses what is over a limit", function()
    assert.equal("head_too_large", field(("n"):rep(257), ""))
    assert.equal("head_too_large", field("a", ("v"):rep(16385)))
  end)

  it("counts fields and bytes", function()
    local function many(count, value)
      local list = {}
      for i = 1, count do
        list[i] = { "n", value }
      end
      return list
    end
    assert.equal("none", fields.check_fields(many(100, "")))
    assert.equal("head_too_large", fields.check_fields(many(101, "")))
    -- 64 KiB: 4 names and values of 16384 bytes in all
    assert.equal("none", fields.check_fields(many(4, ("v"):rep(16383))))
    assert.equal("head_too_large", fields.check_fields(many(5, ("v"):rep(16383))))
  end)

  it("leaves room behind a front for what that adds", function()
    local list = {}
    for i = 1, 110 do
      list[i] = { "n", "" }
    end
    assert.equal("head_too_large", fields.check_fields(list, false))
    assert.equal("none", fields.check_fields(list, true))
  end)
end)

describe("the check of a head", function()
  local function check(changes)
    local head = { method = "GET", scheme = "http", authority = "a", path = "/" }
    for key, value in pairs(changes) do
      head[key] = value
    end
    return fields.check_head(head)
  end

  local function lengths(...)
    local list = {}
    for i, value in ipairs { ... } do
      list[i] = { "content-length", value }
    end
    return check { fields = list }
  end

  it("reads Content-Length", function()
    local word, head = lengths "12"
    assert.equal("none", word)
    assert.equal(12, head.content_length)
    word, head = check {}
    assert.equal("none", word)
    assert.is_nil(head.content_length)
  end)

  it("makes one of several equal lengths", function()
    local word, head = lengths("5", "5", "5")
    assert.equal("none", word)
    assert.equal(5, head.content_length)
    assert.same({ { "content-length", "5" } }, head.fields)
  end)

  it("refuses lengths that differ or are no plain numbers", function()
    assert.equal("request_malformed", (lengths("5", "6")))
    for _, bad in ipairs { "", "+5", "-5", "5,5", "5, 5", "0x5", "5 5", "5.0", "5;",
      "9223372036854775808", "99999999999999999999999" } do
      assert.equal("request_malformed", (lengths(bad)), bad)
      assert.equal("request_malformed", (lengths("5", bad)), bad)
    end
  end)

  it("does so for responses too", function()
    assert.equal("none", (fields.check_head { status = 200,
      fields = { { "content-length", "5" } } }))
    assert.equal("request_malformed", (fields.check_head { status = 200,
      fields = { { "content-length", "5" }, { "content-length", "6" } } }))
  end)

  it("refuses a status that has not three digits", function()
    for status, word in pairs { [100] = "none", [599] = "none", [999] = "none",
      [99] = "request_malformed", [1000] = "request_malformed",
      [-1] = "request_malformed" } do
      assert.equal(word, (fields.check_head { status = status }))
    end
  end)

  it("refuses what could not be written as a request line", function()
    for key, bad in pairs { method = "GE T", path = "/a b", authority = "u@a",
      scheme = "ftp", protocol = "web socket" } do
      assert.equal("request_malformed", (check { [key] = bad }), key)
    end
    assert.equal("request_malformed", (check { path = "/\r\nx: y" }))
    assert.equal("request_malformed", (check { method = "GET /\r\n" }))
    assert.equal("request_malformed", (check { protocol = "" }))
  end)

  it("refuses two Hosts, and one that is none", function()
    assert.equal("none", (check { fields = { { "host", "a:80" } } }))
    assert.equal("none", (check { fields = { { "host", "" } } }))
    assert.equal("request_malformed",
      (check { fields = { { "host", "a" }, { "host", "a" } } }))
    assert.equal("request_malformed", (check { fields = { { "host", "a/b" } } }))
  end)

  it("knows a target that is too long", function()
    assert.equal("none", (check { path = "/" .. ("x"):rep(16383) }))
    assert.equal("target_too_long", (check { path = "/" .. ("x"):rep(16384) }))
  end)
end)

describe("the filter of connection-specific fields", function()
  local function passes(list)
    return names_of(fields.hop_by_hop(list))
  end

  for _, name in ipairs { "connection", "keep-alive", "proxy-connection",
    "transfer-encoding", "upgrade" } do
    it("removes " .. name, function()
      assert.is_true(fields.is_connection_specific(name, "x"))
      assert.same({ "a" }, passes { { name, "x" }, { "a", "1" }, { name, "y" } })
    end)
  end

  for _, name in ipairs { "proxy-authenticate", "proxy-authorization",
    "proxy-authentication-info", "http2-settings" } do
    it("removes " .. name .. ", which is no error elsewhere", function()
      assert.is_false(fields.is_connection_specific(name, "x"))
      assert.same({}, passes { { name, "x" } })
    end)
  end

  it("removes TE unless it is trailers", function()
    for value, specific in pairs { trailers = false, Trailers = false, gzip = true,
      ["trailers, gzip"] = true, [""] = true } do
      assert.equal(specific, fields.is_connection_specific("te", value))
      assert.same(specific and {} or { "te" }, passes { { "te", value } })
    end
  end)

  it("lets everything else pass, repeated and in order", function()
    local list = { { "b", "1" }, { "set-cookie", "x" }, { "a", "" }, { "b", "2" },
      { "set-cookie", "y" }, { "trailer", "t" }, { "x-connection", "1" },
      { "connectio", "1" }, { "connections", "1" } }
    assert.same(list, fields.hop_by_hop(list))
  end)

  it("removes what Connection names, in any case and place", function()
    assert.same({ "y" }, passes {
      { "x-a", "1" }, { "connection", "close, X-A" }, { "x-b", "1" },
      { "y", "1" }, { "x-a", "2" }, { "connection", ",x-B ,," },
    })
  end)

  for _, name in ipairs { "host", "content-length", "cookie", "authorization",
    "x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-request-id",
    "x-real-ip" } do
    it("keeps " .. name .. ", whatever Connection names", function()
      assert.same({ name }, passes { { "connection", name }, { name, "1" } })
    end)
  end

  it("keeps TE: trailers though Connection names it, as it must", function()
    assert.same({ "te" }, passes { { "connection", "te" }, { "te", "trailers" } })
  end)

  it("looks at a bounded number of options", function()
    local options = {}
    for i = 1, 100 do
      options[i] = "x" .. i
    end
    options[101] = "late"
    assert.same({ "late" }, passes {
      { "connection", table.concat(options, ",") }, { "x100", "1" }, { "late", "1" },
    })
  end)
end)

describe("the filter of trailers", function()
  for _, name in ipairs {
    "transfer-encoding", "content-length", "connection", "te", "trailer", "upgrade",
    "host", "authorization", "proxy-authorization", "cookie", "set-cookie",
    "www-authenticate", "content-type", "content-encoding", "content-range",
    "cache-control", "expect", "max-forwards", "range", "if-match", "location",
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-anything", "forwarded",
    "x-real-ip", "x-request-id", "via", ":status", ":path", "",
  } do
    it("removes " .. q(name), function()
      assert.same({ { "a", "1" } }, fields.trailers { { name, "x" }, { "a", "1" } })
    end)
  end

  it("lets the results of a body pass", function()
    local list = { { "grpc-status", "0" }, { "grpc-message", "" }, { "etag", "x" },
      { "server-timing", "a" }, { "content-digest", "d" }, { "x-any", "1" } }
    assert.same(list, fields.trailers(list))
  end)
end)

describe("the semantics of", function()
  it("idempotent methods are those that may be repeated", function()
    for method, wanted in pairs { GET = true, HEAD = true, OPTIONS = true, PUT = true,
      DELETE = true, POST = false, PATCH = false, TRACE = false, CONNECT = false,
      get = false, [""] = false } do
      assert.equal(wanted, fields.is("idempotent", method), method)
    end
  end)

  it("responses without a body go by method and status", function()
    for _, row in ipairs { { "HEAD", 200, true }, { "GET", 100, true },
      { "GET", 199, true }, { "GET", 204, true }, { "GET", 304, true },
      { "GET", 200, false }, { "POST", 205, false }, { "head", 200, false } } do
      assert.equal(row[3], fields.is_bodyless(row[1], row[2]))
    end
  end)
end)

describe("a field that is the proxy's alone", function()
  it("is framing, or concerns one connection, in both directions", function()
    for _, name in ipairs { "host", "content-length", "transfer-encoding", "te",
      "connection", "upgrade", "keep-alive", "proxy-connection", "trailer",
      "proxy-authorization", "proxy-authenticate", "http2-settings" } do
      assert.is_true(fields.is_proxy_field(name, true), name)
      assert.is_true(fields.is_proxy_field(name, false), name)
    end
  end)

  it("tells the origin about the visitor, in requests", function()
    for _, name in ipairs { "x-forwarded-for", "x-forwarded-host",
      "x-forwarded-proto", "x-request-id", "via" } do
      assert.is_true(fields.is_proxy_field(name, true), name)
      assert.is_false(fields.is_proxy_field(name, false), name)
    end
  end)

  it("is no other", function()
    for _, name in ipairs { "authorization", "cookie", "set-cookie", "x-real-ip",
      "forwarded", "x-forwarded-user", "x-any", "content-type", "expect" } do
      assert.is_false(fields.is_proxy_field(name, true), name)
      assert.is_false(fields.is_proxy_field(name, false), name)
    end
  end)
end)
