-- Sticky cookies, over plain tables in the place of tunnels and requests.

local balance = require "reverst.balance"

local tables = require "balance_tables"

local make_tunnels, request_of, without =
  tables.make_tunnels, tables.request_of, tables.without

describe("balance.cookie", function()
  local secret = { secret = "0123456789abcdef" }
  local policy, tunnels

  before_each(function()
    policy, tunnels = balance.cookie("tunnel", secret), make_tunnels(20)
  end)

  -- the tunnel, and the cookie that the visitor has then
  local function visit(with, cookie, fields)
    local request = request_of(fields)
    request.cookies.tunnel = cookie
    local tunnel = with(tunnels, request)
    local added = request.added[1]
    assert.is_nil(request.added[2])
    return tunnel, added and added:match "^set%-cookie: tunnel=([^;]+)"
      or cookie, added
  end

  it("brings a visitor back to his tunnel", function()
    local tunnel, cookie, added = visit(policy, nil)
    assert.matches("^set%-cookie: tunnel=[%w_-]+; Path=/; HttpOnly; SameSite=Lax$",
      added)
    for _ = 1, 30 do
      local again, _, more = visit(policy, cookie)
      assert.equal(tunnel, again)
      assert.is_nil(more)
    end
  end)

  it("says nothing about the tunnel", function()
    for _, tunnel in ipairs(tunnels) do
      tunnel.name = "internal-name"
      tunnel.id = 31337
      tunnel.peer = "10.1.2.3:99"
    end
    local _, _, added = visit(policy, nil)
    assert.is_nil(added:find("internal", 1, true))
    assert.is_nil(added:find("31337", 1, true))
    assert.equal(24, #added:match "tunnel=([^;]*)")
  end)

  it("knows a named tunnel again after it was away", function()
    local tunnel, cookie = visit(policy, nil)
    tunnels = without(tunnels, tunnel.id)
    table.insert(tunnels, { id = 99, name = tunnel.name, weight = 1, active = 0,
      registered_at = 5000 })
    assert.equal(99, visit(balance.cookie("tunnel", secret), cookie).id)
  end)

  it("does not know another tunnel without a name", function()
    for _, tunnel in ipairs(tunnels) do
      tunnel.name = ""
    end
    local tunnel, cookie = visit(policy, nil)
    assert.equal(tunnel, (visit(policy, cookie)))
    tunnels = { { id = tunnel.id, name = "", weight = 1, active = 0,
      registered_at = tunnel.registered_at + 1 } }
    local _, other, added = visit(policy, cookie)
    assert.is_string(added)
    assert.are_not.equal(cookie, other)
  end)

  it("gives a new cookie for one that is forged or of another group", function()
    local first, cookie = visit(policy, nil)
    local _, elsewhere = visit(balance.cookie("tunnel", secret), nil,
      { group = "other" })
    assert.are_not.equal(cookie, elsewhere)
    local _, of_other_key = visit(
      balance.cookie("tunnel", { secret = "fedcba9876543210" }), nil)
    for _, forged in ipairs { "", "t1", first.name, cookie .. "A",
      cookie:sub(1, -2), cookie:sub(1, -2) .. "!", elsewhere, of_other_key } do
      local _, given, added = visit(policy, forged)
      assert.is_string(added)
      assert.are_not.equal(forged, given)
    end
  end)

  it("follows its fallback when the tunnel is not there", function()
    local with_first = balance.cookie("tunnel", { secret = secret.secret,
      fallback = "first" })
    local tunnel, cookie = visit(with_first, nil)
    assert.equal("t1", tunnel.name)
    tunnels = without(tunnels, 1)
    local other, new_cookie, added = visit(with_first, cookie)
    assert.equal("t2", other.name)
    assert.is_string(added)
    assert.are_not.equal(cookie, new_cookie)
  end)

  it("is for https only where the visitor came so, or as asked", function()
    local function attributes(options, scheme)
      options.secret = secret.secret
      local _, _, added = visit(balance.cookie("tunnel", options), nil,
        { scheme = scheme })
      return added:match "SameSite=Lax(.*)"
    end
    assert.equal("", attributes({}, "http"))
    assert.equal("; Secure", attributes({}, "https"))
    assert.equal("; Secure", attributes({ secure = true }, "http"))
    assert.equal("", attributes({ secure = false }, "https"))
    assert.equal("; Max-Age=600", attributes({ max_age = 600 }, "http"))
  end)

  it("has a key of its own without a secret", function()
    local a, b = balance.cookie "tunnel", balance.cookie "tunnel"
    local tunnel, cookie = visit(a, nil)
    assert.equal(tunnel, (visit(a, cookie)))
    local _, _, added = visit(b, cookie)
    assert.is_string(added)
  end)

  it("reads its secret from a file", function()
    local path = os.tmpname()
    local file = io.open(path, "wb")
    file:write(secret.secret)
    file:close()
    local _, cookie = visit(policy, nil)
    local _, _, added = visit(
      balance.cookie("tunnel", { secret_path = path }), cookie)
    os.remove(path)
    assert.is_nil(added)
  end)

  it("has a fingerprint without its secret", function()
    local seen = {}
    for _, options in ipairs { {}, secret, { secret = secret.secret .. "2" },
      { secure = true }, { max_age = 1 }, { fallback = "first" } } do
      local fingerprint = balance.fingerprint(balance.cookie("a", options))
      assert.is_nil(seen[fingerprint])
      assert.is_nil(fingerprint:find(secret.secret, 1, true))
      seen[fingerprint] = true
    end
    assert.is_true(seen[balance.fingerprint(balance.cookie("a", secret))])
  end)
end)
