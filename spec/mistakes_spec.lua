-- What people get wrong in config.lua, and what they are told: all of it, with
-- its place and a cure.

local host = require "host"
local mistakes = require "mistakes"

-- rows: a piece, and all that is said about it
local function describe_all(place, rows)
  describe("a mistake in " .. place, function()
    setup(mistakes.open)
    teardown(mistakes.close)

    for _, row in ipairs(rows) do
      it(("(%s) is told"):format(row[1]:gsub("%s+", " ")), function()
        assert.same({ table.unpack(row, 2) }, mistakes.told(place, row[1]))
      end)
    end
  end)
end

describe_all("the file", {
  { [[local auth = require "reverst.auht"
return {}]],
    '1: there is no module "reverst.auht" (did you mean "reverst.auth"?)' },
  { [[local auth = require "auth"
return {}]],
    '1: there is no module "auth" (did you mean "reverst.auth"?)' },
  { [[local x = require "mymodule"
return {}]],
    '1: there is no module "mymodule", neither beside this file nor '
      .. 'where Lua looks for modules (LUA_PATH)' },
  { 'return { tunnel = { server_name = "https://a.test", certificate_path '
    .. '= "nowhere.crt", private_key_path = "nowhere.key" } }',
    'tunnel.server_name: "https://a.test" is a URL; leave only its host',
    'groups: none; write groups = { app = { hosts = { '
      .. '"app.example.com" }, authenticate = ... } }' },
  { 'return { tunnel = { server_name = "a.test:7171", certificate_path = '
    .. '"", private_key_path = 7 }, groups = {} }',
    'tunnel.certificate_path: it is empty',
    'tunnel.private_key_path: expected a text, got 7',
    'tunnel.server_name: expected the name of a host, without port, '
      .. 'got "a.test:7171"',
    'groups: none; write groups = { app = { hosts = { '
      .. '"app.example.com" }, authenticate = ... } }' },
  { 'return { tunnel = { } }',
    'groups: none; write groups = { app = { hosts = { '
      .. '"app.example.com" }, authenticate = ... } }',
    'tunnel.server_name: missing; set it here, by --server-name (-n) '
      .. 'or by REVERST_SERVER_NAME',
    'tunnel.private_key_path: missing; set it here, by '
      .. '--private-key-path (-k) or by REVERST_PRIVATE_KEY_PATH',
    'tunnel.certificate_path: missing; set it here, by '
      .. '--certificate-path (-c) or by REVERST_CERTIFICATE_PATH (reverst '
      .. 'certificate NAME makes one to try with)' },
  { [[groups:
  app:
    hosts:
    - a
]],
    'this is YAML: run `reverst import config.lua`, which prints in '
      .. 'Lua what it says' },
  { '{ "groups": {} }',
    [[1: unexpected symbol near '{' (write "return" before the table)]] },
  { 'return { tunnel = { server_name = "a.test" ',
    "1: '}' expected near <eof>" },
  { 'return { tunnel = { server_name = "a.test" } groups = {} }',
    "1: '}' expected near 'groups' (is a comma missing before it?)" },
  { 'return { tunnel: {} }',
    "1: <name> expected near '{' (a field of a table is written: name = "
      .. 'value)' },
  { 'return { groups = { my-app = { hosts = {} } } }',
    "1: '}' expected near '=' (a name with a hyphen is written "
      .. '["my-app"] = ...)' },
  { 'return { groups = { app = { authenticate = auth.insecure() } } }',
    "1: attempt to index a nil value (global 'auth') (write local auth = "
      .. 'require "reverst.auth" above)' },
  { 'return { groups = { app = { hosts = { app.test } } } }',
    "1: attempt to index a nil value (global 'app') (a text is written in "
      .. 'quotes)' },
  -- no text that may be a secret is shown
  { 'return { password = "s3cret\n}',
    "1: unfinished string near a text" },
  { "return { password = 1 's3cret' }",
    "1: '}' expected near a text (is a comma missing before it?)" },
  { "return { password = 1 [[s3cret]] }",
    "1: '}' expected near a text (is a comma missing before it?)" },
  { 'return { password = "s3cret" & 1 }',
    "1: attempt to perform bitwise operation on a string value (a constant)" },
  { 'local config = { groups = {} }',
    'it returns nothing (is "return" missing?), expected a table: '
      .. 'return { tunnel = ..., http = ..., groups = ... }' },
  { 'config = {}',
    'it returns nothing (is "return" missing?), expected a table: '
      .. 'return { tunnel = ..., http = ..., groups = ... }' },
  { 'return function() return {} end',
    'it returns a function, expected a table: return { tunnel = ..., '
      .. 'http = ..., groups = ... }' },
  { 'return',
    'it returns nothing (is "return" missing?), expected a table: '
      .. 'return { tunnel = ..., http = ..., groups = ... }' },
  { 'error "the database is not configured"',
    '1: the database is not configured' },
  { 'error { code = 7 }',
    [=[the error object is a table value
stack traceback:
	config.lua:1: in main chunk]=] },
  { 'error()',
    [=[the error object is a nil value
stack traceback:
	config.lua:1: in main chunk]=] },
  { 'error(setmetatable({}, { __tostring = function() return "mine" end }))',
    [=[mine
stack traceback:
	config.lua:1: in main chunk]=] },
  { [[local function load()
  return nil .. "x"
end
load()]],
    [=[2: attempt to concatenate a nil value
stack traceback:
	config.lua:2: in local 'load'
	config.lua:4: in main chunk]=] },
  { 'return setmetatable({}, { __index = function() error "x" end })',
    '1: x' },
  { '',
    'it returns nothing (is "return" missing?), expected a table: '
      .. 'return { tunnel = ..., http = ..., groups = ... }' },
  { 'return "config"',
    'it returns a string, expected a table: return { tunnel = ..., '
      .. 'http = ..., groups = ... }' },
})

