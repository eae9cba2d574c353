-- Policies, over plain tables in the place of tunnels and requests.

local balance = require "reverst.balance"

local tables = require "balance_tables"

local make_tunnels, request_of, without =
  tables.make_tunnels, tables.request_of, tables.without

-- how often each tunnel was chosen, by its place; next_request(i) gives one
local function count_choices(policy, tunnels, times, next_request)
  local places, counts = {}, {}
  for i, tunnel in ipairs(tunnels) do
    places[tunnel], counts[i] = i, 0
  end
  for i = 1, times do
    local tunnel = policy(tunnels, next_request and next_request(i)
      or request_of())
    counts[places[tunnel]] = counts[places[tunnel]] + 1
  end
  return counts
end

local function is_near(wanted, got, part)
  assert(math.abs(got - wanted) <= wanted * part,
    ("expected about %s, got %s"):format(wanted, got))
end

describe("balance.round_robin", function()
  it("takes one after the other", function()
    assert.same({ 5, 5, 5 }, count_choices(balance.round_robin(),
      make_tunnels(3), 15))
  end)

  it("goes on when tunnels come and go", function()
    local policy, tunnels = balance.round_robin(), make_tunnels(3)
    policy(tunnels)
    policy(tunnels)
    policy(tunnels)
    assert.equal("t1", policy(make_tunnels(1)).name)
    assert.equal("t2", policy(make_tunnels(5)).name)
  end)
end)

describe("balance.random", function()
  it("takes each as often", function()
    math.randomseed(7)
    for _, count in ipairs(count_choices(balance.random(), make_tunnels(4),
      8000)) do
      is_near(2000, count, 0.1)
    end
  end)
end)

describe("balance.first", function()
  it("takes the first as long as it is there", function()
    local tunnels = make_tunnels(3)
    assert.same({ 5, 0, 0 }, count_choices(balance.first(), tunnels, 5))
    assert.equal("t2", balance.first()(without(tunnels, 1)).name)
  end)
end)

describe("balance.least_conn", function()
  it("takes the one with the fewest requests under way", function()
    local tunnels = make_tunnels(4, { { active = 3 }, { active = 2 },
      { active = 1 }, { active = 2 } })
    assert.same({ 0, 0, 6, 0 },
      count_choices(balance.least_conn(), tunnels, 6))
  end)

  it("takes turns among equals, idle or busy", function()
    assert.same({ 4, 4, 4 }, count_choices(balance.least_conn(),
      make_tunnels(3), 12))
    local busy = { active = 2 }
    assert.same({ 4, 4, 4 }, count_choices(balance.least_conn(),
      make_tunnels(3, { busy, busy, busy }), 12))
  end)

  it("keeps all equally busy", function()
    local policy, tunnels = balance.least_conn(), make_tunnels(5)
    for _ = 1, 500 do
      local tunnel = policy(tunnels)
      tunnel.active = tunnel.active + 1
    end
    for _, tunnel in ipairs(tunnels) do
      assert.equal(100, tunnel.active)
    end
  end)
end)

describe("balance.random_choose", function()
  it("takes the less busy of two", function()
    local tunnels = make_tunnels(3, { { active = 1 }, { active = 2 },
      { active = 3 } })
    math.randomseed(3)
    local counts = count_choices(balance.random_choose(), tunnels, 3000)
    -- the third is never less busy; the first is in two of three pairs
    is_near(2000, counts[1], 0.1)
    is_near(1000, counts[2], 0.1)
    assert.equal(0, counts[3])
  end)

  it("takes the least busy of all when it picks as many", function()
    local tunnels = make_tunnels(6, { [4] = { active = -1 } })
    for _, count in ipairs { 6, 7, 1000 } do
      assert.same({ 0, 0, 0, 9, 0, 0 },
        count_choices(balance.random_choose(count), tunnels, 9))
    end
  end)

  it("prefers none of equals", function()
    math.randomseed(3)
    for _, counts in ipairs { { 2, 2 }, { 2, 3 }, { 3, 3 }, { 9, 4 } } do
      local picked, all = counts[1], counts[2]
      for _, count in ipairs(count_choices(balance.random_choose(picked),
        make_tunnels(all), 1000 * all)) do
        is_near(1000, count, 0.15)
      end
    end
  end)

  it("does with one tunnel", function()
    assert.same({ 3 }, count_choices(balance.random_choose(5),
      make_tunnels(1), 3))
  end)
end)

