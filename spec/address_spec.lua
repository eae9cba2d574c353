-- Socket addresses as text.

local text = require "spec.text"

describe("an address", function()
  local good = {
    -- text, as printed, the host alone
    { "127.0.0.1:80", "127.0.0.1:80", "127.0.0.1" },
    { "0.0.0.0:0", "0.0.0.0:0", "0.0.0.0" },
    { "192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1" },
    { "[::1]:8080", "[::1]:8080", "::1" },
    { "[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "2001:db8::1" },
    { "[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80", "192.0.2.1" },
    { ":80", "[::]:80", "::" },
    { "unix:/run/x.sock", "unix:/run/x.sock", "unix:" },
    { "unix:x", "unix:x", "unix:" },
  }
  for _, row in ipairs(good) do
    it("reads " .. row[1], function()
      assert.same({ row[2], row[3] }, { text.parse_address(row[1]) })
      assert.same({ row[2], row[3] }, { text.parse_address(row[2]) })
    end)
  end

  local bad = {
    "", ":", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
    "127.0.0.1:000080", "127.0.0.1:+80", "127.0.0.1:80 ", "127.0.0.1: 80",
    "127.0.0.1:8a", "127.0.0.256:80", "127.1:80", "localhost:80", "::1:80",
    "[::1]", "[::1]80", "[::1:80", "[]:80", "[127.0.0.1]:80", "[::1%lo]:80",
    "[::1]:80:80", "127.0.0.1\0:80", "unix:", "unix:a\0b",
    "unix:" .. ("x"):rep(108), ("1"):rep(100) .. ":80",
  }
  for _, row in ipairs(bad) do
    it("does not read " .. ("%q"):format(row), function()
      assert.same({ nil, "REVERST_ERR_ADDRESS" }, { text.parse_address(row) })
    end)
  end

  it("may have a path as long as the system allows", function()
    local path = "unix:/" .. ("x"):rep(106)
    assert.equal(path, (text.parse_address(path)))
  end)

  it("equals itself, written in any way, and no other", function()
    assert.is_true(text.equal_addresses("[::1]:80", "[0:0::1]:80"))
    assert.is_true(text.equal_addresses("unix:/a", "unix:/a"))
    for _, pair in ipairs {
      { "127.0.0.1:80", "127.0.0.1:81" },
      { "127.0.0.1:80", "127.0.0.2:80" },
      { "127.0.0.1:80", "[::ffff:127.0.0.1]:80" },
      { "[::1]:80", "[::2]:80" },
      { "[::1]:80", "[::1]:81" },
      { "unix:/a", "unix:/ab" },
    } do
      assert.is_false(text.equal_addresses(pair[1], pair[2]))
    end
  end)

  it("counts for limits by host, or by /64 of IPv6", function()
    local function same(a, b)
      return text.limit_key(a) == text.limit_key(b)
    end
    assert.is_true(same("192.0.2.1:1", "192.0.2.1:2"))
    assert.is_true(same("192.0.2.1:1", "[::ffff:192.0.2.1]:2"))
    assert.is_false(same("192.0.2.1:1", "192.0.2.2:1"))
    assert.is_true(same("[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::9]:2"))
    assert.is_false(same("[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1"))
    assert.is_false(same("32.1.13.184:1", "[2001:db8::]:1"))
  end)
end)

describe("host and port", function()
  local rows = {
    { "example.com:80", 0, "example.com", 80 },
    { "example.com", 443, "example.com", 443 },
    { "[::1]", 443, "::1", 443 },
    { "[::1]:7", 443, "::1", 7 },
    { ":80", 0, "", 80 },
  }
  for _, row in ipairs(rows) do
    it("are split in " .. row[1], function()
      assert.same({ row[3], row[4] }, { text.split_address(row[1], row[2]) })
    end)
  end

  for _, row in ipairs { "", "a", "a:", "a:b", "a:1:2", "[::1", "[::1]x:1", "a:-1" } do
    it("are not found in " .. ("%q"):format(row), function()
      assert.is_nil((text.split_address(row, 0)))
    end)
  end
end)
