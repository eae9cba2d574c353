-- What nobody may read in the output of the programs, whatever happens: at the
-- level trace, with right and with wrong credentials.

local crypto = require "reverst.crypto"
local host = require "host"
local programs = require "programs"

-- each is known by its whole and by a part that no encoding keeps together
local secrets = {
  password = "correct-horse-battery",
  wrong_password = "incorrect-donkey-accumulator",
  token = "tok-5ca1ab1e-right",
  wrong_token = "tok-deadbeef-wrong",
  odd = "wei\u{df} \"w31rd-qu0ted\\ \27[2J",
}

local function hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- all forms in which a secret could come out, by name
local function forms()
  local list = {}
  local function add(name, bytes)
    list[name] = bytes
    list[name .. " in hex"] = hex(bytes)
    list[name .. " in base64"] = crypto.base64_encode(bytes):gsub("=*$", ""):sub(1, -2)
  end
  for name, bytes in pairs(secrets) do
    add(name, bytes)
    add("user with " .. name, "user:" .. bytes)
  end
  list.odd_part = "w31rd-qu0ted"
  return list
end

local config = [[
  local auth = require "reverst.auth"
  local log = require "reverst.log"
  return { groups = {
    app = { hosts = { "app.test" }, authenticate = auth.basic {
      username = "user", password = %q } },
    token = { hosts = { "token.test" }, authenticate = auth.bearer {
      token_path = "token" } },
    strict = { hosts = { "strict.test" },
      authenticate = function(registration)
        log.info("asked", { scheme = registration.scheme })
        return false, "nobody"
      end },
    broken = { hosts = { "broken.test" },
      authenticate = function(registration)
        return registration.nothing.at_all
      end },
  } }]]

describe("the output of a server and its clients", function()
  local server, parts

  before_each(function()
    host.open()
    host.make_certificate "server"
    parts = {}
  end)
  after_each(host.close)

  local function note(program)
    parts[#parts + 1] = program
    return program
  end

  local function join(arguments)
    table.move({ "-l", "trace" }, 1, 2, #arguments + 1, arguments)
    return note(host.start_client(server, arguments))
  end

  local function check()
    local everything = {}
    for _, program in ipairs(parts) do
      programs.pump()
      everything[#everything + 1] = program:text "output"
      everything[#everything + 1] = program:text "errors"
    end
    local text = table.concat(everything, "\n")
    assert.is_true(#text > 1000)
    for name, bytes in pairs(forms()) do
      assert.is_nil(text:find(bytes, 1, true), name)
      assert.is_nil(text:lower():find(bytes:lower(), 1, true), name)
    end
  end

  local function private_key()
    local file = assert(io.open(host.path "server.key", "rb"))
    local key = file:read "a":match "\n([%w+/]+)\n"
    file:close()
    return key
  end

  it("never has credentials, nor keys", function()
    host.write("token", secrets.token .. "\n")
    secrets.key = private_key()
    secrets.secret = ("5"):rep(40)
    server = note(host.start_server {
      host.write("config.lua", config:format(secrets.password)), "-l",
      "trace", "--secret-path", host.write("secret", secrets.secret) })
    local function is_refused(client)
      client:wait_for "unauthorized"
    end
    local good = join { "--username", "user", "--password",
      secrets.password }
    good:wait_for "registered"
    is_refused(join { "--username", "user", "--password",
      secrets.wrong_password })
    is_refused(join { "--username", "user", "--password", secrets.odd })
    is_refused(join { "--token", secrets.wrong_token })
    is_refused(join { "--token", secrets.wrong_token, "-g", "token" })
    is_refused(join { "-g", "strict", "--token", secrets.token })
    join { "-g", "broken", environment = {
      REVERST_TOKEN = secrets.wrong_token } }:wait_for "server error"
    join { "-g", "token", environment = { REVERST_TOKEN = secrets.token } }
      :wait_for "registered"
    join { "-g", "none", "--token", secrets.wrong_token }
      :wait_for "not found"
    -- a request with credentials of a visitor
    local visitor = host.ask(server, "/?key=" .. secrets.token, {
      "--header", "Authorization: Bearer " .. secrets.token, "--header",
      "Cookie: session=" .. secrets.password })
    host.answer(host.accept_request(), "hello")
    host.await(visitor)
    server:signal "HUP"
    server:wait_for_event { event = "certificates_reloaded" }
    server:signal "TERM"
    assert.same({ "exit", 0 }, { host.await(server) })
    check()
  end)
end)

describe("the mistakes that a configuration is told", function()
  before_each(host.open)
  after_each(host.close)

  it("never show a secret", function()
    for _, strategy in ipairs {
      'basic { username = "u", pasword = %q }',
      'basic { username = "u", password = %q, password_path = "x" }',
      'basic { username = "", password = %q }',
      'bearer { tokn = %q }',
      'bearer { token = %q, hashed_token = "x" }',
      'bearer(%q)',
    } do
      local status, output, errors = host.run { "check",
        host.config(strategy:format(secrets.token)) }
      assert.equal(1, status, strategy)
      assert.is_nil((output .. errors):find(secrets.token, 1, true), errors)
    end
  end)
end)
