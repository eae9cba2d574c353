-- What whole programs need on disk: a folder that goes away, a certificate, the
-- Go peers.

local lfs = require "lfs"
local dir = require "pl.dir"
local file = require "pl.file"

local new_folder = require "new_folder"
local programs = require "programs"

local fixture = {
  bin = os.getenv "REVERST_BIN_DIR",
}

--- Our program, in the build whose specs run.
fixture.reverst = fixture.bin .. "/reverst"

local folder

--- A folder for the files of this run.
function fixture.folder()
  if not folder then
    folder = new_folder()
  end
  return folder
end

--- Removes it; files are made anew when they are asked for.
function fixture.remove_folder()
  if folder then
    dir.rmtree(folder)
    folder = nil
  end
end

--- Writes a file there; gives its path.
function fixture.write(name, content)
  local path = fixture.folder() .. "/" .. name
  assert(file.write(path, content))
  return path
end

--- So many bytes; the one at offset i is i modulo 251.
function fixture.bytes(count)
  local period = {}
  for i = 0, 250 do
    period[#period + 1] = string.char(i)
  end
  return table.concat(period):rep(count // 251 + 1):sub(1, count)
end

--- Runs a program to its end; gives its output, errors and status.
function fixture.run(arguments)
  arguments.may_fail = true
  local program = programs.start(arguments)
  local kind, number = program:wait(arguments.seconds)
  programs.forget(program)
  return program:text "output", program:text "errors",
    kind == "exit" and number or kind
end

--- Paths of a certificate for localhost and of its key.
function fixture.certificate()
  local certificate = fixture.folder() .. "/server.crt"
  local key = fixture.folder() .. "/server.key"
  if not lfs.attributes(certificate) then
    local _, errors, status = fixture.run { fixture.reverst, "certificate",
      "-c", certificate, "-k", key, "localhost" }
    assert(status == 0, errors)
  end
  return certificate, key
end

--- SHA-256 of a file, in hex.
function fixture.sha256(path)
  return (fixture.run { "sha256sum", path }):match "^%x+"
end

-- ---- the Go peers ----

local function go_version()
  local pipe = io.popen "go env GOVERSION 2>/dev/null"
  local major, minor = pipe:read "a":match "^go(%d+)%.(%d+)"
  pipe:close()
  return tonumber(major), tonumber(minor)
end

local function build_interop()
  local path = fixture.bin .. "/interop"
  local _, errors, status = fixture.run { "go", "build", "-C", "spec/interop",
    "-o", path, ".", seconds = 300 }
  assert(status == 0, "the Go peers cannot be built: " .. errors)
  return path
end

local interop

--- Path of the Go peers' program, built once per run; nil without Go.
function fixture.interop()
  if interop == nil then
    local major, minor = go_version()
    interop = major and (major > 1 or minor >= 22) and build_interop() or false
  end
  return interop or nil
end

--- Leaves the spec that runs undecided, and says so, without Go.
function fixture.need_interop(pending)
  if not fixture.interop() then
    pending "no go 1.22 or later"
  end
end

return fixture
