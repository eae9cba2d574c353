-- Names to addresses.  The name server is a socket on the same loop.

local event = require "spec.event"
local fake_dns = require "fake_dns"
local resolver = require "spec.resolver"

describe("a resolver", function()
  local loop, server, names, resolv_conf, hosts

  local function write(path, text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
  end

  local function wait_for(resolution)
    loop:wait(function()
      server:poll()
      return resolution:is_done()
    end)
    return resolution:result()
  end

  local function resolve(host)
    local resolution = names:resolve(host, 80)
    assert.is_false(resolution:is_done())
    return wait_for(resolution)
  end

  before_each(function()
    loop = event.loop()
    server = fake_dns.open(loop, {})
    resolv_conf, hosts = os.tmpname(), os.tmpname()
    write(resolv_conf, "nameserver " .. server:address() .. "\n")
    names = resolver.new(loop, resolv_conf, hosts)
  end)

  after_each(function()
    if names then
      names:free()
    end
    server:close()
    assert.is_true(loop:finish())
    os.remove(resolv_conf)
    os.remove(hosts)
  end)

  it("takes literals as they are", function()
    assert.same({ "192.0.2.7:80" }, resolve "192.0.2.7")
    assert.same({ "[2001:db8::7]:80" }, resolve "2001:db8::7")
    assert.equal(0, server.asked)
  end)

  it("knows localhost", function()
    for _, host in ipairs { "localhost", "LocalHost", "app.localhost",
      "localhost." } do
      assert.same({ "127.0.0.1:80", "[::1]:80" }, resolve(host))
    end
    assert.equal(0, server.asked)
  end)

  for _, host in ipairs { "", "a b", "1::2::3", "fe80::1%nowhere",
    "caf\xc3\xa9.example", ("x"):rep(64), ("x.y"):rep(100), "a..example", "." } do
    it("refuses " .. string.format("%q", host:sub(1, 20) .. " of " .. #host), function()
      local addresses, why = resolve(host)
      assert.is_nil(addresses)
      assert.equal("REVERST_ERR_RESOLVE", why)
    end)
  end

  it("asks for both kinds of addresses", function()
    server.names["both.example"] = { "127.0.0.9", "::1" }
    local addresses = resolve "both.example"
    table.sort(addresses)
    assert.same({ "127.0.0.9:80", "[::1]:80" }, addresses)
    assert.equal(2, server.asked)
  end)

  it("lets both kinds take turns", function()
    server.names["many.example"] =
      { "127.0.0.1", "127.0.0.2", "127.0.0.3", "::1" }
    assert.same({ "[::1]:80", "127.0.0.1:80", "127.0.0.2:80", "127.0.0.3:80" },
      resolve "many.example")
  end)

  it("says when a name does not exist", function()
    local addresses, why = resolve "missing.example"
    assert.is_nil(addresses)
    assert.equal("REVERST_ERR_RESOLVE", why)
  end)

  it("keeps an answer, whatever the case of the name", function()
    server.names["kept.example"] = { "127.0.0.1" }
    resolve "kept.example"
    assert.equal(2, server.asked)
    server.names["kept.example"] = { "127.0.0.2" }
    assert.same({ "127.0.0.1:80" }, resolve "Kept.Example")
    assert.equal(2, server.asked)
  end)

  it("asks once for all who ask the same", function()
    server.names["same.example"] = { "127.0.0.1" }
    local first = names:resolve("same.example", 1)
    local second = names:resolve("same.example", 2)
    assert.same({ "127.0.0.1:1" }, wait_for(first))
    assert.same({ "127.0.0.1:2" }, wait_for(second))
    assert.equal(2, server.asked)
  end)

  it("honours the hosts file, and reads it again when it changes", function()
    write(hosts, "127.0.0.5 fixed.example\n")
    assert.same({ "127.0.0.5:80" }, resolve "fixed.example")
    write(hosts, "127.0.0.66 fixed.example\n")
    assert.same({ "127.0.0.66:80" }, resolve "fixed.example")
    assert.equal(0, server.asked)
  end)

  it("follows a change of the name server", function()
    server.names["moved.example"] = { "127.0.0.1" }
    assert.same({ "127.0.0.1:80" }, resolve "moved.example")
    local old = server
    server = fake_dns.open(loop, { ["moved.example"] = { "127.0.0.2" } })
    old:close()
    write(resolv_conf,
      "# moved\nnameserver " .. server:address() .. "\n")
    assert.same({ "127.0.0.2:80" }, resolve "moved.example")
  end)

  it("keeps no more than 1 024 answers, the newest", function()
    local lines = {}
    for i = 1, 1030 do
      lines[i] = string.format("127.0.%d.%d host%d.example", i // 250,
        i % 250 + 1, i)
    end
    write(hosts, table.concat(lines, "\n") .. "\n")
    for i = 1, 1030 do
      local expected = string.format("127.0.%d.%d:80", i // 250, i % 250 + 1)
      assert.same({ expected }, resolve("host" .. i .. ".example"))
    end
    assert.equal(1024, names:count())
  end)

  it("asks for no more than 1 024 names at once", function()
    local questions = {}
    for i = 1, 1024 do
      local name = "silent" .. i .. ".example"
      server.names[name] = false
      questions[i] = names:resolve(name, 80)
    end
    assert.has_error(function()
      names:resolve("one-more.example", 80)
    end, "REVERST_ERR_LIMIT")
    for _, question in ipairs(questions) do
      question:cancel()
    end
  end)

  it("forgets a cancelled question", function()
    server.names["slow.example"] = false
    local resolution = names:resolve("slow.example", 80)
    loop:wait(function()
      server:poll()
      return server.asked == 2
    end)
    resolution:cancel()
    local other = names:resolve("localhost", 80)
    other:cancel()
    loop:poll()
    assert.is_false(resolution:is_done())
    assert.is_false(other:is_done())
  end)

  it("may be freed while it asks", function()
    server.names["slow.example"] = false
    local resolution = names:resolve("slow.example", 80)
    loop:wait(function()
      server:poll()
      return server.asked == 2
    end)
    names:free()
    names = nil
    loop:poll()
    assert.is_false(resolution:is_done())
  end)

  it("gives up after five seconds", function()
    server.names["slow.example"] = false
    local addresses, why = resolve "slow.example"
    assert.is_nil(addresses)
    assert.equal("REVERST_ERR_TIMEOUT", why)
    server.names["slow.example"] = { "127.0.0.1" }
    assert.same({ "127.0.0.1:80" }, resolve "slow.example")
  end)
end)