describe("balance.weighted_round_robin", function()
  local weights = { { weight = 5 }, { weight = 1 }, { weight = 1 } }

  it("keeps to the weights", function()
    assert.same({ 500, 100, 100 }, count_choices(
      balance.weighted_round_robin(), make_tunnels(3, weights), 700))
  end)

  it("spreads each tunnel's turns", function()
    local policy, tunnels = balance.weighted_round_robin(),
      make_tunnels(3, weights)
    local order = {}
    for i = 1, 7 do
      order[i] = policy(tunnels).id
    end
    assert.equal("1 1 2 1 3 1 1", table.concat(order, " "))
  end)

  it("looks at the weights anew each time", function()
    local policy, tunnels = balance.weighted_round_robin(), make_tunnels(2)
    assert.same({ 50, 50 }, count_choices(policy, tunnels, 100))
    tunnels[2].weight = 4
    assert.same({ 20, 80 }, count_choices(policy, tunnels, 100))
  end)

  it("goes on evenly when tunnels come and go", function()
    local policy, tunnels = balance.weighted_round_robin(), make_tunnels(4)
    count_choices(policy, tunnels, 10)
    for _, count in ipairs(count_choices(policy, without(tunnels, 2), 300)) do
      is_near(100, count, 0.02)
    end
  end)
end)

-- what each of so many keys is given to
local function assign(policy, tunnels, count)
  local owners = {}
  for i = 1, count do
    owners[i] = policy(tunnels, request_of { headers = { ["x-user"] = "u" .. i } })
  end
  return owners
end

describe("a hash", function()
  local keys = 20000
  local policy = balance.header "X-User"

  it("gives each tunnel the same share", function()
    local tunnels = make_tunnels(8)
    local counts = {}
    for _, owner in ipairs(assign(policy, tunnels, keys)) do
      counts[owner.id] = (counts[owner.id] or 0) + 1
    end
    for i = 1, 8 do
      is_near(keys / 8, counts[i], 0.06)
    end
  end)

  it("moves only the keys of a tunnel that goes, to all others", function()
    local tunnels = make_tunnels(8)
    local before = assign(policy, tunnels, keys)
    local after = assign(policy, without(tunnels, 3), keys)
    local heirs = {}
    for i = 1, keys do
      if before[i].id == 3 then
        heirs[after[i].id] = (heirs[after[i].id] or 0) + 1
      else
        assert.equal(before[i], after[i])
      end
    end
    for _, tunnel in ipairs(without(tunnels, 3)) do
      is_near(keys / 8 / 7, heirs[tunnel.id], 0.2)
    end
  end)

  it("gives a tunnel that comes its share, from all others", function()
    local tunnels = make_tunnels(8)
    local before = assign(policy, without(tunnels, 8), keys)
    local after = assign(policy, tunnels, keys)
    local moved = 0
    for i = 1, keys do
      if before[i] ~= after[i] then
        assert.equal(8, after[i].id)
        moved = moved + 1
      end
    end
    is_near(keys / 8, moved, 0.06)
  end)

  it("does not depend on the order of the tunnels", function()
    local tunnels = make_tunnels(5)
    local turned = {}
    for i, tunnel in ipairs(tunnels) do
      turned[6 - i] = tunnel
    end
    assert.same(assign(policy, tunnels, 200), assign(policy, turned, 200))
  end)

  it("knows a tunnel again by its name", function()
    local tunnels, later = make_tunnels(5), make_tunnels(5)
    for i, tunnel in ipairs(later) do
      tunnel.id, tunnel.registered_at = 100 + i, 5000
    end
    for i, owner in ipairs(assign(policy, tunnels, 200)) do
      assert.equal(owner.name, assign(policy, later, i)[i].name)
      if i == 20 then
        break
      end
    end
  end)

  it("shares a name's keys among those that have it", function()
    local tunnels = make_tunnels(2, { { name = "same" }, { name = "same" } })
    local counts = count_choices(policy, tunnels, 2000, function(i)
      return request_of { headers = { ["x-user"] = "u" .. i } }
    end)
    is_near(1000, counts[1], 0.1)
  end)

  it("tells tunnels without a name apart", function()
    local tunnels = make_tunnels(4)
    for _, tunnel in ipairs(tunnels) do
      tunnel.name = ""
    end
    for _, count in ipairs(count_choices(policy, tunnels, 4000, function(i)
      return request_of { headers = { ["x-user"] = "u" .. i } }
    end)) do
      is_near(1000, count, 0.1)
    end
  end)

  it("weighs when asked to, and moves little when a weight changes", function()
    local weighted = balance.header("X-User", { weighted = true })
    local tunnels = make_tunnels(4, { { weight = 5 }, { weight = 3 } })
    local before = assign(weighted, tunnels, keys)
    local counts = { 0, 0, 0, 0 }
    for _, owner in ipairs(before) do
      counts[owner.id] = counts[owner.id] + 1
    end
    for i, part in ipairs { 5, 3, 1, 1 } do
      is_near(keys * part / 10, counts[i], 0.06)
    end
    tunnels[4].weight = 2
    for i, owner in ipairs(assign(weighted, tunnels, keys)) do
      assert(owner == before[i] or owner.id == 4)
    end
  end)

  it("does with keys of any length and bytes", function()
    local tunnels = make_tunnels(3)
    local counts = count_choices(policy, tunnels, 600, function(i)
      return request_of { headers = { ["x-user"] = ("\0"):rep(i) } }
    end)
    for _, count in ipairs(counts) do
      is_near(200, count, 0.25)
    end
    assert.is_table(policy(tunnels,
      request_of { headers = { ["x-user"] = ("k"):rep(100000) } }))
  end)
end)