describe_all("the table", {
  { 'hosts = { "a.test" }',
    'hosts: unknown key; it belongs to groups.NAME.hosts' },
  { 'address = ":8181"',
    'address: unknown key; it belongs to tunnel.address or http.address' },
  { 'listen = ":8181"',
    'listen: unknown key; there are control, drain_timeout, groups, '
      .. 'hook_timeout, http, log, memory_budget, route, secret_path, tunnel, '
      .. 'watch' },
  { 'level = "debug"',
    'level: unknown key; it belongs to log.level' },
  { 'log = "debug"',
    'log: expected a table, got a string; write log = { level = ... }' },
  { 'log = { level = "verbose" }',
    'log.level: unknown level "verbose"; expected trace, debug, info, '
      .. 'warn, error or off' },
  { 'http = ":8181"',
    'http: expected a table, got a string; write http = { address = '
      .. '... }' },
  { 'http = { address = "127.0.0.1" }',
    'http.address: expected HOST:PORT, such as "127.0.0.1:8181", got '
      .. '"127.0.0.1"' },
  { 'http = { address = 8181 }',
    'http.address: expected an address, such as "127.0.0.1:8181", got '
      .. '8181' },
  { 'http = { address = "127.0.0.1:" }',
    'http.address: "127.0.0.1:" has no port; write it as '
      .. '"127.0.0.1:8181"' },
  { 'http = { address = "127.0.0.1:99999" }',
    'http.address: the port of "127.0.0.1:99999" is not a number up to '
      .. '65535' },
  { 'http = { address = "localhost:8181" }',
    'http.address: "localhost:8181": a name cannot be listened on; '
      .. 'write an address of this machine, such as "127.0.0.1:8181" or '
      .. '":8181" for all' },
  { 'http = { address = { ":1", "localhost:2", 3 } }',
    'http.address: "localhost:2": a name cannot be listened on; write an '
      .. 'address of this machine, such as "127.0.0.1:2" or ":2" for all; '
      .. 'expected an address, such as "127.0.0.1:8181", got 3' },
  { 'http = { address = {} }',
    'http.address: expected a list such as { "127.0.0.1:8181" }, got an '
      .. 'empty one' },
  { 'http = { address = { address = ":1" } }',
    'http.address: expected a list such as { "127.0.0.1:8181" }, got a '
      .. 'table' },
  { 'http = { address = "unix:" }',
    'http.address: expected a socket, such as "unix:/run/reverst/http.sock", '
      .. 'got "unix:"' },
  { 'http = { port = 8181 }',
    'http.port: unknown key; there are address, default_host, '
      .. 'max_connections, max_connections_per_address' },
  { 'http = { default_host = "a b" }',
    'http.default_host: expected a host, such as "app.example.com", perhaps '
      .. 'with a port, got "a b"' },
  { 'http = { listeners = {} }',
    'http.listeners: not there yet: write http.address = { "127.0.0.1:8181", '
      .. '"unix:/run/reverst/http.sock" } for several addresses, which serve '
      .. 'alike' },
  { 'http = { trusted_proxies = {} }',
    'http.trusted_proxies: not there yet: the X-Forwarded- fields that a '
      .. "visitor sends are replaced, also those of a proxy; let a proxy in "
      .. "front put the visitor's address into a field of its own, such as "
      .. 'X-Client-Address, which passes' },
  { 'http = { access_log = {} }',
    'http.access_log: not there yet: write a line for each response in '
      .. 'on_response, by reverst.log, or have the proxy in front log '
      .. 'requests' },
  { 'tls = {}',
    'tls: not there yet: visitors connect by plain HTTP; put a proxy with TLS, '
      .. 'such as Caddy, nginx or HAProxy, in front, and let http.address be '
      .. '127.0.0.1 or a Unix socket' },
  { 'http = { max_connections = 0 }',
    'http.max_connections: expected a whole number from 1 to 10000000, '
      .. 'got 0' },
  { 'memory_budget = "256 MB"',
    'memory_budget: expected a size, such as "64KiB", "10MB", or a '
      .. 'number of bytes, got "256 MB"' },
  { 'memory_budget = "10KB"',
    'memory_budget: expected at least 1048576 bytes, got "10KB"' },
  { 'memory_budget = "lots"',
    'memory_budget: expected a size, such as "64KiB", "10MB", or a '
      .. 'number of bytes, got "lots"' },
  { 'drain_timeout = "30 seconds"',
    'drain_timeout: expected a duration, such as "30s", "1m30s", '
      .. '"500ms", or a number of seconds, got "30 seconds"' },
  { 'drain_timeout = 0',
    'drain_timeout: expected a duration of more than 0 and less than '
      .. 'ten years, got 0' },
  { 'control = "/run/reverst.sock"',
    'control: expected a socket, such as '
      .. '"unix:/run/reverst/control.sock", got "/run/reverst.sock"' },
  { 'control = "unix:"',
    'control: expected a socket, such as '
      .. '"unix:/run/reverst/control.sock", got "unix:"' },
  { 'watch = "sometimes"',
    'watch: expected true or false, got "sometimes"' },
  { 'route = "app"',
    'route: expected a function, such as function(request) ... end, '
      .. 'got "app"' },
  { 'route = { ["/"] = "app" }',
    'route: expected a function, such as function(request) ... end, '
      .. 'got a table' },
  { 'secret_path = "nowhere"',
    'secret_path: nowhere: No such file or directory' },
  { 'secret = "x"',
    'secret: unknown key (did you mean "secret_path"?)' },
})

