-- reverst import: groups of the Go original become config.lua.

local host = require "host"
local read = require "reverst.import.read"
local yaml = require "reverst.import.yaml"

-- the one problem of a text: "line:column: message"
local function problem_of(content)
  local root, problem = yaml.read(content)
  assert.is_nil(root)
  return ("%d:%d: %s"):format(problem.line, problem.column, problem.message)
end

-- the remarks of a kind, likewise
local function remarks_of(kind, content)
  local root, problem = yaml.read(content)
  assert.is_nil(problem and problem.message)
  local _, remarks = read.groups(root)
  local texts = {}
  for _, remark in ipairs(remarks) do
    if remark.kind == kind then
      texts[#texts + 1] = ("%d:%d: %s"):format(remark.line, remark.column,
        remark.message)
    end
  end
  return texts
end

local function import(content, ...)
  return host.run { "import", host.write("groups.yml", content), ... }
end

-- without the comments, and the empty lines
local function code_of(output)
  local lines = {}
  for line in output:gmatch "[^\n]+" do
    if not line:match "^%s*%-%-" then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

-- one group "app" for app.test, whose authentication is this
local function with_authentication(lines)
  return "groups:\n  app:\n    hosts: [app.test]\n    authentication:\n"
    .. lines:gsub("[^\n]+", "      %0")
end

local hash = ("0123456789abcdef"):rep(4)

