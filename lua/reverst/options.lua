-- Every option there is.  Flags, environment variables, the validation of
-- config.lua and --help come from these tables.
--
-- A row: key (its place in config.lua), flag and short (without dashes), type
-- (see check.lua) with its choices or off (may be false), default, required,
-- effect (when a change of it counts: "restart", or "live" for new requests),
-- argument and help; is_flag_only: it is not in config.lua; many (the value is
-- a list: the flag may come again), commas (they separate values of a flag; in
-- the environment they always do), aliases (other names of the flag).  A flag's
-- environment variable is REVERST_ and its name.

local options = {}

local levels = { "trace", "debug", "info", "warn", "error", "off" }

local log = {
  key = "log.level", flag = "log", short = "l", argument = "LEVEL",
  type = "choice", choices = levels, default = "info", effect = "restart",
  help = "what is logged: " .. table.concat(levels, ", "),
}

options.server = {
  log,
  {
    key = "log.format", flag = "log-format", argument = "FORMAT",
    type = "choice", what = "format", choices = { "logfmt", "json" },
    default = "logfmt", effect = "restart",
    help = "how it is written: logfmt, json",
  },
  {
    key = "groups_path", flag = "tunnel-groups", short = "g",
    argument = "FILE", type = "path", is_flag_only = true, effect = "restart",
    help = "Lua file that returns groups; they replace those of config.lua",
  },
  {
    key = "tunnel.address", flag = "tunnel-address", short = "a",
    argument = "ADDR", type = "listen", default = "127.0.0.1:7171",
    effect = "restart", help = "where tunnel clients connect (QUIC, UDP)",
  },
  {
    key = "http.address", flag = "http-address", short = "s",
    argument = "ADDR", type = "listen", default = "127.0.0.1:8181",
    effect = "restart", help = "where visitors connect (HTTP, TCP)",
  },
  {
    key = "tunnel.server_name", flag = "server-name", short = "n",
    argument = "NAME", type = "name", required = true, effect = "restart",
    help = "the name that tunnel clients know this server by",
  },
  {
    key = "tunnel.private_key_path", flag = "private-key-path", short = "k",
    argument = "FILE", type = "path", required = true, effect = "restart",
    help = "PEM file with the private key",
  },
  {
    key = "tunnel.certificate_path", flag = "certificate-path", short = "c",
    argument = "FILE", type = "path", required = true, effect = "restart",
    help = "PEM file with the certificate of that name, and its chain",
  },
  {
    key = "tunnel.max_idle_timeout", flag = "max-idle-timeout",
    argument = "DURATION", type = "duration", default = "1m",
    effect = "restart", help = "a tunnel that is silent for so long is lost",
  },
  {
    key = "tunnel.keep_alive_period", flag = "keep-alive-period",
    argument = "DURATION", type = "duration", off = true, default = "30s",
    effect = "restart", help = "how often a silent tunnel is probed, or off",
  },
  {
    key = "tunnel.retry_threshold", flag = "retry-threshold",
    argument = "COUNT", type = "count", most = 1000000, default = 1024,
    effect = "restart", help = "with so many unregistered connections, "
      .. "newcomers must prove their address",
  },
  {
    key = "secret_path", flag = "secret-path", argument = "FILE",
    type = "path", effect = "restart", help = "32 random bytes or more, kept "
      .. "over restarts; else derived from the private key",
  },
  {
    key = "drain_timeout", flag = "drain-timeout", argument = "DURATION",
    type = "duration", off = true, default = "30s", effect = "restart",
    help = "how long requests may go on after SIGTERM; off: no limit",
  },
}

-- in config.lua only, below groups.NAME
options.group = {
  {
    key = "hosts", type = "hosts", required = true, effect = "restart",
    help = "names of hosts whose requests go to this group",
  },
  {
    key = "authenticate", type = "authenticate", required = true,
    effect = "restart", help = "who may join: auth.basic, auth.bearer, "
      .. "auth.insecure or a function of a registration",
  },
  {
    key = "balance", type = "choice", what = "policy",
    choices = { "round_robin" }, default = "round_robin", effect = "restart",
    help = "which tunnel gets a request",
  },
  {
    key = "retries", type = "count", most = 15, default = 2,
    effect = "restart", help = "tunnels that are tried after the first",
  },
  {
    key = "response_timeout", type = "duration", off = true, default = false,
    effect = "restart", help = "how long an answer may be in coming",
  },
  {
    key = "queue_timeout", type = "duration", default = "30s",
    effect = "restart", help = "how long a request may wait for a busy tunnel",
  },
}

