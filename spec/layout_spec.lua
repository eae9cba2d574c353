-- The shape of the tree: who may include whom, and what lies at the top.

local lfs = require "lfs"

-- core/README.md: a folder may include those before it, and itself
local core_folders = {
  "base", "tls", "http", "h1", "quic", "h3", "tunnel", "event", "origin",
  "server", "client",
}
local rank = {}
for i, folder in ipairs(core_folders) do
  rank[folder] = i
end

-- libraries, by how their headers begin, and the only folders that see them
local library_owners = {
  { "^event2/", "core/event", "lua", "bin", "examples", "spec" },
  { "^wolfssl/", "core/tls", "core/quic", "spec" },
  { "^ngtcp2/", "core/quic", "spec" },
  { "^nghttp3/", "core/h3", "spec" },
  { "^llhttp%.h$", "core/h1", "spec" },
  { "^mpack%.h$", "core/tunnel", "spec" },
  { "^yaml%.h$", "lua/module" },
  { "^lfs%.h$", "lua/module" },
  { "^lua", "lua", "bin", "spec" },
  { "^lauxlib%.h$", "lua", "bin", "spec" },
}

-- lua/reverst/README.md: a module may require those of its own place in the list
-- and of those before it; a list within it is one place
local lua_places = {
  "base", { "json", "log", "http" }, "balance", "auth", "config", "client",
  { "init", "testing" }, "import", "control", "command",
}
local lua_rank = {}
for i, place in ipairs(lua_places) do
  for _, name in ipairs(type(place) == "table" and place or { place }) do
    lua_rank[name] = i
  end
end

-- what scripts may require
local public_modules = {
  "reverst", "reverst.auth", "reverst.balance", "reverst.crypto", "reverst.http",
  "reverst.json", "reverst.log", "reverst.testing",
}

local top_level = {
  "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md",
  "bin", "build", "cmake", "core", "examples", "lua", "spec",
}

local function each_file(folder, visit)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    local mode = lfs.attributes(path, "mode")
    if mode == "directory" and name:sub(1, 1) ~= "." then
      each_file(path, visit)
    elseif mode == "file" then
      visit(path)
    end
  end
end

-- visit(path, included) for every #include below a folder
local function each_include(folder, visit)
  each_file(folder, function(path)
    if not path:match "%.[ch]$" then
      return
    end
    for line in io.lines(path) do
      local included = line:match '^%s*#%s*include%s*["<]([^">]+)[">]'
      if included then
        visit(path, included)
      end
    end
  end)
end

