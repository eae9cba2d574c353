-- Every option there is.  Flags, environment variables, the validation of
-- config.lua and --help come from these tables.
--
-- A row: key (its place in config.lua), flag and short (without dashes; no flag:
-- in config.lua only), type (see check.lua) with its choices, bounds (least,
-- most), example or off (may be false), default, required, effect (of a change, at a
-- reload: "live", or "restart": it needs one), argument and help; is_flag_only:
-- it is not in config.lua; many (the value is a list, of at most `most`: the flag
-- may come again), commas (they separate values of a flag; in the environment
-- they always do), aliases (other names of the flag), is_secret (its value is
-- never printed).  A flag's environment variable is REVERST_ and its name.

local options = {}

local levels = { "trace", "debug", "info", "warn", "error", "off" }

local log = {
  key = "log.level", flag = "log", short = "l", argument = "LEVEL",
  type = "choice", choices = levels, default = "info", effect = "live",
  help = "what is logged: " .. table.concat(levels, ", "),
}

local log_format = {
  key = "log.format", flag = "log-format", argument = "FORMAT",
  type = "choice", what = "format", choices = { "logfmt", "json" },
  default = "logfmt", effect = "live",
  help = "how it is written: logfmt, json",
}

options.server = {
  log,
  log_format,
  {
    key = "groups_path", flag = "tunnel-groups", short = "g",
    argument = "FILE", type = "path", is_flag_only = true, effect = "live",
    help = "Lua file that returns groups; they replace those of config.lua",
  },
  {
    key = "tunnel.address", flag = "tunnel-address", short = "a",
    argument = "ADDR", type = "listen", default = "127.0.0.1:7171",
    effect = "restart", help = "where tunnel clients connect (QUIC, UDP)",
  },
  {
    key = "http.address", flag = "http-address", short = "s",
    argument = "ADDR", type = "door", many = true, commas = true, most = 16,
    default = "127.0.0.1:8181", effect = "live",
    help = "where visitors connect (HTTP): HOST:PORT, :PORT or unix:PATH; "
      .. "several at once",
  },
  {
    key = "tunnel.server_name", flag = "server-name", short = "n",
    argument = "NAME", type = "name", required = true, effect = "restart",
    help = "the name that tunnel clients know this server by",
  },
  {
    key = "tunnel.private_key_path", flag = "private-key-path", short = "k",
    argument = "FILE", type = "path", required = true, effect = "live",
    help = "PEM file with the private key",
  },
  {
    key = "tunnel.certificate_path", flag = "certificate-path", short = "c",
    argument = "FILE", type = "path", required = true, effect = "live",
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
    key = "tunnel.registration_timeout", flag = "registration-timeout",
    argument = "DURATION", type = "duration", default = "10s",
    effect = "restart", help = "from a client's first packet to the decision "
      .. "of authenticate",
  },
  {
    key = "tunnel.max_pending", flag = "max-pending", argument = "COUNT",
    type = "count", least = 1, most = 1000000, default = 16384,
    effect = "restart", help = "unregistered connections; more are refused",
  },
  {
    key = "tunnel.max_pending_per_address", flag = "max-pending-per-address",
    argument = "COUNT", type = "count", least = 1, most = 1000000,
    default = 256, effect = "restart", help = "likewise, of one address",
  },
  {
    key = "http.default_host", flag = "default-host", argument = "HOST",
    type = "authority", effect = "restart", help = "the host of HTTP/1.0 "
      .. "requests without one; else they are answered 400",
  },
  {
    key = "http.max_connections", flag = "max-connections", argument = "COUNT",
    type = "count", least = 1, most = 10000000, effect = "restart",
    help = "visitors' connections; else half of the open files allowed, at "
      .. "most 65536",
  },
  {
    key = "http.max_connections_per_address",
    flag = "max-connections-per-address", argument = "COUNT", type = "count",
    least = 1, most = 10000000, default = 1000, effect = "restart",
    help = "likewise, of one address",
  },
  {
    key = "memory_budget", flag = "memory-budget", argument = "SIZE",
    type = "size", least = 1024 * 1024, default = "256MiB", effect = "restart",
    help = "buffered bodies; beyond it new requests are answered 503",
  },
  {
    key = "secret_path", flag = "secret-path", argument = "FILE",
    type = "path", effect = "restart", help = "32 random bytes or more, kept "
      .. "over restarts; else derived from the private key",
  },
  {
    key = "drain_timeout", flag = "drain-timeout", argument = "DURATION",
    type = "duration", off = true, default = "30s", effect = "live",
    help = "how long requests may go on after SIGTERM, and on tunnels of a "
      .. "group that is gone; off: no limit",
  },
  {
    key = "control", flag = "control", argument = "unix:PATH",
    type = "control", effect = "restart",
    help = "socket of reverst reload, status, stats and drain",
  },
  {
    key = "watch", flag = "watch", type = "switch", default = false,
    effect = "live", help = "reload whenever a file of the configuration "
      .. "changes",
  },
  {
    key = "route", type = "hook", example = "function(request) ... end",
    effect = "live", help = "function of a "
      .. "request: the name of a group, a response, or nil for the hosts",
  },
  {
    key = "hook_timeout", type = "duration", off = true, default = "30s",
    effect = "live", help = "how long route, on_request and on_response may "
      .. "take, and on_tunnel_up and on_tunnel_down; then the visitor gets 500",
  },
}

