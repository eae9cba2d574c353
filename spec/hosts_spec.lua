-- The hosts of a group: what a configuration takes, a server takes, too.

local host = require "host"
local hosts = require "reverst.config.hosts"
local programs = require "programs"
local World = require "world"

describe("the hosts of a configuration", function()
  local world

  before_each(function() world = World.new() end)
  after_each(function() world:close() end)

  it("are names, wildcards and addresses, in lower case", function()
    assert.same({ "a.test", "*.b.test", "*", "[::1]", "127.0.0.1", "x_1-y",
      "[fe80::a:b]" }, hosts.check { "A.Test.", "*.B.test", "*", "[::1]",
      "127.0.0.1", "X_1-y", "[FE80::A:b]" })
  end)

  it("are all taken by a server", function()
    local server = world:server()
    local parts = { "*", "*.", "a", "b.test", ".", "..", "-", "_", ":", "8", "[",
      "]", "::1", "[::1]", "[::1", "1.2.3.4", "[:]", "[1.2.3.4]", "[a]", "@", "/",
      "x*", "A.", "\195\188", " ", ("l"):rep(63), ("l"):rep(64), "%",
      ("n.test."):rep(40) }
    local count, good = 0, 0
    for _, first in ipairs(parts) do
      for _, second in ipairs { "", table.unpack(parts) } do
        local written = first .. second
        local checked = hosts.check { written }
        count = count + 1
        if checked then
          good = good + 1
          local ok, fault = server:add_group { name = "g" .. count,
            hosts = checked, insecure = true }
          assert(ok or fault == "REVERST_ERR_EXISTS", written .. ": "
            .. tostring(fault))
        end
      end
    end
    assert.is_true(count > 800 and good > 60)
  end)
end)

describe("groups of a configuration with wildcards", function()
  before_each(function()
    host.open()
    host.make_certificate "server"
  end)
  after_each(host.close)

  -- the status that a visitor of a host gets, and the group that answers
  local function visit(server, name, path)
    local visitor = programs.start { "curl", "--silent", "--include", "--header",
      "Host: " .. name, "http://" .. server.http .. (path or "/") }
    visitor:wait()
    return visitor:text "output":match "HTTP/1.1 (%d+)",
      visitor:text "output":match "x%-group: (%w+)"
  end

  it("are looked up by the longest", function()
    local server = host.start_server { host.write("config.lua", [[
      local auth = require "reverst.auth"
      local function group(name, hosts)
        return { hosts = hosts, authenticate = auth.insecure(),
          on_request = function()
            return { status = 418, headers = { ["x-group"] = name } }
          end }
      end
      return {
        groups = {
          exact = group("exact", { "a.test" }),
          wild = group("wild", { "*.a.test" }),
          deep = group("deep", { "*.deep.a.test", "*.test" }),
        },
        route = function(request)
          if request.path == "/wild" then return "wild" end
          if request.path == "/none" then return "none" end
          if request.path == "/answer" then return { status = 410 } end
        end,
      }]]) }
    local seen = {}
    for _, name in ipairs { "a.test", "A.test.:80", "x.a.test", "y.x.a.test",
      "x.deep.a.test", "deep.a.test", "b.test", "test", "a.test.example" } do
      local status, group = visit(server, name)
      seen[#seen + 1] = name .. " " .. status .. " " .. tostring(group)
    end
    assert.same({ "a.test 418 exact", "A.test.:80 418 exact",
      "x.a.test 418 wild", "y.x.a.test 418 wild", "x.deep.a.test 418 deep",
      "deep.a.test 418 wild", "b.test 418 deep", "test 404 nil",
      "a.test.example 404 nil" }, seen)
    assert.same({ "418", "wild" }, { visit(server, "a.test", "/wild") })
    assert.same({ "404" }, { visit(server, "a.test", "/none") })
    assert.same({ "410" }, { visit(server, "a.test", "/answer") })
  end)
end)