options.client = {
  log,
  {
    key = "address", flag = "address", short = "a", argument = "ADDR",
    type = "dial", many = true, commas = true, default = "127.0.0.1:7171",
    help = "the server's tunnel address; several: a tunnel to each",
  },
  {
    key = "server_name", flag = "server-name", short = "n", argument = "NAME",
    type = "name", help = "the name in its certificate; the address's host "
      .. "otherwise",
  },
  {
    key = "group", flag = "tunnel-group", short = "g", argument = "GROUP",
    type = "group", help = "the group to join; the server's name otherwise",
  },
  {
    key = "ca_path", flag = "cacert-path", short = "c", argument = "FILE",
    type = "path", help = "PEM file with the roots to trust; the system's "
      .. "otherwise",
  },
  {
    key = "insecure", flag = "insecure", type = "switch", default = false,
    help = "do not check the server's certificate",
  },
  {
    key = "username", flag = "username", argument = "NAME", type = "text",
    help = "with a password: the basic credentials of the group",
  },
  {
    key = "password", flag = "password", argument = "PASSWORD", type = "text",
    help = "better in a file: other users see the arguments",
  },
  {
    key = "password_path", flag = "password-path",
    aliases = { "password-file" }, argument = "FILE", type = "path",
    help = "the password is in this file, read again before each dial",
  },
  {
    key = "token", flag = "token", argument = "TOKEN", type = "text",
    help = "the bearer token of the group, instead of these",
  },
  {
    key = "token_path", flag = "token-path", aliases = { "token-file" },
    argument = "FILE", type = "path",
    help = "the token is in this file, read again before each dial",
  },
  {
    key = "scheme", flag = "scheme", argument = "WORD", type = "scheme",
    help = "what stands before the credentials; Basic or Bearer otherwise",
  },
  {
    key = "name", flag = "name", argument = "NAME", type = "short_text",
    help = "what the server's log calls this tunnel",
  },
  {
    key = "weight", flag = "weight", argument = "NUMBER", type = "weight",
    help = "told to the server, 1 to 65535; round robin does not weigh",
  },
  {
    key = "labels", flag = "label", argument = "KEY=VALUE", type = "label",
    many = true, help = "what the server's authenticate may look at",
  },
  {
    key = "max_idle_timeout", flag = "max-idle-timeout",
    argument = "DURATION", type = "duration", default = "1m",
    help = "a server that is silent for so long is lost",
  },
  {
    key = "keep_alive_period", flag = "keep-alive-period",
    argument = "DURATION", type = "duration", off = true, default = "10s",
    help = "how often a silent server is probed, or off",
  },
  {
    key = "exit_on_failure", flag = "exit-on-failure", type = "switch",
    default = false, help = "end at the first refusal or loss, with status 1, "
      .. "for supervisors",
  },
}

options.certificate = {
  {
    key = "certificate_path", flag = "certificate-path", short = "c",
    argument = "FILE", type = "path", default = "server.crt",
    help = "where the certificate is written",
  },
  {
    key = "private_key_path", flag = "private-key-path", short = "k",
    argument = "FILE", type = "path", default = "server.key",
    help = "where the private key is written",
  },
}

options.import = {
  {
    key = "groups_only", flag = "groups", type = "switch", default = false,
    help = "print the table of groups alone, as --tunnel-groups takes it",
  },
}

--- The variable that sets a row's option; nil when no flag does.
function options.variable(row)
  return row.flag and "REVERST_" .. row.flag:upper():gsub("-", "_") or nil
end

--- The value at a key such as "tunnel.address".
function options.get(settings, key)
  for part in key:gmatch "[^.]+" do
    if type(settings) ~= "table" then
      return nil
    end
    settings = settings[part]
  end
  return settings
end

function options.set(settings, key, value)
  local parent, last = key:match "^(.*)%.([^.]+)$"
  if parent then
    settings[parent] = settings[parent] or {}
    settings = settings[parent]
  end
  settings[last or key] = value
end

return options
