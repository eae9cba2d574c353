-- cmake/dependencies.sh, without a network: an apt-get of our own stands before
-- the real one, and upstream is a folder.

local path = require "pl.path"
local dir = require "pl.dir"
local file = require "pl.file"

describe("cmake/dependencies.sh", function()
  local work

  local function shell(text, ...)
    assert(os.execute(string.format("cd %s && " .. text, work, ...)))
  end

  before_each(function()
    work = os.tmpname()
    os.remove(work)
    for _, folder in ipairs { "bin", "files", "pc", "system" } do
      dir.makepath(work .. "/" .. folder)
    end
    file.write(work .. "/bin/apt-get", "#!/bin/sh\nexit 100\n")
    shell "chmod +x bin/apt-get"
  end)

  after_each(function()
    dir.rmtree(work)
  end)

  -- What it says, and whether it worked
  local function run(variables, script)
    local command = string.format(
      "env -u REVERST_DEPENDENCIES_DIR -u REVERST_DEPENDENCIES_SYSTEM " ..
      "PATH=%s/bin:$PATH PKG_CONFIG_LIBDIR=%s/pc PKG_CONFIG_PATH= " ..
      "REVERST_DEPENDENCIES_PREFIX=%s/prefix REVERST_UPSTREAM=file://%s/none " ..
      "%s %s >%s/output 2>&1", work, work, work, work, variables or "",
      script or "cmake/dependencies.sh", work)
    local worked = os.execute(command)
    return file.read(work .. "/output"), worked == true
  end

  it("names library, version, channels and cure when none has it", function()
    local output, worked = run()
    assert.is_false(worked)
    assert.matches("no channel has wolfssl 5.9.2:", output, 1, true)
    assert.matches("folder: REVERST_DEPENDENCIES_DIR is not set", output, 1, true)
    assert.matches("system: REVERST_DEPENDENCIES_SYSTEM is not 1", output, 1, true)
    assert.matches("debian: apt: this machine has no Debian mirror", output, 1, true)
    assert.matches("upstream: file://[^\n]*: curl: [^\n]+\n", output)
    assert.matches("wolfssl_5.9.2.orig.tar.gz  (SHA-256 2f4ef3d4", output, 1, true)
    assert.is_false(path.exists(work .. "/prefix/.complete"))
  end)

  it("refuses a file whose sum is not the pinned one", function()
    file.write(work .. "/files/wolfssl_5.9.2.orig.tar.gz", "not wolfSSL\n")
    local output, worked = run("REVERST_DEPENDENCIES_DIR=" .. work .. "/files")
    assert.is_false(worked)
    assert.matches("folder: its wolfssl_5.9.2.orig.tar.gz has another SHA-256 " ..
      "than the pinned one", output, 1, true)
    assert.is_false(path.exists(
      work .. "/prefix/downloads/wolfssl_5.9.2.orig.tar.gz"))
  end)

  it("gives up an upstream that refuses, at once and in one line", function()
    local started = os.time()
    local output = run "REVERST_UPSTREAM=http://127.0.0.1:1"
    assert.matches("upstream: http://127.0.0.1:1/wolfSSL/[^\n]*: curl: [^\n]+\n",
      output)
    assert.is_true(os.time() - started < 5)
  end)

  it("never takes wolfSSL from the system, and says why", function()
    local output = run "REVERST_DEPENDENCIES_SYSTEM=1"
    assert.matches("system: nothing tells which options a system's wolfSSL has",
      output, 1, true)
  end)

  describe("with libraries that are a file each", function()
    local libraries = { "wolfssl", "ngtcp2", "nghttp3", "llhttp" }

    -- A copy of the scripts, with archives, pins and recipes of our own
    before_each(function()
      assert(os.execute("cp -r cmake " .. work .. "/cmake"))
      local recipes, pins = { file.read "cmake/dependencies/recipes.sh" }, {}
      for _, name in ipairs(libraries) do
        shell("mkdir %s && echo pinned >%s/origin && " ..
          "tar -czf files/%s.tar.gz %s && rm -r %s", name, name, name, name, name)
        shell("sha256sum files/%s.tar.gz >sum", name)
        local sum = file.read(work .. "/sum"):match "^%x+"
        pins[#pins + 1] = string.format("%s 1.2.3 %s.tar.gz %s source %s=1 up/%s.tar.gz\n",
          name, name, sum, name, name)
        recipes[#recipes + 1] = string.format(
          "recipe_%s() { cp \"$1/origin\" \"$prefix/lib/lib%s.a\"; }\n", name, name)
      end
      file.write(work .. "/cmake/dependencies/recipes.sh", table.concat(recipes))
      file.write(work .. "/cmake/dependencies/pinned.txt", table.concat(pins))
    end)

    local function run_copy(variables)
      return run(variables, work .. "/cmake/dependencies.sh")
    end

    local function library(name)
      return file.read(work .. "/prefix/lib/lib" .. name .. ".a")
    end

    -- A library of the system's, as pkg-config knows it
    local function install(name, header, version)
      dir.makepath(path.dirname(work .. "/system/" .. header))
      file.write(work .. "/system/" .. header, "the system's\n")
      file.write(work .. "/system/lib" .. name .. ".a", "the system's\n")
      file.write(work .. "/pc/lib" .. name .. ".pc", string.format(
        "libdir=%s/system\nincludedir=%s/system\n" ..
        "Name: %s\nDescription: a library\nVersion: %s\n",
        work, work, name, version))
    end

    local function assert_built(output, worked)
      assert.is_true(worked, output)
      for _, name in ipairs(libraries) do
        assert.matches("building " .. name .. " 1.2.3", output, 1, true)
        assert.are.equal("pinned\n", library(name))
      end
    end

    it("builds from a folder, and says nothing the next time", function()
      local folder = "REVERST_DEPENDENCIES_DIR=" .. work .. "/files"
      assert_built(run_copy(folder))
      assert.are.equal("", (run_copy(folder)))
    end)

    it("builds from what the distribution's archive has", function()
      file.write(work .. "/bin/apt-get", string.format([[#!/bin/sh
case "$*" in
*indextargets*) echo http://127.0.0.1:1/debian ;;
*--tar-only*) cp %s/files/* . ;;
esac
]], work))
      assert_built(run_copy())
    end)

    it("builds from upstream where all else fails", function()
      shell "mv files up"
      assert_built(run_copy("REVERST_UPSTREAM=file://" .. work))
    end)

    it("refuses what upstream has when its sum is not the pinned one", function()
      dir.makepath(work .. "/up")
      file.write(work .. "/up/wolfssl.tar.gz", "a page that asks to log in\n")
      local output, worked = run_copy("REVERST_UPSTREAM=file://" .. work)
      assert.is_false(worked)
      assert.matches("upstream: its wolfssl.tar.gz has another SHA-256",
        output, 1, true)
    end)

    it("builds from what an earlier run obtained", function()
      assert_built(run_copy("REVERST_DEPENDENCIES_DIR=" .. work .. "/files"))
      os.remove(work .. "/prefix/.complete")
      assert_built(run_copy())
    end)

    it("takes what fits from the system when that is asked for", function()
      install("nghttp3", "nghttp3/nghttp3.h", "1.8.0")
      install("llhttp", "llhttp.h", "9.2.1")
      local folder = "REVERST_DEPENDENCIES_DIR=" .. work .. "/empty"
      shell "mkdir empty && cp files/wolfssl* files/ngtcp2* empty"
      local output, worked = run_copy(folder .. " REVERST_DEPENDENCIES_SYSTEM=1")
      assert.is_true(worked, output)
      assert.matches("taking nghttp3 1.8.0 from the system", output, 1, true)
      assert.matches("taking llhttp 9.2.1 from the system", output, 1, true)
      assert.are.equal("the system's\n", library "nghttp3")
      assert.are.equal("the system's\n", library "llhttp")
      assert.are.equal("pinned\n", library "wolfssl")
      local include = work .. "/prefix/include/"
      assert.is_truthy(path.exists(include .. "nghttp3/nghttp3.h"))
      assert.is_truthy(path.exists(include .. "llhttp.h"))

      -- An upgrade of the system's is taken over; not asking goes back
      file.write(work .. "/system/libllhttp.a", "its next\n")
      assert.is_true(select(2,
        run_copy(folder .. " REVERST_DEPENDENCIES_SYSTEM=1")))
      assert.are.equal("its next\n", library "llhttp")
      assert_built(run_copy("REVERST_DEPENDENCIES_DIR=" .. work .. "/files"))
    end)

    local function why_not(name)
      local output, worked = run_copy("REVERST_DEPENDENCIES_SYSTEM=1 " ..
        "REVERST_DEPENDENCIES_DIR=" .. work .. "/files")
      assert.is_false(worked)
      assert.matches("no channel has " .. name .. " 1.2.3:", output, 1, true)
      return output
    end

    it("leaves a system's library that is too old, and says so", function()
      install("nghttp3", "nghttp3/nghttp3.h", "0.8.0")
      shell "rm files/nghttp3*"
      assert.matches("system: libnghttp3 is 0.8.0; wanted is 1.0.0 or later, " ..
        "before 2", why_not "nghttp3", 1, true)
    end)

    it("leaves a system's library that has no static archive", function()
      install("llhttp", "llhttp.h", "9.2.1")
      shell "rm files/llhttp* system/libllhttp.a"
      assert.matches("system: libllhttp 9.2.1 lacks [^\n]*/libllhttp.a",
        why_not "llhttp")
    end)

    it("says when pkg-config does not know a library", function()
      shell "rm files/llhttp*"
      assert.matches("system: pkg-config knows no libllhttp",
        why_not "llhttp", 1, true)
    end)
  end)
end)
