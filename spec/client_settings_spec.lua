-- What a tunnel client is told by flags, variables or a script, and what it
-- tells people.

local arguments = require "reverst.config.arguments"
local client_settings = require "reverst.client.settings"
local options = require "reverst.config.options"
local tunnel_messages = require "reverst.client.tunnel_messages"

local SECOND = 1000000000

-- by option: a text, and what becomes of it
local samples = {
  ["log.level"] = { "debug", "debug" },
  address = { "a.test:1,b.test:2", { "a.test:1", "b.test:2" } },
  server_name = { "a.test", "a.test" },
  group = { "my group", "my group" },
  ca_path = { "ca.crt", "ca.crt" },
  insecure = { "true", true },
  origin_ca_path = { "ca.crt", "ca.crt" },
  username = { "user", "user" },
  password = { "pass", "pass" },
  password_path = { "file", "file" },
  token = { "token", "token" },
  token_path = { "file", "file" },
  scheme = { "Custom", "Custom" },
  name = { "blue", "blue" },
  weight = { "65535", 65535 },
  labels = { "a=b", { "a=b" } },
  max_idle_timeout = { "1m30s", 90 * SECOND },
  keep_alive_period = { "500ms", SECOND // 2 },
  registration_timeout = { "1m", 60 * SECOND },
  exit_on_failure = { "true", true },
}

local function values(list, environment)
  local parsed = assert(arguments.parse(options.client, list))
  return arguments.values(options.client, parsed, function(name)
    return (environment or {})[name]
  end)
end

describe("each option of a client", function()
  it("has a flag", function()
    for _, row in ipairs(options.client) do
      local text, value = table.unpack(samples[row.key])
      local read, problems = values { "--" .. row.flag .. "=" .. text }
      assert.same({}, problems)
      assert.same({ [row.key] = value }, read)
      for _, alias in ipairs(row.aliases or {}) do
        assert.same({ [row.key] = value },
          (values { "--" .. alias .. "=" .. text }))
      end
    end
  end)

  it("has a variable, and a flag wins over it", function()
    for _, row in ipairs(options.client) do
      local text, value = table.unpack(samples[row.key])
      local variable = options.variable(row)
      assert.equal("REVERST_" .. row.flag:upper():gsub("-", "_"), variable)
      assert.same({ [row.key] = value }, (values({}, { [variable] = text })))
      assert.same({ [row.key] = value }, (values({
        "--" .. row.flag .. "=" .. text }, { [variable] = "!" })))
    end
  end)
end)

describe("an option that may come several times", function()
  it("is a list, in the order of the flags", function()
    assert.same({ address = { "a:1", "b:2", "c:3" } },
      (values { "-a", "a:1", "--address=b:2,c:3" }))
  end)

  it("leaves commas in labels alone, but not in the environment", function()
    assert.same({ labels = { "a=1,b=2" } }, (values { "--label", "a=1,b=2" }))
    assert.same({ labels = { "a=1", "b=2" } },
      (values({}, { REVERST_LABEL = "a=1,b=2" })))
  end)

  it("tells all that is wrong with it", function()
    local _, problems = values { "--label=x", "--label=a=b", "--label=y" }
    assert.equal(1, #problems)
    assert.matches('got "x".*got "y"', problems[1])
  end)
end)

describe("reverst.client", function()
  it("fills in what was not given", function()
    local settings = client_settings.check { address = "t.test:7", origin = "1" }
    assert.equal("t.test", settings.server_name)
    assert.equal("t.test", settings.group)
    assert.equal(60 * SECOND, settings.max_idle_timeout)
    assert.equal(10 * SECOND, settings.keep_alive_period)
    settings = client_settings.check { address = "[::1]:7", origin = "1" }
    assert.equal("::1", settings.server_name)
    assert.equal("127.0.0.1:7171",
      client_settings.check({ origin = "1" }).address)
  end)

  it("makes metadata of names, weights and labels", function()
    for _, labels in ipairs { { region = "eu" }, { "region=eu" } } do
      assert.same({ ["Reverst-Name"] = "n", ["Reverst-Weight"] = "3",
        ["Reverst-Label-region"] = "eu", other = "x" },
        client_settings.check({ name = "n", weight = 3, labels = labels,
          metadata = { other = "x" }, origin = "1" }).metadata)
    end
  end)

  it("takes false for no probes", function()
    assert.is_false(client_settings.check({ keep_alive_period = false,
      origin = "1" }).keep_alive_period)
  end)

  it("is of one server", function()
    local _, problems = client_settings.check { address = { "a:1", "b:2" },
      origin = "1" }
    assert.same({ "address: expected one; start a client for each" }, problems)
  end)

  it("names all that is wrong", function()
    local _, problems = client_settings.check { adress = "x", weight = 0,
      origin = 8080, username = "u", labels = { ["a b"] = "c" },
      on_connected = "x" }
    local all = table.concat(problems, "\n")
    for _, expected in ipairs { 'adress: unknown option %(did you mean "address"',
      "weight: expected a whole number", "origin: expected a string, got a number",
      "on_connected: expected a function, got a string",
      "labels: expected KEY=VALUE", "username needs password or password_path",
    } do
      assert.matches(expected, all)
    end
  end)
end)

describe("what people are told about a tunnel", function()
  local settings, messages

  before_each(function()
    settings = { address = "t.test:7", server_name = "t.test", group = "app",
      origin = "8080", token = "t" }
    messages = tunnel_messages.new(settings)
  end)

  local function refuse(reason)
    return messages:disconnected { refused = true, reason = reason }
  end

  local function lose(code, reason, words)
    return messages:disconnected { refused = false, reason = reason or "",
      code = "REVERST_ERR_" .. code, error = words or code:lower() }
  end

  it("has the cure of each refusal", function()
    for reason, expected in pairs {
      unauthorized = 'rejected the token for group "app" %(check %-%-token%)',
      ["not found"] = 'no group "app" %(check %-%-tunnel%-group%)',
      ["bad request"] = "check %-%-tunnel%-group and %-%-label",
      busy = "takes no more tunnels", timeout = "did not decide in time",
      draining = "about to end",
    } do
      assert.matches("^" .. reason .. ": .*" .. expected, refuse(reason))
    end
    assert.equal("the server refused: odd\\x1b", refuse "odd\27")
  end)

  it("is said once, until it changes", function()
    assert.is_string(refuse "unauthorized")
    assert.is_nil(refuse "unauthorized")
    assert.is_string(refuse "not found")
    assert.is_string(refuse "unauthorized")
    messages:connected()
    assert.is_string(refuse "unauthorized")
  end)

  it("says what was lost, and what to check", function()
    assert.equal("no tunnel to t.test:7: resolve (check --address)",
      lose "RESOLVE")
    messages:connected()
    assert.equal('lost the tunnel to t.test:7: the server closed it: "bye"',
      lose("CLOSED", '"bye"'))
    assert.equal("no tunnel to t.test:7: TLS failed: its certificate has expired "
      .. '(server name "t.test"; check --server-name, or give --cacert-path)',
      lose("TLS", "its certificate has expired", "TLS failed"))
    settings.ca_path = "ca.crt"
    assert.matches("check %-%-server%-name and %-%-cacert%-path",
      lose("TLS", "its certificate is self-signed"))
    assert.matches("%(check %-%-address%)$",
      lose("TLS", "it is not a server of tunnels"))
    settings.token_path = "f"
    assert.equal("no tunnel to t.test:7: the credentials cannot be read: f: gone "
      .. "(check --token-path)", lose("SYSTEM", "f: gone"))
  end)

  it("tells a registration from a later one, and no swap of tunnels", function()
    assert.matches("^registered at t.test:7", messages:connected())
    assert.is_nil(messages:connected())
    lose "TIMEOUT"
    assert.matches("^registered again at", messages:connected())
    assert.matches("^server is draining: t.test:7", messages:draining())
    assert.matches("^registered again at", messages:connected())
  end)

  it("says which server it was where there are several", function()
    messages = tunnel_messages.new(settings, true)
    assert.matches("^t.test:7: unauthorized: ", refuse "unauthorized")
  end)
end)