-- in config.lua only, below groups.NAME
options.group = {
  {
    key = "hosts", type = "hosts", required = true, effect = "live",
    help = "hosts whose requests go to this group: names, *.example.com, or *",
  },
  {
    key = "authenticate", type = "authenticate", required = true,
    effect = "live", help = "who may join: auth.basic, auth.bearer, "
      .. "auth.external, auth.any, auth.all, auth.insecure or a function of a "
      .. "registration",
  },
  {
    key = "reauthenticate", type = "switch", default = true, effect = "live",
    help = "ask again about its tunnels when authenticate has changed; false: "
      .. "what they registered with is forgotten at once",
  },
  {
    key = "balance", type = "policy", default = "round_robin", effect = "live",
    help = "which tunnel gets a request: the name of a policy, one of "
      .. "reverst.balance, or a function of tunnels and a request",
  },
  {
    key = "retries", type = "count", most = 15, default = 2, effect = "live",
    help = "tunnels that are tried after the first",
  },
  {
    key = "response_timeout", type = "duration", off = true, default = false,
    effect = "live", help = "how long an answer may be in coming, once the request was sent",
  },
  {
    key = "queue_timeout", type = "duration", default = "30s", effect = "live",
    help = "how long a request may wait for a busy tunnel",
  },
  {
    key = "max_fails", type = "count", most = 1000000, default = 3,
    effect = "live", help = "a tunnel that fails so many requests within "
      .. "fail_duration gets none for as long, while another is there; 0: never",
  },
  {
    key = "fail_duration", type = "duration", default = "10s", effect = "live",
    help = "see max_fails",
  },
  {
    key = "on_request", type = "hook", example = "function(request) ... end",
    effect = "live", help = "function of a "
      .. "request, which it may change; a response that it returns is sent "
      .. "instead",
  },
  {
    key = "on_response", type = "hook", example = "function(request, response) ... end",
    effect = "live", help = "function of "
      .. "a request and its response, whose status and headers it may change",
  },
  {
    key = "on_tunnel_up", type = "hook", example = "function(tunnel) ... end",
    effect = "live",
    help = "function of a tunnel that has joined",
  },
  {
    key = "on_tunnel_down", type = "hook", example = "function(tunnel, reason) ... end",
    effect = "live",
    help = "function of a tunnel that has gone, and the reason",
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
    key = "origin_ca_path", flag = "origin-cacert-path", argument = "FILE",
    type = "path", help = "PEM file with the roots for a local service by "
      .. "https; the system's otherwise",
  },
  {
    key = "username", flag = "username", argument = "NAME", type = "text",
    help = "with a password: the basic credentials of the group",
  },
  {
    key = "password", flag = "password", argument = "PASSWORD", type = "text",
    is_secret = true,
    help = "better in a file: other users see the arguments",
  },
  {
    key = "password_path", flag = "password-path",
    aliases = { "password-file" }, argument = "FILE", type = "path",
    help = "the password is in this file, read again before each dial",
  },
  {
    key = "token", flag = "token", argument = "TOKEN", type = "text",
    is_secret = true,
    help = "the bearer token of the group, instead of these",
  },
  {
    key = "token_path", flag = "token-path", aliases = { "token-file" },
    argument = "FILE", type = "path",
    help = "the token is in this file, read again before each dial",
  },
  {
    key = "scheme", flag = "scheme", argument = "WORD", type = "scheme",
    is_secret = true,
    help = "what stands before the credentials; Basic or Bearer otherwise",
  },
  {
    key = "name", flag = "name", argument = "NAME", type = "short_text",
    help = "what the server's log calls this tunnel",
  },
  {
    key = "weight", flag = "weight", argument = "NUMBER", type = "weight",
    help = "its share, 1 to 65535, in policies that weigh",
  },
  {
    key = "labels", flag = "label", argument = "KEY=VALUE", type = "label",
    many = true, help = "what the server's authenticate and policies may look at",
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
    key = "registration_timeout", flag = "registration-timeout",
    argument = "DURATION", type = "duration", default = "30s",
    help = "how long the server may take to decide",
  },
  {
    key = "exit_on_failure", flag = "exit-on-failure", type = "switch",
    default = false, help = "end at the first refusal or loss, with status 1, "
      .. "for supervisors",
  },
}

options.control = {
  {
    key = "control", flag = "control", argument = "unix:PATH",
    type = "control", help = "the control socket of the server; else that of "
      .. "its config.lua",
  },
  {
    key = "json", flag = "json", type = "switch", default = false,
    help = "print the answer as the server gave it: JSON in one line",
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

options.run = { log, log_format }

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

-- "http.address" of "address", "groups.NAME.hosts" of "hosts"
local places

local function index_places()
  places = {}
  local function add(key, place)
    places[key] = places[key] or {}
    table.insert(places[key], place)
  end
  for _, row in ipairs(options.server) do
    if not row.is_flag_only then
      add(row.key:match "[^.]+$", row.key)
    end
  end
  for _, row in ipairs(options.group) do
    add(row.key, "groups.NAME." .. row.key)
  end
end

--- Where in config.lua a key of that name may stand.
---@param key any
---@return string[]
function options.places(key)
  if not places then
    index_places()
  end
  return places[key] or {}
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