describe("the key of a hash", function()
  local tunnels = make_tunnels(50)

  local function agree(policy, first, second)
    return policy(tunnels, request_of(first))
      == policy(tunnels, request_of(second))
  end

  it("is the visitor's address without its port", function()
    local policy = balance.ip_hash()
    assert.is_true(agree(policy, { peer = "192.0.2.1:1" },
      { peer = "192.0.2.1:65535" }))
    assert.is_true(agree(policy, { peer = "[2001:db8::1]:1" },
      { peer = "[2001:db8::1]:2" }))
    assert.is_false(agree(policy, { peer = "192.0.2.1:1" },
      { peer = "192.0.2.2:1" }))
    assert.is_table(policy(tunnels, request_of { peer = "" }))
  end)

  it("is path and query", function()
    local policy = balance.uri_hash()
    assert.is_true(agree(policy, { path = "/a", query = "b" },
      { path = "/a", query = "b", peer = "192.0.2.9:1" }))
    assert.is_false(agree(policy, { path = "/a", query = "b" },
      { path = "/a" }))
    assert.is_false(agree(policy, { path = "/a", query = "b" },
      { path = "/a", query = "c" }))
  end)

  it("is a whole parameter of the query", function()
    local policy = balance.query "user"
    for same, other in pairs {
      ["user=1"] = "a=b&user=1&c=d", ["user=1&user=2"] = "user=1",
      ["xuser=9&user=1"] = "user=1&x=user=9", ["a&user=1"] = "user=1&&",
      ["user=user=9"] = "x=user=8&user=user=9",
    } do
      assert.is_true(agree(policy, { query = same }, { query = other }), same)
    end
    assert.is_false(agree(policy, { query = "user=1" }, { query = "user=2" }))
  end)

  it("may be absent: then the fallback chooses", function()
    local busy = make_tunnels(3, { { active = 1 }, {}, { active = 1 } })
    local absent = {
      [balance.header "X-User"] = { headers = {} },
      [balance.header "x-user"] = { headers = { ["x-user"] = "" } },
      [balance.query "user"] = { query = "xuser=1&user=&users=2" },
      [balance.query "u(ser"] = { query = nil },
    }
    for policy, fields in pairs(absent) do
      assert.equal("t2", policy(busy, request_of(fields)).name)
    end
    local policy = balance.header("X-User", { fallback = "first" })
    assert.equal("t1", policy(busy, request_of()).name)
  end)
end)

