-- SPDX-License-Identifier: MIT
-- Which pattern gets a host.
local hosts = require "spec.hosts"

local function table_of(patterns)
  local names, made = {}, hosts.new()
  for i, pattern in ipairs(patterns) do
    names[assert(made:add(pattern))] = patterns[i]
  end
  return function(host)
    return names[made:find(host)]
  end, made
end

describe("a table of hosts", function()
  local find = table_of {
    "app.test", "*.app.test", "*.deep.app.test", "exact.app.test",
    "*.Upper.TEST.", "192.0.2.1", "[2001:DB8::1]", "*.test",
  }

  for _, row in ipairs {
    { "app.test", "app.test" },
    { "APP.test.", "app.test" },
    { "app.test:8080", "app.test" },
    { "a.app.test", "*.app.test" },
    { "a.b.c.app.test", "*.app.test" },
    { "exact.app.test", "exact.app.test" },
    { "x.exact.app.test", "*.app.test" },
    { "deep.app.test", "*.app.test" },
    { "x.deep.app.test", "*.deep.app.test" },
    { "xdeep.app.test", "*.app.test" },
    { "x.upper.test", "*.Upper.TEST." },
    { "xapp.test", "*.test" },
    { "192.0.2.1", "192.0.2.1" },
    { "[2001:db8::1]:443", "[2001:DB8::1]" },
    { "test", nil },
    { ".test", nil },
    { "192.0.2.2", nil },
    { "[2001:db8::2]", nil },
    { "app.test.example", nil },
    { "*.app.test", "*.app.test" },
    { "", nil },
    { ".", nil },
    { "..", nil },
  } do
    it(("gives %q to %s"):format(row[1], row[2] or "nobody"), function()
      assert.equal(row[2], find(row[1]))
    end)
  end

  it("gives all that nobody has to the star alone", function()
    local find_all = table_of { "*", "*.app.test", "app.test" }
    assert.equal("app.test", find_all "app.test")
    assert.equal("*.app.test", find_all "x.app.test")
    for _, host in ipairs { "other.test", "192.0.2.1", "[::1]", "", "a" } do
      assert.equal("*", find_all(host))
    end
  end)

  it("matches no address by a wildcard", function()
    local find_one = table_of { "*.example" }
    assert.equal("*.example", find_one "1.2.3.example")
    for _, host in ipairs { "1.2.3.4", "[::ffff:1.2.3.4]", "[::1]", "4" } do
      assert.is_nil(find_one(host))
    end
  end)

  it("matches no wildcard with a name that no DNS knows", function()
    local name = ("a."):rep(125) .. "test" -- 254 bytes
    assert.equal("*.test", find(name))
    assert.equal("*.test", find("a" .. name))
    assert.is_nil(find("aa" .. name))
    assert.is_nil(find(("a."):rep(8000) .. "test"))
    local find_all = table_of { "*", "*.test" }
    assert.equal("*", find_all("aa" .. name))
  end)

  it("finds an exact name of any length", function()
    local long = ("a"):rep(300) .. ".test"
    assert.equal(long, (table_of { long, "*.test" })(long))
  end)

  it("does not find what was removed", function()
    local find_one, made = table_of { "*", "*.test", "app.test" }
    made:remove(3)
    assert.equal("*.test", find_one "app.test")
    made:remove(2)
    assert.equal("*", find_one "app.test")
    made:remove(1)
    assert.is_nil(find_one "app.test")
  end)

  it("takes nothing twice", function()
    local _, made = table_of { "*", "*.test", "app.test" }
    for i, pattern in ipairs { "*", "*.TEST.", "App.Test" } do
      local added, fault, other = made:add(pattern)
      assert.is_nil(added)
      assert.equal("REVERST_ERR_EXISTS", fault)
      assert.equal(i, other)
    end
    assert.is_truthy(made:add "test") -- not the same as its wildcard
  end)

  it("names what is wrong with a pattern", function()
    local star, name, host = "a star stands", "behind *. comes",
      "this is not a host name"
    local made = hosts.new()
    for pattern, text in pairs {
      ["*foo"] = star, ["a.*.b"] = star, ["**"] = star, ["*.*.test"] = star,
      ["a.*"] = star, ["foo*.test"] = star, ["*:80"] = star,
      ["*."] = name, ["*..test"] = name, ["*.1"] = name, ["*.0.0.1"] = name,
      ["*.[::1]"] = name, ["*.test:80"] = name, ["*.te st"] = name,
      [""] = host, ["app.test:80"] = host, ["a b"] = host,
      ["user@app.test"] = host, ["[::1"] = host, ["app.test/"] = host,
    } do
      local added, fault, why = made:add(pattern)
      assert.is_nil(added, pattern)
      assert.equal("REVERST_ERR_INVALID", fault)
      assert.equal(text, why:sub(1, #text), pattern)
    end
  end)
end)
