-- --watch: files that change in all the ways that files do.

local host = require "host"
local lfs = require "lfs"
local programs = require "programs"

describe("a server that watches its files", function()
  local server

  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  local function content(name)
    return ([[return { watch = true, groups = { app = { hosts = { %q },
      authenticate = require "reverst.auth".insecure() } } }]]):format(name)
  end

  local function start(path, ...)
    server = host.start_server { path, ... }
  end

  local function has_reloaded(what)
    local event = server:wait_for_event { event = "reloaded" }
    assert.equal(what, event.changed)
  end

  it("sees a file that is written over", function()
    local path = host.write("config.lua", content "a.test")
    start(path)
    host.write("config.lua", content "b.test")
    has_reloaded "groups.app.hosts"
  end)

  it("sees a file that is renamed over it, as editors do", function()
    local path = host.write("config.lua", content "a.test")
    start(path)
    for _, name in ipairs { "b.test", "c.test" } do
      os.rename(host.write(".config.lua.swp", content(name)), path)
      has_reloaded "groups.app.hosts"
    end
    -- moved away first, then written anew
    os.rename(path, host.path "config.lua~")
    host.write("config.lua", content "d.test")
    has_reloaded "groups.app.hosts"
  end)

  it("sees the swap of a symbolic link above the file", function()
    for i, name in ipairs { "a.test", "b.test" } do
      lfs.mkdir(host.path("version" .. i))
      host.write(("version%d/config.lua"):format(i), content(name))
    end
    lfs.link("version1", host.path "..data", true)
    lfs.link("..data/config.lua", host.path "config.lua", true)
    start(host.path "config.lua")
    lfs.link("version2", host.path "..data_new", true)
    os.rename(host.path "..data_new", host.path "..data")
    has_reloaded "groups.app.hosts"
    -- and what is behind it now
    host.write("version2/config.lua", content "c.test")
    has_reloaded "groups.app.hosts"
  end)

  it("sees modules beside it, and groups in a file of their own", function()
    host.write("hosts.lua", 'return { "a.test" }')
    local groups = host.write("groups.lua", [[return { app = {
      hosts = require "hosts",
      authenticate = require "reverst.auth".insecure() } }]])
    start("-g", groups, "--watch")
    host.write("hosts.lua", 'return { "b.test" }')
    has_reloaded "groups.app.hosts"
    host.write("groups.lua", [[return { app = { hosts = { "c.test" },
      authenticate = require "reverst.auth".insecure() } }]])
    has_reloaded "groups.app.hosts"
  end)

  it("sees certificate and key, once both are there", function()
    start(host.write("config.lua", content "a.test"))
    host.make_certificate "new"
    os.rename(host.path "new.key", host.path "server.key")
    os.rename(host.path "new.crt", host.path "server.crt")
    has_reloaded "the certificate"
    host.start_client(server):wait_for "registered"
  end)

  it("sees a file with a secret, and asks tunnels again", function()
    local token = host.write("token", "secret")
    start(host.write("config.lua", [[return { watch = true, groups = { app = {
      hosts = { "a.test" }, authenticate = require "reverst.auth".bearer {
        token_path = "token" } } } }]]))
    host.start_client(server, { "--token-path", token })
    server:wait_for_event { event = "tunnel_up" }
    host.write("new", "another")
    os.rename(host.path "new", token)
    has_reloaded "groups.app.authenticate"
    server:wait_for_event { event = "tunnel_down" }
  end)

  it("tells mistakes once, changes nothing, and sees them mended", function()
    start(host.write("config.lua", content "a.test"))
    host.write("config.lua", "return { watch = true, require 'missing' }")
    server:wait_for_event { event = "reload_failed" }
    host.write("config.lua", [[return { watch = true, nonsense = 1,
      groups = require "groups" }]])
    host.write("groups.lua", "return {")
    server:wait_for_event { event = "reload_failed" }
    -- mended where the mistake was, in a file that it never loaded before
    host.write("config.lua", [[return { watch = true,
      groups = require "groups" }]])
    server:wait_for_event { event = "reload_failed" }
    local count = #server:events { event = "reload_failed" }
    host.write("groups.lua", [[return { app = { hosts = { "b.test" },
      authenticate = require "reverst.auth".insecure() } }]])
    has_reloaded "groups.app.hosts"
    assert.equal(count, #server:events { event = "reload_failed" })
  end)

  it("does not care about other files of the folder", function()
    start(host.write("config.lua", content "a.test"))
    for i = 1, 20 do
      os.remove(host.write("other" .. i, "content"))
    end
    host.write("config.lua", content "b.test")
    has_reloaded "groups.app.hosts"
    assert.equal(1, #server:events { event = "reloaded" })
  end)

  it("goes on without it when the file says so", function()
    start(host.write("config.lua", content "a.test"))
    host.write("config.lua", (content "b.test":gsub("watch = true, ", "")))
    server:wait_for_event { event = "reloaded" }
    server:signal "HUP"
    server:wait_for_event { event = "reloaded" }
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
    assert.equal(2, #server:events { event = "reloaded" })
  end)

  it("ends when it is told to", function()
    start(host.write("config.lua", content "a.test"))
    server:signal "TERM"
    assert.same({ "exit", 0 }, { server:wait() })
    programs.pump()
  end)
end)