describe("balance.fallback", function()
  local tunnels = make_tunnels(2)
  local entries

  before_each(function()
    entries = {}
    package.loaded["reverst.log"] = {
      warn = function(event, fields)
        table.insert(entries, event .. " " .. (fields.group or "-") .. " "
          .. fields.error)
      end,
    }
  end)

  after_each(function()
    package.loaded["reverst.log"] = nil
  end)

  it("leaves a good choice alone", function()
    local policy = balance.fallback(function(all) return all[2] end, "first")
    assert.same({ 0, 3 }, count_choices(policy, tunnels, 3))
    assert.same({}, entries)
  end)

  it("goes by the other when the first fails, and logs for which group", function()
    for expected, first in pairs {
      ["^policy_fell_back app .*boom"] = function() error "boom" end,
      ['^policy_fell_back app the policy returned nil %(is "return"'] =
        function() end,
      ["^policy_fell_back app the policy returned what is not"] = function()
        return make_tunnels(1)[1]
      end,
    } do
      entries = {}
      assert.same({ 3, 3 }, count_choices(
        balance.fallback(first, "round_robin"), tunnels, 6))
      assert.equal(1, #entries)
      assert.matches(expected, entries[1])
    end
  end)
end)

describe("a policy's name", function()
  it("stands for the policy", function()
    for _, name in ipairs { "round_robin", "random", "random_choose", "first",
      "least_conn", "weighted_round_robin", "ip_hash", "uri_hash" } do
      local policy = balance.of(name)
      assert.equal(name, policy.kind)
      assert.equal(balance[name]().fingerprint, policy.fingerprint)
      assert.equal("balance." .. name, tostring(policy))
      assert.is_table(policy(make_tunnels(2), request_of()))
    end
  end)

  it("is suggested", function()
    for given, message in pairs {
      leastconn = 'unknown policy "leastconn" (did you mean "least_conn"?)',
      anything = 'unknown policy "anything"',
      kind_of = 'unknown policy "kind_of"',
      of = 'unknown policy "of"',
      header = 'header needs an argument; write balance.header "X-User"',
      cookie = 'cookie needs an argument; write balance.cookie "tunnel"',
      [7] = "expected the name of a policy or a function, got a number",
      [balance.least_conn] =
        "balance.least_conn makes a policy; write balance.least_conn()",
    } do
      local policy, said = balance.of(given)
      assert.is_nil(policy)
      assert.equal(message, said)
    end
  end)

  it("is its kind", function()
    assert.equal("least_conn", balance.kind_of(balance.least_conn()))
    assert.equal("function", balance.kind_of(function() end))
  end)
end)

describe("a fingerprint", function()
  it("tells policies apart, and not those that do the same", function()
    local different = {
      balance.first(), balance.random_choose(2), balance.random_choose(3),
      balance.header "a", balance.header "b",
      balance.header("a", { weighted = true }),
      balance.header("a", { fallback = "first" }),
      balance.fallback("first", "random"), balance.fallback("random", "first"),
    }
    local seen = {}
    for _, policy in ipairs(different) do
      local fingerprint = balance.fingerprint(policy)
      assert.is_nil(seen[fingerprint])
      seen[fingerprint] = true
    end
    assert.equal(balance.fingerprint(balance.header "A"),
      balance.fingerprint(balance.header "a"))
  end)

  it("is not to be had of functions", function()
    local function plain() end
    assert.is_nil(balance.fingerprint(plain))
    assert.is_nil(balance.fingerprint(balance.fallback(plain, "first")))
  end)
end)

describe("a mistake in a policy", function()
  it("is an error of the line that made it", function()
    for expected, call in pairs {
      ['balance.leastconn does not exist %(did you mean "least_conn"'] =
        function() return balance.leastconn() end,
      ["balance.random_choose: expected a whole number, 1 to 1000, got 0"] =
        function() balance.random_choose(0) end,
      ["balance.random_choose: expected .* got a string"] =
        function() balance.random_choose "2" end,
      ["balance.header: expected a name, got nil; write balance.header"] =
        function() balance.header() end,
      ['balance.header: "X User" is not a name'] =
        function() balance.header "X User" end,
      ["balance.query: expected a name, got an empty text"] =
        function() balance.query "" end,
      ['balance.ip_hash: unknown option "weigted" %(did you mean "weighted"'] =
        function() balance.ip_hash { weigted = true } end,
      ['balance.uri_hash: unknown option "fallback"'] =
        function() balance.uri_hash { fallback = "first" } end,
      ["balance.ip_hash: weighted: expected true or false, got a number"] =
        function() balance.ip_hash { weighted = 1 } end,
      ['balance.header: unknown policy "frist" %(did you mean "first"'] =
        function() balance.header("a", { fallback = "frist" }) end,
      ["balance.cookie: secret and secret_path: only one"] = function()
        balance.cookie("a", { secret = "s", secret_path = "p" })
      end,
      ["balance.cookie: the secret is too short"] =
        function() balance.cookie("a", { secret = "s" }) end,
      ["balance.cookie: secret_path: /none: No such file"] =
        function() balance.cookie("a", { secret_path = "/none" }) end,
      ['balance.cookie: "a=b" is not a name'] =
        function() balance.cookie "a=b" end,
      ["balance.cookie: max_age: expected a whole number, got a string"] =
        function() balance.cookie("a", { max_age = "1h" }) end,
      ["balance.fallback: expected the name of a policy or a function, got nil"]
        = function() balance.fallback("first") end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches(expected, message)
      assert.matches("balance_spec.lua:%d+: ", message)
    end
  end)
end)
