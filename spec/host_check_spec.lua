-- reverst check, and groups that have a file of their own.

local host = require "host"

local groups = [[
  local auth = require "reverst.auth"
  return { blue = { hosts = { "blue.test", "b.test" },
    authenticate = auth.basic { username = "u", password_path = "word" } } }]]

local function flags(...)
  return { "-n", "localhost", "-c", host.path "server.crt", "-k",
    host.path "server.key", "-a", "127.0.0.1:0", "-s", "127.0.0.1:0", ... }
end

local function check(...)
  return host.run { "check", table.unpack(flags(...)) }
end

describe("reverst check", function()
  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  it("prints what would be served", function()
    local config = host.config()
    local status, output, errors = check(config)
    assert.same({ 0, "" }, { status, errors })
    assert.equal(table.concat {
      config, ": good. It would serve:\n",
      "  tunnels   127.0.0.1:0 (QUIC), as localhost\n",
      "  visitors  127.0.0.1:0 (HTTP)\n",
      '  group "app"\n',
      "    hosts         app.test\n",
      "    authenticate  insecure\n",
      "    balance       round_robin\n",
    }, output)
  end)

  it("takes the same flags and environment as the server", function()
    host.write("word", "secret")
    local _, output = host.run { "check", environment = {
      REVERST_TUNNEL_GROUPS = host.write("groups.lua", groups),
      REVERST_SERVER_NAME = "a.example", REVERST_TUNNEL_ADDRESS = ":1",
      REVERST_CERTIFICATE_PATH = host.path "server.crt",
      REVERST_PRIVATE_KEY_PATH = host.path "server.key",
    } }
    assert.matches("tunnels   :1 %(QUIC%), as a.example\n", output)
    assert.matches('group "blue"\n    hosts         blue.test, b.test\n'
      .. "    authenticate  basic\n", output)
  end)

  it("prints all mistakes, and ends with status 1", function()
    local config = host.write("config.lua", [[return {
      htpp = {}, drain_timeout = "soon", log = { format = "jsn" },
      tunnel = { retry_threshold = "many" },
      groups = { a = { hosts = "a.test" } } }]])
    local status, output, errors = check(config)
    assert.same({ 1, "" }, { status, output })
    for _, message in ipairs {
      'htpp: unknown key (did you mean "http"?)',
      "drain_timeout: expected a duration",
      'log.format: unknown format "jsn" (did you mean "json"?)',
      "tunnel.retry_threshold: expected a whole number from 0 to 1000000",
      "groups.a: no authenticate",
      'groups.a.hosts: expected a list; write { "a.test" }',
    } do
      assert.truthy(errors:find("reverst check: " .. config .. ": " .. message,
        1, true), message)
    end
  end)

  it("looks into the certificate, the key and the secret", function()
    local config = host.config()
    host.make_certificate "other"
    for message, extra in pairs {
      ["-k: %s: the private key cannot be used: it belongs to another "
        .. "certificate"] = { "-k", host.path "other.key" },
      ["-c: %s: the certificate cannot be used: it has no certificate in PEM"] =
        { "-c", config },
      ["--secret-path: %s: the secret cannot be used: it has fewer than 32 "
        .. "bytes"] = { "--secret-path", host.write("short", "x") },
    } do
      local status, output, errors = check(config, table.unpack(extra))
      assert.same({ 1, "" }, { status, output })
      assert.equal("reverst check: " .. message:format(extra[2]) .. "\n",
        errors)
    end
  end)

  it("blames the file for what is not from a flag", function()
    host.write("broken", "x")
    local status, _, errors = host.run { "check", host.write("config.lua", [[
      return { tunnel = { server_name = "localhost", private_key_path =
        "server.key", certificate_path = "broken" },
        groups = { app = { hosts = { "app.test" },
          authenticate = require "reverst.auth".insecure() } } }]]) }
    assert.equal(1, status)
    assert.equal(("reverst check: tunnel.certificate_path: %s: the certificate "
      .. "cannot be used: it has no certificate in PEM\n"):format(
      host.path "broken"), errors)
  end)

  it("warns of a certificate for other names", function()
    host.make_certificate "other"
    local status, output, errors = check(host.config(), "-n",
      "tunnel.example.com")
    assert.equal(0, status)
    assert.matches("good. It would serve", output)
    assert.matches("server_name_missing path=[^ ]*server.crt "
      .. "server_name=tunnel.example.com names=localhost error=", errors)
    for _, name in ipairs { "localhost", "LOCALHOST" } do
      status, _, errors = check(host.config(), "-n", name)
      assert.same({ 0, "" }, { status, errors })
    end
    for _, path in ipairs { "server.crt", "server.key" } do
      os.remove(host.path(path))
    end
    host.run { "certificate", "-c", host.path "server.crt", "-k",
      host.path "server.key", "192.0.2.1" }
    assert.equal("", select(3, check(host.config(), "-n", "192.0.2.1")))
    assert.matches("server_name=localhost names=192.0.2.1 ",
      (select(3, check(host.config()))))
  end)

  it("has a server warn likewise", function()
    local server = host.start_server { "-n", "other.test", host.config() }
    local entry = server:events({ event = "server_name_missing" })[1]
    assert.same({ "warn", "other.test", "localhost" },
      { entry.level, entry.server_name, entry.names })
  end)

  it("opens no address", function()
    local server = host.start_server { host.config() }
    local status = host.run { "check", host.config(), "-n", "localhost", "-c",
      host.path "server.crt", "-k", host.path "server.key", "-a", server.tunnel,
      "-s", server.http }
    assert.equal(0, status)
  end)

  it("recognises YAML, and says how it is imported", function()
    local yaml = "groups:\n  app:\n    hosts: [a.test]\n"
    local path = host.write("config.yml", yaml)
    local _, _, errors = check(path)
    assert.matches(("config.yml: this is YAML: run `reverst import %s`"):format(
      path), errors, 1, true)
    path = host.write("groups.yaml", yaml)
    _, _, errors = check("-g", path)
    assert.matches(("groups.yaml: this is YAML: run `reverst import --groups "
      .. "%s`"):format(path), errors, 1, true)
  end)
end)