describe("reverst import", function()
  before_each(host.open)
  after_each(host.close)

  local strategies = {
    { "basic:\n  username: ann\n  password: w0rd",
      'authenticate = auth.basic { username = "ann", password = "w0rd" },' },
    { "basic: {username: ann, password: 0123, scheme: BASIC}",
      'authenticate = auth.basic { username = "ann", password = "0123" },' },
    { "bearer: {token: 'it''s \\ \"secret\"'}",
      [[authenticate = auth.bearer { token = "it's \\ \"secret\"" },]] },
    { "bearer: {tokenPath: /run/token}",
      'authenticate = auth.bearer { token_path = "/run/token" },' },
    { "bearer: {hashedToken: " .. hash .. "}",
      "authenticate = auth.bearer {\n  hashed_token = \"" .. hash .. "\",\n}," },
    { "bearer: {hashedTokenPath: /run/hash, scheme: Token}",
      'authenticate = auth.bearer {\n  hashed_token_path = "/run/hash",\n'
        .. '  scheme = "Token",\n},' },
    { "external: {endpoint: 'https://auth.test/ok?a=b', scheme: JWT}",
      'authenticate = auth.external {\n'
        .. '  endpoint = "https://auth.test/ok?a=b",\n  scheme = "JWT",\n},' },
    { "basic: {username: a, password: b}\nbearer: {token: t, hashedToken: x}",
      'authenticate = auth.any {\n'
        .. '  auth.basic { username = "a", password = "b" },\n'
        .. '  auth.bearer { token = "t" },\n},' },
    { "bearer: ~", "authenticate = auth.insecure()," },
    { "bearer: {token: '', hashedToken: '', tokenPath: /t}",
      'authenticate = auth.bearer { token_path = "/t" },' },
  }

  for _, row in ipairs(strategies) do
    it("writes what the original understands by " .. row[1]:gsub("%s+", " "),
      function()
        local status, output, errors = import(with_authentication(row[1]))
        assert.equal(0, status, errors)
        local written = code_of(output):gsub("\n      ", "\n")
        assert.truthy(written:find(row[2], 1, true), output)
        assert(load(output))
      end)
  end

  it("prints the whole of config.lua, or with --groups the table", function()
    local content = "groups:\n  \"app\":\n    hosts:\n    - \"app.test\"\n"
      .. "    authentication:\n      basic:\n        username: \"ann\"\n"
      .. "        password: \"word\"\n"
    local status, output, errors = import(content)
    assert.same({ 0, "" }, { status, errors })
    assert.matches("^%-%- Imported from .*groups.yml by reverst import.\n", output)
    assert.equal([[
local auth = require "reverst.auth"
return {
  groups = {
    app = {
      hosts = { "app.test" },
      authenticate = auth.basic { username = "ann", password = "word" },
    },
  },
}]], code_of(output))
    output = select(2, import(content, "--groups"))
    assert.equal([[
local auth = require "reverst.auth"
return {
  app = {
    hosts = { "app.test" },
    authenticate = auth.basic { username = "ann", password = "word" },
  },
}]], code_of(output))
  end)

  it("says that secrets are in it, where there are any", function()
    local _, output = import(with_authentication "bearer: {token: t}")
    assert.matches("nobody else read\n%-%- this file", output)
    _, output = import(with_authentication "bearer: {tokenPath: /t}")
    assert.not_matches("nobody else", output)
  end)

  it("keeps names that are no words of Lua", function()
    local _, output = import([[{groups: {end: {hosts: [a.test]},
      "a.b": {hosts: ["::1", B.test]}, "ü\"": {hosts: [c.test]}}}]])
    local groups = load(output)().groups
    assert.same({ "a.test" }, groups["end"].hosts)
    assert.same({ "[::1]", "b.test" }, groups["a.b"].hosts)
    assert.same({ "c.test" }, groups['ü"'].hosts)
  end)

  it("takes what aliases and << repeat", function()
    local _, output = import(table.concat({ "x: &auth",
      "  basic: {username: ann, password: word}",
      "groups:", "  a: &a {hosts: [a.test], authentication: *auth}",
      "  b:", "    hosts: [b.test]", "    <<: *a" }, "\n"))
    local groups = load(output)().groups
    assert.same({ "b.test" }, groups.b.hosts)
    assert.equal("basic", groups.b.authenticate.kind)
  end)

  it("reads standard input", function()
    local status, output = host.run { "import", "-", may_fail = true }
    assert.same({ 1, "" }, { status, output })
  end)

  it("says in comments and on standard error what differs", function()
    local status, output, errors = import [[
groups:
  app:
    hosts: [app.test, "*.app.test", "app.test:80"]
    authenticaton: {}
]]
    assert.equal(0, status)
    assert.matches('groups.yml:3:23: groups.app.hosts: "*.app.test" is left out',
      errors, 1, true)
    assert.matches('groups.yml:4:5: groups.app: the original ignores the key '
      .. '"authenticaton" (did you mean "authentication"?)', errors, 1, true)
    assert.matches("groups.yml:2:3: groups.app: it has no authentication: "
      .. "anyone may join", errors, 1, true)
    assert.matches("%-%- line 2: groups.app: it has no authentication", output)
    assert.same({ "app.test" }, load(output)().groups.app.hosts)
  end)

  it("refuses everyone where it cannot carry over who may join", function()
    local status, output, errors = import(with_authentication
      "bearer: {tokenPath: 'k8s://secret/default/token/token'}")
    assert.equal(1, status)
    assert.matches("groups.yml:5:27: .*secrets of Kubernetes are not read",
      errors)
    assert.is_false((load(output)().groups.app.authenticate {}))
  end)

  it("leaves out what a group may not have here, with status 1", function()
    local status, output, errors = import [[{groups: {a: {hosts: [x.test]},
      b: {hosts: [y.test, x.test]}, c: {}}}]]
    assert.equal(1, status)
    assert.matches('"x.test" is that of group "a" already', errors)
    assert.matches("groups.c: it has no host", errors)
    local groups = load(output)().groups
    assert.same({ "y.test" }, groups.b.hosts)
    assert.is_nil(groups.c)
  end)

  it("prints nothing when the file is wrong", function()
    local status, output, errors = import "groups:\n  app: 1\n"
    assert.same({ 1, "" }, { status, output })
    assert.matches("groups.yml:2:8: groups.app: expected a mapping, got a text\n",
      errors)
    status, output, errors = import "groups: [\n"
    assert.same({ 1, "" }, { status, output })
    assert.matches("groups.yml:2:1: ", errors)
  end)

  it("wants one file, and one that is there", function()
    local status, _, errors = host.run { "import" }
    assert.equal(2, status)
    assert.matches("which file%?", errors)
    status, _, errors = host.run { "import", host.path "none.yml" }
    assert.equal(1, status)
    assert.matches("none.yml: No such file", errors)
  end)

  it("prints what serves the same clients", function()
    host.make_certificate "server"
    local status, output, errors = import [[
groups:
  app:
    hosts: [app.test]
    authentication:
      basic: {username: ann, password: word}
  token:
    hosts: [token.test]
    authentication:
      bearer: {token: t0ken}
  hashed:
    hosts: [hashed.test]
    authentication:
      bearer:
        hashedToken: B46C09677343261F0B439A472422225E3A230C9C094D6AB16762E2036B597053
  file:
    hosts: [file.test]
    authentication:
      basic: {username: ann, password: word}
      bearer: {tokenPath: token, scheme: bearer}
  open:
    hosts: [open.test]
]]
    assert.equal(0, status, errors)
    host.write("token", "t0ken\n")
    local checked, text = host.run { "check", host.write("config.lua", output),
      "-n", "localhost", "-c", host.path "server.crt", "-k",
      host.path "server.key" }
    assert.equal(0, checked, text)
    local server = host.start_server { host.write("config.lua", output) }
    host.start_client(server, { "--username", "ann", "--password", "word" })
      :wait_for "registered at .* in group \"app\""
    host.start_client(server, { "-g", "token", "--token", "t0ken" })
      :wait_for "registered at .* in group \"token\""
    for _, flags in ipairs { { "-g", "hashed", "--token", "t0ken" },
      { "-g", "file", "--username", "ann", "--password", "word" },
      { "-g", "file", "--token", "t0ken" }, { "-g", "open" } } do
      host.start_client(server, flags):wait_for "registered at "
    end
    for _, flags in ipairs { { "--username", "ann", "--password", "wrong" },
      { "-g", "hashed", "--token", "wrong" }, { "-g", "file", "--token", "x" },
      { "-g", "file", "--username", "ann", "--password", "wrong" },
      { "--token", "t0ken" }, { "-g", "token", "--token", "word" },
      { "-g", "token" } } do
      host.start_client(server, flags):wait_for "unauthorized: "
    end
  end)
end)

