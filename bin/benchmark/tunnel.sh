# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # variables of other parts
# What is measured: the origin, and on each side a server and a client. Needs
# $binaries, $interop and $work; start_server and start_client set $server and
# $client, their process ids.

origin=127.0.0.1:28080 tunnel=127.0.0.1:27171 front=127.0.0.1:28181
host=bench.test body_size=100000000
children=() config=config.lua

# what is compared with round robin in C: each as in config.lua
declare -A policies=(
  [c]='"round_robin"'
  [round_robin]='balance.round_robin().choose'
  [least_conn]='balance.least_conn()'
  [ip_hash]='balance.ip_hash()'
  [function]='function(tunnels, request)
    local zone = request.path:sub(1, 3) == "/eu" and "eu" or "us"
    for i = 1, #tunnels do
      if tunnels[i].labels.zone == zone then return tunnels[i] end
    end
    return tunnels[request.method == "GET" and 1 or #tunnels]
  end'
)

make_files() {
  "$binaries/reverst" certificate -c "$work/server.crt" -k "$work/server.key" \
    localhost >/dev/null || return
  truncate -s "$body_size" "$work/body"
  cat >"$work/config.lua" <<TEXT
return { groups = { bench = { hosts = { "$host" },
  authenticate = require "reverst.auth".basic {
    username = "user", password = "pass" } } } }
TEXT
  local policy
  for policy in "${!policies[@]}"; do
    cat >"$work/policy-$policy.lua" <<TEXT
local balance = require "reverst.balance"
return { groups = { bench = { hosts = { "$host" },
  authenticate = require "reverst.auth".basic {
    username = "user", password = "pass" },
  balance = ${policies[$policy]} } } }
TEXT
  done
  cat >"$work/groups.yml" <<TEXT
groups:
  "bench":
    hosts: ["$host"]
    authentication:
      basic: {username: "user", password: "pass"}
TEXT
  # an upload is taken up whole before it is answered, in memory
  cat >"$work/nginx.conf" <<TEXT
daemon off; master_process off; pid $work/nginx.pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; root $work; sendfile on;
  client_body_temp_path $work; proxy_temp_path $work;
  fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
  server {
    listen $origin;
    location = /body { }
    location = /sink {
      client_max_body_size 0; client_body_buffer_size $((body_size + 1));
      proxy_pass http://$origin/done;
      proxy_pass_request_body off; proxy_set_header Content-Length "";
    }
    location / { return 200 "PONG"; }
  }
}
TEXT
}

# start NAME COMMAND...: in the background, as $started; ends when this script
# does, however that comes about
start() {
  local log=$work/$1.log
  shift
  : >"$log" # now, not when the process comes to it: it may be read at once
  setpriv --pdeathsig TERM -- "$@" >"$log" 2>&1 &
  started=$!
  children+=("$started")
}

# The processes are gone when it returns.
stop_children() {
  local deadline=$((SECONDS + 5))
  [ ${#children[@]} != 0 ] || return 0
  kill "${children[@]}" 2>/dev/null || :
  while kill -0 "${children[@]}" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]
  do sleep 0.1; done
  kill -KILL "${children[@]}" 2>/dev/null || :
  wait "${children[@]}" 2>/dev/null || :
  children=()
}

start_origin() {
  start origin "$(command -v nginx || echo /usr/sbin/nginx)" \
    -e stderr -c "$work/nginx.conf"
}

start_server() {
  local files=(-c "$work/server.crt" -k "$work/server.key")
  local addresses=(-a "$tunnel" -s "$front")
  case $side in
  reverst)
    start server "$binaries/reverst" -l warn -n localhost "${files[@]}" \
      "${addresses[@]}" "$work/$config"
    ;;
  go)
    if [ -n "${REVERST_GO_SERVER:-}" ]; then
      start server "$REVERST_GO_SERVER" -l error -n localhost "${files[@]}" \
        "${addresses[@]}" -g "$work/groups.yml"
    else
      start server "$interop" server -address "$tunnel" -http "$front" \
        -cert "$work/server.crt" -key "$work/server.key" -group bench \
        -username user -password pass
    fi
    ;;
  esac
  server=$started
}

# The ways of a client. Which paths it answers: $page, $body, $sink.
start_client() {
  page=/pong body=/body sink=/sink
  case $side-$1 in
  reverst-forward)
    start client "$binaries/reverst" http -l warn -a "$tunnel" -n localhost \
      -g bench -c "$work/server.crt" --username user --password pass "$origin"
    ;;
  reverst-handler)
    start client "$binaries/reverst-example-simple" --address "$tunnel" \
      --server-name localhost --group bench --username user --password pass \
      --ca "$work/server.crt"
    ;;
  go-*)
    start_go_client "$1"
    ;;
  esac
  client=$started
}

# Our own Go peer forwards nothing: it answers itself, which is less work.
start_go_client() {
  if [ "$1" = forward ] && [ -n "${REVERST_GO_CLIENT:-}" ]; then
    start client "$REVERST_GO_CLIENT" http -l error -a "$tunnel" -n localhost \
      -g bench -c "$work/server.crt" --username user --password pass \
      "http://$origin"
    return
  fi
  body=/bytes/$body_size
  local program=("$interop" client)
  [ -z "${REVERST_GO_EXAMPLE:-}" ] || program=("$REVERST_GO_EXAMPLE")
  start client "${program[@]}" -address "$tunnel" -server-name localhost \
    -ca "$work/server.crt" -group bench -username user -password pass
}

ask() {
  curl --silent --fail --max-time 2 -o /dev/null -H "Host: $host" \
    "http://$front$page"
}

# Fails after ten seconds, with what the processes said.
wait_for_tunnel() {
  local deadline=$((SECONDS + 10))
  until ask; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "$workload: no answer came through the tunnel of $side" >&2
      tail -n 5 "$work"/{server,client,origin}.log >&2
      return 1
    fi
    sleep 0.1
  done
}

# cpu PROCESS: ticks of utime and stime, of all its threads
cpu() {
  local line fields
  line=$(<"/proc/$1/stat")
  read -ra fields <<<"${line##*) }"
  echo $((fields[11] + fields[12]))
}

# resident PROCESS: bytes
resident() {
  awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status"
}
