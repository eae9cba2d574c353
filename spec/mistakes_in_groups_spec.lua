-- What people get wrong in the groups of a configuration, and what they are
-- told.

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

describe_all("groups", {
  { '{ a = { hosts = { "x.test" }, authenticate = auth.insecure() }, b = { '
    .. 'hosts = { "X.test" }, authenticate = auth.insecure() } }',
    'groups.b.hosts: "x.test" belongs to group "a" already' },
  { '{ a = { hosts = { "*.x.test" }, authenticate = auth.insecure() }, b = '
    .. '{ hosts = { "*.x.test" }, authenticate = auth.insecure() } }',
    'groups.b.hosts: "*.x.test" belongs to group "a" already' },
  { '{ a = { hosts = { "*" }, authenticate = auth.insecure() }, b = { '
    .. 'hosts = { "*" }, authenticate = auth.insecure() } }',
    'groups.b.hosts: "*" belongs to group "a" already' },
  { '{ { name = "app", hosts = { "x.test" }, authenticate = '
    .. 'auth.insecure() } }',
    'groups[1]: expected the name of a group, got 1; write groups = { '
      .. 'name = { ... } }' },
  { '{}',
    'groups: none; write groups = { app = { hosts = { '
      .. '"app.example.com" }, authenticate = ... } }' },
  { '"app"',
    'groups: expected a table, got a string; write groups = { app = { '
      .. 'hosts = { "app.example.com" }, authenticate = ... } }' },
  { '{ app = "x.test" }',
    'groups.app: expected a table such as { hosts = { '
      .. '"app.example.com" }, authenticate = ... }, got a string' },
  { '{ app = auth.insecure() }',
    'groups.app: expected a table such as { hosts = { '
      .. '"app.example.com" }, authenticate = ... }, got a strategy or a '
      .. 'policy' },
  { '{ [""] = { hosts = { "x.test" }, authenticate = auth.insecure() } }',
    [[groups[""]: "": a group's name has 1 to 255 bytes, UTF-8, and no ]]
      .. 'control characters; write groups = { name = { ... } }' },
  { '{ app = { host = { "x.test" }, authenticate = auth.insecure() } }',
    'groups.app.host: unknown key (did you mean "hosts"?)',
    'groups.app: no hosts; write hosts = { "app.example.com" }' },
  { '{ app = { hosts = { "x.test" }, auth = auth.insecure() } }',
    'groups.app.auth: unknown key (did you mean "authenticate"?)',
    'groups.app: no authenticate (a misspelt name is nil in Lua); '
      .. 'write auth.insecure() to accept anyone' },
  { '{ app = { hosts = { "x.test" }, authentication = auth.insecure() } }',
    'groups.app.authentication: unknown key (did you mean '
      .. '"authenticate"?)',
    'groups.app: no authenticate (a misspelt name is nil in Lua); '
      .. 'write auth.insecure() to accept anyone' },
})

describe_all("a group", {
  { 'hosts = { "a.test" }',
    'groups.app: no authenticate (a misspelt name is nil in Lua); '
      .. 'write auth.insecure() to accept anyone' },
})

describe_all("hosts", {
  { '"a.test"',
    'groups.app.hosts: expected a list; write { "a.test" }' },
  { '{}',
    'groups.app.hosts: it lists none (os.getenv of a variable that is '
      .. 'not set is nil); write { "app.example.com", "*.app.example.com" }' },
  { '{ os.getenv "REVERST_SPEC_UNSET" }',
    'groups.app.hosts: it lists none (os.getenv of a variable that is '
      .. 'not set is nil); write { "app.example.com", "*.app.example.com" }' },
  { '{ nil, "a.test" }',
    'groups.app.hosts: entry 1 is nil (os.getenv of a variable that is '
      .. 'not set is nil)' },
  { '{ ["a.test"] = true }',
    'groups.app.hosts: expected a list such as { "app.example.com", '
      .. '"*.app.example.com" }, got the key "a.test"' },
  { '{ "https://a.test" }',
    'groups.app.hosts: "https://a.test" is a URL; leave only its host' },
  { '{ "a.test:8080" }',
    'groups.app.hosts: "a.test:8080": leave out the port; a group has '
      .. 'its hosts on every port' },
  { '{ "a.test/path" }',
    'groups.app.hosts: "a.test/path" has a path; leave only the host '
      .. '(route decides by paths)' },
  { '{ "user@a.test" }',
    'groups.app.hosts: "user@a.test" has a user; leave only the host' },
  { '{ "a test" }',
    'groups.app.hosts: "a test" is not the name of a host' },
  { '{ "größe.test" }',
    [[groups.app.hosts: "gr\xc3\xb6\xc3\x9fe.test": write it in ASCII, ]]
      .. 'as DNS has it: xn--...' },
  { '{ "::1" }',
    'groups.app.hosts: "::1": write "[::1]"' },
  { '{ "*a.test" }',
    'groups.app.hosts: "*a.test": a star stands alone, or for whole '
      .. 'labels at the front; write "*.a.test" for all names below it' },
  { '{ ".a.test" }',
    'groups.app.hosts: ".a.test": write "*.a.test" for all names below '
      .. 'it' },
  { '{ "a.*.test" }',
    'groups.app.hosts: "a.*.test": a star stands alone, or for whole '
      .. 'labels at the front; write "*.example.com" for all names below one, '
      .. 'or "*" for all others' },
  { '{ "*.*.test" }',
    'groups.app.hosts: "*.*.test": a star stands alone, or for whole '
      .. 'labels at the front; write "*.example.com" for all names below one, '
      .. 'or "*" for all others' },
  { '{ "**" }',
    'groups.app.hosts: "**": a star stands alone, or for whole labels '
      .. 'at the front; write "*.example.com" for all names below one, or "*" '
      .. 'for all others' },
  { '{ "*." }',
    'groups.app.hosts: "*.": a star stands alone, or for whole labels '
      .. 'at the front; write "*.example.com" for all names below one, or "*" '
      .. 'for all others' },
  { '{ "a.test", "A.test." }',
    'groups.app.hosts: "a.test" is listed twice' },
  { '{ 7 }',
    'groups.app.hosts: expected the name of a host, got 7' },
})

describe_all("authenticate", {
  { 'auth.basci { username = "u", password = "p" }',
    '2: auth.basci does not exist (did you mean "basic"?)' },
  { 'auth.jwt { }',
    '2: auth.jwt does not exist; there are all, any, basic, '
      .. 'basic_credentials, bearer, bearer_credentials, external, insecure' },
  { 'auht.basic { username = "u", password = "p" }',
    [[2: attempt to index a nil value (global 'auht') (did you mean "auth"?)]] },
  { 'nil',
    'groups.app: no authenticate (a misspelt name is nil in Lua); '
      .. 'write auth.insecure() to accept anyone' },
  { 'auth.insecure',
    'groups.app.authenticate: auth.insecure was not called; write '
      .. 'auth.insecure()' },
  { 'auth.basic',
    'groups.app.authenticate: auth.basic was not called; write '
      .. 'auth.basic { ... }' },
  { '"basic"',
    'groups.app.authenticate: expected auth.basic { ... }, auth.bearer '
      .. '{ ... }, auth.insecure() or a function, got a text' },
  { '{ username = "u", password = "p" }',
    'groups.app.authenticate: expected auth.basic { ... }, auth.bearer '
      .. '{ ... }, auth.insecure() or a function, got a table' },
  { '{ auth.insecure() }',
    'groups.app.authenticate: expected auth.basic { ... }, auth.bearer '
      .. '{ ... }, auth.insecure() or a function, got a table' },
  { 'true',
    'groups.app.authenticate: expected auth.basic { ... }, auth.bearer '
      .. '{ ... }, auth.insecure() or a function, got true' },
  { 'auth.basic { username = "u" }',
    '2: auth.basic: no password (os.getenv of a variable that is not '
      .. 'set is nil)' },
  { 'auth.basic { username = "u", password = os.getenv '
    .. '"REVERST_SPEC_UNSET" }',
    '2: auth.basic: no password (os.getenv of a variable that is not '
      .. 'set is nil)' },
  { 'auth.basic { username = "u", password = "" }',
    '2: auth.basic: password: it is empty' },
  { 'auth.basic { user = "u", pass = "p" }',
    '2: auth.basic: unknown field "pass" (did you mean "password"?)' },
  { 'auth.basic { username = "u", password = "p", password_path = '
    .. '"password" }',
    '2: auth.basic: password and password_path: only one of them' },
  { 'auth.basic { username = "u", password_path = "nowhere" }',
    '2: auth.basic: password_path: nowhere: No such file or directory' },
  { 'auth.basic { username = "u", password_path = "empty" }',
    '2: auth.basic: password_path: empty: it is empty' },
  { 'auth.basic { username = "u", password_path = "/root/../tmp" }',
    '2: auth.basic: password_path: /root/../tmp: Is a directory' },
  { 'auth.basic { username = "u", password = 12345 }',
    '2: auth.basic: password: expected a text, got a number' },
  { 'auth.basic { "u", "p" }',
    '2: auth.basic: unknown field 1; there are hashed_password, '
      .. 'hashed_password_path, password, password_path, scheme, username' },
  { 'auth.basic "u:p"',
    '2: auth.basic: expected a table, got a string; write auth.basic { '
      .. '... }' },
  { 'auth.basic { username = "u", hashed_password = '
    .. '"5f4dcc3b5aa765d61d8327deb882cf99" }',
    '2: auth.basic: hashed_password: expected the 64 hexadecimal digits '
      .. 'of a SHA-256, got 32 characters; printf %s SECRET | sha256sum makes '
      .. 'them' },
  { 'auth.bearer { token = nil }',
    '2: auth.bearer: no token (os.getenv of a variable that is not set '
      .. 'is nil)' },
  { 'auth.bearer("t0ken")',
    '2: auth.bearer: expected a table, got a string; write auth.bearer '
      .. '{ ... }' },
  { 'auth.bearer { tokens = { "a", "b" } }',
    '2: auth.bearer: unknown field "tokens" (did you mean "token"?)' },
  { 'auth.bearer { token = "t", scheme = "Bearer t" }',
    '2: auth.bearer: scheme: expected one word, such as "Bearer"' },
  { 'auth.bearer { hashed_token_path = "password" }',
    '2: auth.bearer: hashed_token_path: password: expected the 64 '
      .. 'hexadecimal digits of a SHA-256, got 4 characters; printf %s SECRET '
      .. '| sha256sum makes them' },
  { 'auth.bearer { token_path = "k8s://secret/ns/name/key" }',
    '2: auth.bearer: token_path: k8s://secret/ns/name/key: secrets of '
      .. 'Kubernetes are read from files; mount it as a volume, and name its '
      .. 'file' },
  { 'auth.external { endpoint = "auth.example.com/tunnels" }',
    '2: auth.external: endpoint: a URL begins with http:// or https://, '
      .. 'such as "https://auth.example.com/tunnels"' },
  { 'auth.external { endpoint = "https://u:p@auth.example.com/" }',
    '2: auth.external: endpoint: user and password in a URL are not '
      .. 'understood; put them into headers' },
  { 'auth.external { endpoint = "https://auth.example.com:99999/" }',
    '2: auth.external: endpoint: its port is not a number from 1 to '
      .. '65535' },
  { 'auth.external { url = "https://auth.example.com" }',
    '2: auth.external: unknown field "url"; there are ca_path, '
      .. 'endpoint, headers, scheme, timeout' },
  { 'auth.external { endpoint = "https://auth.example.com", timeout = "5 '
    .. 'seconds" }',
    '2: auth.external: timeout: expected a duration, such as "30s", '
      .. '"1m30s", "500ms", or a number of seconds' },
  { 'auth.external "https://auth.example.com"',
    '2: auth.external: expected a table, got a string; write '
      .. 'auth.external { ... }' },
  { 'auth.external { endpoint = "https://auth.example.com", headers = { '
    .. '["x-key"] = os.getenv "REVERST_SPEC_UNSET" or 7 } }',
    '2: auth.external: headers: x-key: expected a text of one line '
      .. '(os.getenv of a variable that is not set is nil)' },
  { 'auth.any {}',
    '2: auth.any: it has no members; write auth.any { auth.basic { ... '
      .. '}, auth.bearer { ... } }' },
  { 'auth.any { "basic", "bearer" }',
    '2: auth.any: member 1: expected a strategy such as auth.basic { '
      .. '... }, or a function, got a string' },
  { 'auth.any { auth.insecure }',
    '2: auth.any: member 1: auth.insecure was not called; write '
      .. 'auth.insecure()' },
  { 'auth.any { basic = auth.insecure() }',
    '2: auth.any: unknown field "basic"; write auth.any { auth.basic { '
      .. '... }, auth.bearer { ... } }' },
  { 'auth.any(auth.insecure(), auth.insecure())',
    '2: auth.any: expected a list; write auth.any { auth.basic { ... }, '
      .. 'auth.bearer { ... } }' },
  { 'auth.all { auth.basic { username = "u", password = "p" }, auth.bearer '
    .. '{ token = "t" } }',
    '2: auth.all: nobody can satisfy members of different schemes; '
      .. 'auth.any accepts either' },
})

describe_all("an option of a group", {
  { 'max_body = "1MiB"',
    'groups.app.max_body: not there yet: have on_request look at '
      .. 'request.headers["content-length"] and return { status = 413 }, or '
      .. 'let a proxy in front bound bodies' },
  { 'upgrade_protocols = {}',
    'groups.app.upgrade_protocols: not there yet: WebSocket and other upgrades '
      .. 'do not pass; event streams and long polls do' },
  { 'balance = "leastconn"',
    'groups.app.balance: unknown policy "leastconn" (did you mean '
      .. '"least_conn"?)' },
  { 'balance = "cookie"',
    'groups.app.balance: cookie needs an argument; write '
      .. 'balance.cookie "tunnel"' },
  { 'balance = balance.least_conn',
    'groups.app.balance: balance.least_conn makes a policy; write '
      .. 'balance.least_conn()' },
  { 'balance = balance.leastconn()',
    '2: balance.leastconn does not exist (did you mean "least_conn"?)' },
  { 'balance = balance.cookie()',
    '2: balance.cookie: expected a name, got nil; write balance.cookie '
      .. '"tunnel"' },
  { 'balance = balance.header {}',
    '2: balance.header: expected a name, got a table; write '
      .. 'balance.header "X-User"' },
  { 'balance = balance.random_choose(0)',
    '2: balance.random_choose: expected a whole number, 1 to 1000, got 0' },
  { 'balance = { "round_robin" }',
    'groups.app.balance: expected the name of a policy or a function, '
      .. 'got a table' },
  { 'balance = balance.fallback("first")',
    '2: balance.fallback: expected the name of a policy or a function, '
      .. 'got nil' },
  { 'retries = -1',
    'groups.app.retries: expected a whole number from 0 to 15, got -1' },
  { 'retries = "2"',
    'groups.app.retries: expected a whole number from 0 to 15, got "2"' },
  { 'retries = 99',
    'groups.app.retries: expected a whole number from 0 to 15, got 99' },
  { 'response_timeout = "10"  , queue_timeout = "5 s"',
    'groups.app.queue_timeout: expected a duration, such as "30s", '
      .. '"1m30s", "500ms", or a number of seconds, got "5 s"' },
  { 'queue_timeout = false',
    'groups.app.queue_timeout: it cannot be off' },
  { 'response_timeout = "10sec"',
    'groups.app.response_timeout: expected a duration, such as "30s", '
      .. '"1m30s", "500ms", or a number of seconds, got "10sec"' },
  { 'response_timeout = -5',
    'groups.app.response_timeout: expected a duration of more than 0 '
      .. 'and less than ten years, got -5' },
  { 'max_fails = 1.5',
    'groups.app.max_fails: expected a whole number from 0 to 1000000, '
      .. 'got 1.5' },
  { 'on_request = "log"',
    'groups.app.on_request: expected a function, such as '
      .. 'function(request) ... end, got "log"' },
  { 'on_request = { function() end }',
    'groups.app.on_request: expected a function, such as '
      .. 'function(request) ... end, got a table' },
  { 'on_requests = function() end',
    'groups.app.on_requests: unknown key (did you mean "on_request"?)' },
  { 'on_tunnel_up = true',
    'groups.app.on_tunnel_up: expected a function, such as '
      .. 'function(tunnel) ... end, got true' },
  { 'weight = 3',
    'groups.app.weight: unknown key; there are authenticate, balance, '
      .. 'fail_duration, hosts, max_fails, on_request, on_response, '
      .. 'on_tunnel_down, on_tunnel_up, queue_timeout, reauthenticate, '
      .. 'response_timeout, retries' },
  { 'reauthenticate = "maybe"',
    'groups.app.reauthenticate: expected true or false, got "maybe"' },
})