describe("an imported group with a service that says who may join", function()
  before_each(host.open)
  after_each(host.close)

  it("asks it as before, beside what it knows itself", function()
    host.make_certificate "server"
    local _, output = import(with_authentication(
      "external: {scheme: JWT, endpoint: 'http://" .. host.origin_address()
        .. "/may?x=y'}\nbearer: {token: t0ken}"))
    local server = host.start_server { host.write("config.lua", output) }
    host.start_client(server, { "--token", "t0ken" }):wait_for "registered at "
    local client = host.start_client(server,
      { "--scheme", "JWT", "--token", "a.b.c" })
    local asked = host.accept_request()
    assert.matches("^GET /may%?x=y HTTP/1.1\r\n", asked:received())
    assert.matches("\r\n[Aa]uthorization: JWT a.b.c\r\n", asked:received())
    host.answer(asked, "")
    client:wait_for "registered at "
  end)
end)

describe("a file of groups in YAML", function()
  it("has mistakes of YAML, whose places are named", function()
    for content, expected in pairs {
      ["groups:\n  a: {}\n  b: {}\n  a: {}\n"] =
        '4:3: the key "a" stands in line 2 already',
      ["a: *b"] = "1:4: there is no anchor &b before it",
      ["a: &a [*a]"] = "1:8: *a stands within what it names",
      ["a: !binary x"] = "1:4: the tag !binary has no meaning here",
      ["[a]: b"] = "1:1: a key must be a text",
      ["<<: [a]"] = "1:6: << takes a mapping, or a list of mappings",
      [("["):rep(65) .. ("]"):rep(65)] =
        "1:65: it is nested more than 64 deep",
      [("["):rep(1024 * 1024 - 1)] = "1:65: it is nested more than 64 deep",
      ["a: 'b"] = "1:6: found unexpected end of stream",
      ["a: b\n\1"] = "2:1: control characters are not allowed",
      ["a: \xff"] = "1:4: invalid leading UTF-8 octet",
      ["# " .. ("x"):rep(1024 * 1024)] = "1:1: it is larger than 1048576 bytes",
    } do
      assert.equal(expected, problem_of(content))
    end
  end)

  it("may repeat by aliases no more than has a bound", function()
    local lines = { "a: &a [x, x, x, x, x, x, x, x, x, x]" }
    for letter in ("bcdefg"):gmatch "." do
      local alias = "*" .. string.char(letter:byte() - 1)
      lines[#lines + 1] = ("%s: &%s [%s]"):format(letter, letter,
        alias .. (", " .. alias):rep(9))
    end
    assert.matches("there are more than 100000 values, aliases included",
      problem_of(table.concat(lines, "\n")))
  end)

  it("has mistakes of the original's own rules", function()
    for content, expected in pairs {
      [""] = "1:1: it has no groups",
      ["groups: {}"] = "1:1: it has no groups",
      ["- a"] = "1:1: the file: expected a mapping, got a list",
      ["groups: [a]"] = "1:9: groups: expected a mapping, got a list",
      ["groups: {a: {hosts: x.test}}"] =
        "1:21: groups.a.hosts: expected a list, got a text",
      ["groups: {a: {hosts: [[x]]}}"] =
        "1:22: groups.a.hosts: expected a text, got a list",
      ['groups: {"": {hosts: [x]}}'] = '1:10: groups[""]: "": a group\'s name '
        .. "has 1 to 255 bytes, UTF-8, and no control characters",
      [with_authentication "basic: {username: a}"] =
        "5:14: groups.app.authentication.basic: password must not be empty",
      [with_authentication "basic: {username: 'a:b', password: c}"] =
        "5:25: groups.app.authentication.basic.username: with a colon in it, "
        .. "nobody can have it",
      [with_authentication "bearer: {}"] =
        "5:15: groups.app.authentication.bearer: one of token, tokenPath, "
        .. "hashedToken and hashedTokenPath must not be empty",
      [with_authentication "bearer: {hashedToken: abc}"] =
        "5:29: groups.app.authentication.bearer.hashedToken: expected a "
        .. "SHA-256, 64 hexadecimal digits",
      [with_authentication "bearer: {tokenPath: 'file:///t'}"] =
        "5:27: groups.app.authentication.bearer.tokenPath: \"file:///t\": "
        .. "expected the path of a file",
      [with_authentication "external: {endpoint: 'auth.test'}"] =
        "5:28: groups.app.authentication.external.endpoint: expected an http "
        .. "or https URL",
      [with_authentication "external: {scheme: 'a b', endpoint: 'http://a'}"] =
        '5:26: groups.app.authentication.external.scheme: expected one word, '
        .. 'such as Bearer, got "a b"',
      [with_authentication
        "bearer: {token: t}\nexternal: {endpoint: 'http://a'}"] =
        "6:17: groups.app.authentication.external: its scheme Bearer is that "
        .. "of bearer already",
    } do
      assert.same({ expected }, remarks_of("problem", content))
    end
  end)

  it("has what is good to know", function()
    for content, expected in pairs {
      [with_authentication "basic: {username: a, password: b, scheme: X}"] =
        "5:49: groups.app.authentication.basic.scheme: the original refuses "
        .. "everyone whose scheme is not Basic, so nobody came in by this; "
        .. "now who has the credentials does",
      [with_authentication "bearer: {tokenPath: token}"] =
        "5:27: groups.app.authentication.bearer.tokenPath: \"token\" was "
        .. "relative to where the server was started, and is now relative to "
        .. "this file",
      [with_authentication "external: {endpoint: 'http://a'}"] =
        "5:28: groups.app.authentication.external: the original takes status "
        .. "200 alone for a yes, and follows redirects; now any 2xx is a yes, "
        .. "and a redirect is a no",
    } do
      assert.same({ expected }, remarks_of("note", content))
    end
  end)
end)