describe("a file of groups", function()
  before_each(function()
    host.open()
    host.make_certificate "server"
    host.write("word", "secret")
  end)
  after_each(host.close)

  it("replaces the groups of config.lua, which is logged", function()
    local config, file = host.config(), host.write("groups.lua", groups)
    local server = host.start_server { config, "-g", file }
    local event = server:wait_for_event { event = "serving" }
    assert.same({ "blue", "blue.test,b.test", "basic" },
      { event.group, event.hosts, event.authenticate })
    assert.equal(1, #server:events { event = "serving" })
    event = server:events { event = "groups_replaced" }[1]
    assert.same({ file, config }, { event.by, event.of })
  end)

  it("makes config.lua needless", function()
    local server = host.start_server {
      "--tunnel-groups=" .. host.write("groups.lua", groups) }
    server:wait_for_event { event = "serving", group = "blue" }
    assert.equal(0, #server:events { event = "groups_replaced" })
  end)

  it("may take the place of groups that config.lua does not have", function()
    local config = host.write("config.lua", "return {}")
    host.start_server { config, "-g", host.write("groups.lua", groups) }
      :wait_for_event { event = "serving", group = "blue" }
  end)

  it("has its mistakes told by its own name, with all others", function()
    local config = host.write("config.lua", "return { log = 7 }")
    local file = host.write("groups.lua", "return { a = {} }")
    local status, _, errors = check(config, "-g", file)
    assert.equal(1, status)
    assert.truthy(errors:find(config .. ": log: expected a table", 1, true))
    assert.truthy(errors:find(file .. ": groups.a: no hosts", 1, true))
    assert.truthy(errors:find(file .. ": groups.a: no authenticate", 1, true))
  end)

  it("must be there, and return a table", function()
    for content, message in pairs {
      ["return 7"] = "it returns a number, expected a table: return { app = ",
      ["x ="] = "unexpected symbol",
      ["return {}"] = "groups: none; write groups = ",
    } do
      local status, _, errors = check("-g", host.write("groups.lua", content))
      assert.equal(1, status)
      assert.truthy(errors:find(message, 1, true), errors)
    end
    local _, _, errors = check("-g", host.path "none.lua")
    assert.matches("none.lua: No such file", errors)
  end)

  it("or config.lua there must be", function()
    local status, _, errors = check()
    assert.equal(2, status)
    assert.matches("which file%? reverst check %[FLAGS%] config.lua", errors)
  end)

  it("alone does not say under which name to serve", function()
    local status, _, errors = host.run { "check", "-g",
      host.write("groups.lua", groups) }
    assert.equal(1, status)
    assert.matches("reverst check: tunnel.server_name: missing; set it by "
      .. "--server-name (-n) or by REVERST_SERVER_NAME", errors, 1, true)
  end)
end)

describe("an option", function()
  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  -- the name that the server has then
  local function served(config, environment, ...)
    local status, output, errors = host.run { "check", config, "-c",
      host.path "server.crt", "-k", host.path "server.key",
      environment = environment, ... }
    assert.equal(0, status, errors)
    return output:match "as (%S+)", output:match "visitors  (%S+)"
  end

  it("is a flag's, else the environment's, else the file's", function()
    local config = host.write("config.lua", [[
      return { tunnel = { server_name = "file.example" },
        groups = { app = { hosts = { "app.test" },
          authenticate = require "reverst.auth".insecure() } } }]])
    local environment = { REVERST_SERVER_NAME = "environment.example" }
    assert.equal("file.example", (served(config)))
    assert.equal("environment.example", (served(config, environment)))
    assert.equal("flag.example", (served(config, environment, "-n",
      "flag.example")))
    assert.equal("127.0.0.1:8181", (select(2, served(config))))
    -- an empty variable is none
    assert.equal("file.example", (served(config, { REVERST_SERVER_NAME = "" })))
  end)
end)