-- The path lies below one of the folders
local function lies_below(path, folders)
  for _, folder in ipairs(folders) do
    if path:sub(1, #folder + 1) == folder .. "/" then
      return true
    end
  end
  return false
end

local function contains(list, wanted)
  for _, value in ipairs(list) do
    if value == wanted then
      return true
    end
  end
  return false
end

-- The include breaks a rule: its complaint, else nil
local function header_complaint(path, included)
  local folder = path:match "^core/([^/]+)/"
  local other = included:match "^([^/]+)/"
  if not folder or folder == "include" then
    if rank[other] then
      return "a private header where only the public API may be used"
    end
  elseif not rank[folder] then
    return "core/" .. folder .. " is not in the list of folders"
  elseif rank[other] and rank[other] > rank[folder] then
    return folder .. " comes before " .. other
  end
end

local function library_complaint(path, included)
  for _, row in ipairs(library_owners) do
    local owners = { table.unpack(row, 2) }
    if included:match(row[1]) and not lies_below(path, owners) then
      return "only " .. table.concat(owners, ", ") .. " may include it"
    end
  end
end

local function complaints(folders, complaint_of)
  local found, seen = {}, 0
  for _, folder in ipairs(folders) do
    each_include(folder, function(path, included)
      seen = seen + 1
      local complaint = complaint_of(path, included)
      if complaint then
        found[#found + 1] = path .. ": " .. included .. ": " .. complaint
      end
    end)
  end
  assert.is_true(seen > 0, "there are includes to check")
  return found
end

-- visit(path, module) for every module of ours that a text requires
local function each_require(folder, pattern, visit)
  each_file(folder, function(path)
    if not path:match(pattern) then
      return
    end
    for line in io.lines(path) do
      for module in line:gmatch "require%s*%(?%s*\\?['\"](reverst[%w_.]*)" do
        visit(path, module)
      end
    end
  end)
end

-- The same for what a Lua module requires, and for what scripts do
local function require_complaint(path, module)
  local place = path:match "^lua/reverst/([%w_]+)"
  local other = module:match "^reverst%.([%w_]+)" or "init"
  if not lua_rank[place] then
    return "lua/reverst/" .. place .. " is not in the list of places"
  elseif lua_rank[other] and lua_rank[other] > lua_rank[place] then
    return place .. " comes before " .. other
  end
end

-- what is required below the folders, in files of these names, and complained of
local function complaints_of_modules(folders, pattern, complaint_of)
  local found, seen = {}, 0
  for _, folder in ipairs(folders) do
    each_require(folder, pattern, function(path, module)
      seen = seen + 1
      local complaint = complaint_of(path, module)
      if complaint then
        found[#found + 1] = path .. ": " .. module .. ": " .. complaint
      end
    end)
  end
  assert.is_true(seen > 0, "there are modules to check")
  return found
end

local function public_complaint(_, module)
  if not contains(public_modules, module) then
    return "no module for scripts"
  end
end

describe("the tree", function()
  it("lets a core folder include those before it, a host none", function()
    assert.same({}, complaints({ "core", "bin", "examples" }, header_complaint))
  end)

  it("shows each library to the folder that wraps it", function()
    assert.same({}, complaints({ "core", "lua", "bin", "examples", "spec" },
      library_complaint))
  end)

  it("lets a Lua module require what comes before it", function()
    assert.same({}, complaints_of_modules({ "lua/reverst" }, "%.lua$",
      require_complaint))
  end)

  it("has only modules for scripts at the top of lua/reverst", function()
    local unexpected = {}
    for name in lfs.dir "lua/reverst" do
      local module = name:match "^(.*)%.lua$"
      module = module and (module == "init" and "reverst" or "reverst." .. module)
      if module and not contains(public_modules, module) then
        unexpected[#unexpected + 1] = name
      end
    end
    assert.same({}, unexpected)
  end)

  it("shows people only modules for scripts", function()
    assert.same({}, complaints_of_modules({ "examples", "bin" }, "",
      public_complaint))
    for line in io.lines "README.md" do
      for module in line:gmatch "require%s*%(?%s*['\"](reverst[%w_.]*)" do
        assert.is_nil(public_complaint("README.md", module), module)
      end
    end
  end)

  it("holds nothing unexpected at the top", function()
    local unexpected = {}
    for name in lfs.dir "." do
      if name:sub(1, 1) ~= "." and not contains(top_level, name) then
        unexpected[#unexpected + 1] = name
      end
    end
    assert.same({}, unexpected)
  end)

  it("has no file of C or Lua above 600 lines", function()
    local long = {}
    for _, folder in ipairs { "core", "lua", "bin", "examples", "spec" } do
      each_file(folder, function(path)
        local lines = 0
        if path:match "%.[ch]$" or path:match "%.lua$" then
          for _ in io.lines(path) do
            lines = lines + 1
          end
        end
        if lines > 600 then
          long[#long + 1] = path
        end
      end)
    end
    assert.same({}, long)
  end)
end)

describe("the check of includes", function()
  it("objects to a later folder", function()
    assert.equal("http comes before quic",
      header_complaint("core/http/pipe.c", "quic/packet.h"))
    assert.is_nil(header_complaint("core/quic/packet.c", "http/pipe.h"))
  end)

  it("objects to a library in the wrong folder", function()
    assert.matches("^only core/event",
      library_complaint("core/http/pipe.c", "event2/event.h"))
    assert.is_nil(library_complaint("core/event/turn.c", "event2/event.h"))
  end)

  it("objects to a private header in the public API", function()
    assert.is_string(
      header_complaint("core/include/reverst/http.h", "base/list.h"))
  end)
end)

describe("the check of modules", function()
  it("objects to a later place", function()
    assert.equal("config comes before control",
      require_complaint("lua/reverst/config/rows.lua", "reverst.control.record"))
    assert.equal("auth comes before init",
      require_complaint("lua/reverst/auth.lua", "reverst"))
    assert.is_nil(
      require_complaint("lua/reverst/control/record.lua", "reverst.config"))
    assert.is_nil(
      require_complaint("lua/reverst/config/rows.lua", "reverst.core"))
  end)

  it("objects to a place that is not in the list", function()
    assert.matches("not in the list",
      require_complaint("lua/reverst/misc/x.lua", "reverst.base.text"))
  end)

  it("objects to a module of the program's own in an example", function()
    assert.is_string(public_complaint("examples/x.lua", "reverst.config"))
    assert.is_nil(public_complaint("examples/x.lua", "reverst.crypto"))
  end)
end)
