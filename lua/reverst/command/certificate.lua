-- reverst certificate NAME: a self-signed certificate to try with.

local arguments = require "reverst.config.arguments"
local check = require "reverst.config.check"
local command = require "reverst.command"
local core = require "reverst.core"
local options = require "reverst.config.options"

local certificate = {
  name = "reverst certificate",
  rows = options.certificate,
  most = 1,
  usage = [[
usage: reverst certificate [FLAGS] NAME

Makes a self-signed certificate for a name (or an IP address) and its private
key, to develop with.  Files that exist are left alone.]],
}

-- a shell would change what lies between these
local function shell_word(word)
  if word:match "^[%w_./:@%%+,=-]+$" then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function say_what_next(name, values)
  local chain = shell_word(values.certificate_path)
  io.stdout:write(("%s: the certificate, for the server and its clients\n")
    :format(values.certificate_path),
    ("%s: the private key, for the server alone\n")
    :format(values.private_key_path),
    "\nOn the server:\n",
    ("  reverst -n %s -c %s -k %s config.lua\n"):format(name, chain,
      shell_word(values.private_key_path)),
    "On the client, which must trust it:\n",
    ("  reverst http -n %s -c %s -a 127.0.0.1:7171 8080\n"):format(name,
      chain))
end

-- which file is in the way
local function describe(message, code, values)
  if code ~= "REVERST_ERR_EXISTS" then
    return "cannot make it: " .. message
  end
  for _, key in ipairs { "certificate_path", "private_key_path" } do
    local file = io.open(values[key])
    if file then
      file:close()
      return ("%s exists already; remove it, or name another file by --%s")
        :format(values[key], key:gsub("_", "-"))
    end
  end
  return message
end

function certificate.run(list)
  local values, parsed = command.read(certificate, list)
  if not values then
    return parsed
  end
  local name = parsed.positional[1]
  local problem = "for which name? reverst certificate NAME"
  if name then
    name, problem = check.value({ type = "name" }, name)
  end
  if not name then
    command.complain(certificate.name, { problem })
    return command.usage
  end
  arguments.add_defaults(certificate.rows, values)
  local ok, message, code = core.make_certificate(name,
    values.certificate_path, values.private_key_path)
  if not ok then
    command.complain(certificate.name, { describe(message, code, values) })
    return command.failure
  end
  say_what_next(name, values)
  return command.success
end

return certificate
