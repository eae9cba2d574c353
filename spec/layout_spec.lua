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

describe("the tree", function()
  it("lets a core folder include those before it, a host none", function()
    assert.same({}, complaints({ "core", "bin", "examples" }, header_complaint))
  end)

  it("shows each library to the folder that wraps it", function()
    assert.same({}, complaints({ "core", "lua", "bin", "examples", "spec" },
      library_complaint))
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
