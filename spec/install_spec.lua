-- What `cmake --install` puts in place is enough to build programs outside the
-- tree, by pkg-config and by CMake.

local dir = require "pl.dir"
local path = require "pl.path"
local programs = require "programs"

local build = path.dirname(os.getenv "REVERST_BIN_DIR")

-- Runs a command of the shell to its end; what it printed
local function run(command, ...)
  local program = programs.start { "sh", "-c", command:format(...),
    name = command:match "^%S+", may_fail = true }
  local ending, number = program:wait(120)
  local said = program:text "output" .. program:text "errors"
  assert(ending == "exit" and number == 0, command:format(...) .. "\n" .. said)
  return said
end

local function explains_its_flags(binary)
  local program = programs.start { binary, "--nonsense", may_fail = true }
  assert.same({ "exit", 2 }, { program:wait() })
  assert.matches("usage: ", program:text "errors", 1, true)
end

describe("an installation", function()
  local work, prefix

  -- staged below DESTDIR, so that nothing can depend on the prefix it names
  setup(function()
    work = os.tmpname()
    os.remove(work)
    dir.makepath(work)
    prefix = work .. "/staged/opt/reverst"
    run("DESTDIR=%s/staged cmake --install %s --prefix /opt/reverst", work,
      build)
  end)

  teardown(function()
    dir.rmtree(work)
  end)

  after_each(programs.end_all)

  local function installed(pattern)
    local found = dir.getallfiles(prefix, pattern)
    table.sort(found)
    for i, file in ipairs(found) do
      found[i] = path.relpath(file, prefix)
    end
    return found
  end

  local function read(file)
    local handle = assert(io.open(file, "rb"))
    local content = handle:read "a"
    handle:close()
    return content
  end

  it("has a program that runs", function()
    assert.matches("^reverst %d+%.%d+%.%d+", run("%s/bin/reverst --version",
      prefix))
  end)

  it("has every page of the manual, public header and Lua module", function()
    local places = {
      { "bin/man", "*.1", "share/man/man1" },
      { "bin/man", "*.5", "share/man/man5" },
      { "core/include/reverst", "*.h", "include/reverst" },
      { "lua/reverst", "*.lua", "share/reverst/lua/reverst" },
    }
    for _, place in ipairs(places) do
      local from, pattern, to = table.unpack(place)
      from = path.abspath(from)
      local files = dir.getallfiles(from, pattern)
      assert.is_true(#files > 0, from .. "/" .. pattern)
      for _, file in ipairs(files) do
        local copy = path.join(prefix, to, path.relpath(file, from))
        assert.equal(read(file), read(copy))
      end
    end
  end)

  it("shows no private header", function()
    local headers = installed "*.h"
    assert.is_true(#headers > 0)
    for _, header in ipairs(headers) do
      assert.matches("^include/reverst/[%w_]+%.h$", header)
    end
  end)

  it("names no path of the machine that built it", function()
    for _, pattern in ipairs { "*.pc", "*.cmake" } do
      local files = installed(pattern)
      assert.is_true(#files > 0, pattern)
      for _, file in ipairs(files) do
        local text = read(path.join(prefix, file))
        assert.is_nil(text:find(path.abspath ".", 1, true), file)
        assert.is_nil(text:find("/opt/reverst", 1, true), file)
      end
    end
  end)

  it("has archives without a compiler's own bytecode", function()
    local sections = run("for file in %s/lib*/*.a %s/lib*/*/*.a; do " ..
      "[ ! -f $file ] || readelf --sections --wide $file; done", prefix, prefix)
    assert.matches("libreverst.a", sections, 1, true)
    assert.is_nil(sections:find(".gnu.lto_", 1, true))
  end)

  it("builds a program by pkg-config", function()
    run("cp -r examples/simple %s/plain", work)
    run([[cd %s/plain &&
      export PKG_CONFIG_PATH=$(dirname "$(find %s -name reverst.pc)") &&
      cc main.c $(pkg-config --cflags --libs reverst) -o program]],
      work, prefix)
    explains_its_flags(work .. "/plain/program")
  end)

  it("builds a program by CMake", function()
    run("cp -r examples/simple %s/cmake", work)
    local lists = assert(io.open(work .. "/cmake/CMakeLists.txt", "w"))
    lists:write [[
cmake_minimum_required(VERSION 3.22)
project(outside LANGUAGES C)
find_package(reverst 0.1 REQUIRED)
add_executable(program main.c)
target_link_libraries(program PRIVATE reverst::reverst)
]]
    lists:close()
    run("cd %s/cmake && cmake -G Ninja -B build -DCMAKE_PREFIX_PATH=%s && " ..
      "cmake --build build", work, prefix)
    explains_its_flags(work .. "/cmake/build/program")
  end)
end)