describe_all("tunnel", {
  { 'private_key = "server.key"',
    'tunnel.private_key: unknown key (did you mean "private_key_path"?)' },
  { 'max_idle_timeout = "1 minute"',
    'tunnel.max_idle_timeout: expected a duration, such as "30s", '
      .. '"1m30s", "500ms", or a number of seconds, got "1 minute"' },
  { 'keep_alive_period = 0',
    'tunnel.keep_alive_period: expected a duration of more than 0 and '
      .. 'less than ten years, got 0' },
  { 'server_nam = "x"',
    'tunnel.server_nam: unknown key (did you mean "server_name"?)' },
  { 'max_pending = "many"',
    'tunnel.max_pending: expected a whole number from 1 to 1000000, '
      .. 'got "many"' },
})

describe("reverst check", function()
  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  -- its exit status, output and errors without the folder's name
  local function check(certificate, private_key, groups)
    local file = host.write("config.lua", ([[
      local auth = require "reverst.auth"
      return {
        tunnel = { server_name = "localhost", certificate_path = "%s",
          private_key_path = "%s" },
        groups = { app = { hosts = { "app.test" }, authenticate = %s } },
      }]]):format(certificate, private_key, groups or "auth.insecure()"))
    local status, output, errors = host.run { "check", file }
    local prefix = host.path "":gsub("%p", "%%%0")
    return status, (output:gsub(prefix, "")), (errors:gsub(prefix, ""))
  end

  it("tells all mistakes, and ends with status 1", function()
    local status, output, errors = check("none.crt", "none.key")
    assert.same({ 1, "", "reverst check: config.lua: tunnel.private_key_path: "
      .. "none.key: No such file or directory\n"
      .. "reverst check: config.lua: tunnel.certificate_path: none.crt: "
      .. "No such file or directory\n" }, { status, output, errors })
  end)

  it("says that key and certificate do not belong together", function()
    host.make_certificate "other"
    local status, _, errors = check("server.crt", "other.key")
    assert.equal(1, status)
    assert.equal("reverst check: tunnel.private_key_path: other.key: the private "
      .. "key cannot be used: it belongs to another certificate\n", errors)
  end)

  it("says what a file is not", function()
    host.write("junk", "junk")
    local status, _, errors = check("junk", "server.key")
    assert.equal(1, status)
    assert.matches(": junk: the certificate cannot be used: it has no "
      .. "certificate in PEM", errors)
    status, _, errors = check("server.crt", "junk")
    assert.equal(1, status)
    assert.matches(": junk: the private key cannot be used: it has no "
      .. "private key in PEM", errors)
    _, _, errors = check("server.crt", "server.crt")
    assert.matches("it has no private key in PEM", errors)
  end)

  it("says what would be served, and no secret", function()
    local status, output, errors = check("server.crt", "server.key", [[auth.any {
      auth.basic { username = "u71777", password = "p71777" },
      auth.bearer { token = "t71777" },
      auth.external { endpoint = "https://a71777.test/",
        headers = { k = "h71777" } },
    }, balance = "first", on_request = function() end,
      on_tunnel_up = function() end]])
    assert.same({ 0, "" }, { status, errors })
    assert.matches("\n    authenticate  any%(basic, bearer, external%)\n"
      .. "    balance       first\n"
      .. "    hooks         on_request, on_tunnel_up\n$", output)
    assert.is_nil(output:find("71777", 1, true))
  end)
end)
