-- cmake/dependencies.sh, where nothing can be had: an apt-get of our own, which
-- always fails, stands before the real one.

local path = require "pl.path"
local dir = require "pl.dir"
local file = require "pl.file"

describe("cmake/dependencies.sh", function()
  local work

  before_each(function()
    work = os.tmpname()
    os.remove(work)
    dir.makepath(work .. "/bin")
    dir.makepath(work .. "/files")
    file.write(work .. "/bin/apt-get", "#!/bin/sh\nexit 100\n")
    assert(os.execute("chmod +x " .. work .. "/bin/apt-get"))
  end)

  after_each(function()
    dir.rmtree(work)
  end)

  -- What it says, and whether it worked
  local function run(variables)
    local command = string.format(
      "PATH=%s/bin:$PATH REVERST_DEPENDENCIES_PREFIX=%s/prefix %s " ..
      "cmake/dependencies.sh >%s/output 2>&1",
      work, work, variables or "", work)
    local worked = os.execute(command)
    return file.read(work .. "/output"), worked == true
  end

  it("names library, version, channels and cure when none has it", function()
    local output, worked = run "REVERST_DEPENDENCIES_DIR="
    assert.is_false(worked)
    assert.matches("no channel has wolfssl 5.9.2", output, 1, true)
    assert.matches("folder: REVERST_DEPENDENCIES_DIR is not set", output, 1, true)
    assert.matches("debian: apt: this machine has no Debian mirror", output, 1, true)
    assert.matches("wolfssl_5.9.2.orig.tar.gz  (SHA-256 2f4ef3d4", output, 1, true)
    assert.is_false(path.exists(work .. "/prefix/.complete"))
  end)

  it("refuses a file whose sum is not the pinned one", function()
    file.write(work .. "/files/wolfssl_5.9.2.orig.tar.gz", "not wolfSSL\n")
    local output, worked = run("REVERST_DEPENDENCIES_DIR=" .. work .. "/files")
    assert.is_false(worked)
    assert.matches("has another SHA-256 than the pinned one", output, 1, true)
    assert.is_false(path.exists(
      work .. "/prefix/downloads/wolfssl_5.9.2.orig.tar.gz"))
  end)
end)
