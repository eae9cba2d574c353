# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # variables of other parts
# Many registrations wait for a slow service, while others ask and register.

pending_count=10000 pending_rounds=10 arrivals_per_second=600
service=127.0.0.1:28282
idle_seconds=12 # then the server has given back what it does not need

pending_config() {
  cat >"$work/pending.lua" <<TEXT
local auth = require "reverst.auth"
return {
  control = "unix:$work/control.sock",
  tunnel = { max_pending = 20000, max_pending_per_address = 20000,
    registration_timeout = "10m" },
  groups = {
    bench = { hosts = { "$host" },
      authenticate = auth.basic { username = "user", password = "pass" } },
    slow = { hosts = { "slow.test" }, authenticate = auth.external {
      endpoint = "http://$service/", scheme = "Basic", timeout = "10m" } },
    memory = { hosts = { "memory.test" }, authenticate = auth.insecure(),
      on_request = function()
        collectgarbage()
        return { body = ("%d"):format(collectgarbage "count" * 1024 // 1) }
      end },
  },
}
TEXT
}

# What is measured goes before all else that runs here, where that is allowed:
# on a shared machine the worst of 1 000 is that of the neighbours otherwise.
urgent=()
take_priority() {
  ! chrt --fifo 1 true 2>/dev/null || urgent=(chrt --fifo 1)
  note real_time "$((${#urgent[@]} > 0))"
}

# of_server COMMAND FILTER: what `reverst COMMAND` says
of_server() {
  "$binaries/reverst" "$1" --json --control "unix:$work/control.sock" |
    sed 's/[,{}]/\n/g' | sed -n "s/^\"$2\"://p"
}

# Bytes in Lua without its garbage.
lua_memory() {
  curl --silent --fail --max-time 10 -H "Host: memory.test" "http://$front/"
}

# wait_until NAME VALUE: a counter of the server has that value; fails when it
# stands still for two minutes
wait_until() {
  local now before='' deadline=$((SECONDS + 120))
  until now=$(of_server stats "$1") && [ "$now" = "$2" ]; do
    [ "$now" = "$before" ] || deadline=$((SECONDS + 120))
    before=$now
    [ "$SECONDS" -lt "$deadline" ] || {
      echo "$1 stays $now instead of $2; the clients are at:" >&2
      ps -o pid,stat,time,args -p "$(IFS=,; echo "${children[*]}")" >&2
      return 1
    }
    sleep 0.2
  done
}

# wait_for_children PROCESS...: until they have ended
wait_for_children() {
  wait "$@"
  local left=() child
  for child in "${children[@]}"; do
    [[ " $* " == *" $child "* ]] || left+=("$child")
  done
  children=("${left[@]}")
}

# meter STATE: 1 000 requests and 20 registrations; notes how long they took
meter() {
  local kind p50 p99 worst median rest
  timeout 120 "${urgent[@]}" "$binaries/reverst-bench-meter" "$front" "$host" "$tunnel" bench \
    user pass >"$work/meter.out" || return
  while read -r kind rest; do
    read -r p50 p99 worst <<<"$rest"
    [ "$1" != alone ] || printf -v "median_$kind" %s "$p50"
    median=median_$kind
    note "$1_${kind}_p50_ms" "$p50"
    note "$1_${kind}_p99_ms" "$p99"
    note "$1_${kind}_worst_ms" "$worst"
    note "$1_${kind}_ratio" "$(quotient "$worst" "${!median}")"
  done <"$work/meter.out"
}

crowd=()
arrive() {
  local i half=$((pending_count / 2))
  crowd=()
  for i in 1 2; do # two sockets of a client are too many for one process
    start "crowd$i" "$binaries/reverst-bench-tunnels" "$tunnel" slow user pass \
      "$half" "$((arrivals_per_second / 2))/s"
    crowd+=("$started")
  done
}

# most METRIC: notes the largest of its samples as METRIC_most
most() {
  note "$1_most" "$(awk -v name="$1" '$1 == "pending" && $3 == name && $4 > m {
    m = $4 } END { print m }' "$work/samples")"
}

# growth NAME: notes how much more it is after the tenth round, in percent
growth() {
  note "$1_growth" "$(awk -v first="$1_after_2" -v last="$1_after_10" '
    $3 == first { from = $4 } $3 == last { to = $4 }
    END { if (from && to) printf "%.3f", 100 * (to - from) / from }' \
    "$work/samples")"
}

summarise() {
  local state kind
  for state in alone arriving pending leaving; do
    for kind in requests registrations; do
      most "${state}_${kind}_ratio" || return
    done
  done
  growth resident && growth lua
}

# pending_round NUMBER
pending_round() {
  local before lua_before
  meter alone || return
  before=$(resident "$server") lua_before=$(lua_memory)
  arrive
  meter arriving || return
  wait_until pending_registrations "$pending_count" || return
  if [ "$1" = 1 ]; then # later, what was freed before is used again
    note bytes_per_pending \
      $((($(resident "$server") - before) / pending_count))
    note lua_bytes_per_pending \
      $((($(lua_memory) - lua_before) / pending_count))
  fi
  meter pending || return
  [ "$(of_server stats pending_registrations)" = "$pending_count" ] || return
  kill -USR1 "$holder"
  meter leaving || return
  wait_until pending_registrations 0 || return
  wait_until tunnels $((pending_count + 1)) || return
  kill "${crowd[@]}"
  wait_for_children "${crowd[@]}"
  wait_until tunnels 1 || return
  kill -USR2 "$holder"
  sleep "$idle_seconds"
  note "resident_after_$1" "$(resident "$server")"
  note "lua_after_$1" "$(lua_memory)"
}

work_pending() {
  local i
  [ "$side" = reverst ] && [ "$round" = 1 ] || return 0
  pending_config
  take_priority
  start holder "$binaries/reverst-bench-holder" "$service"
  holder=$started
  start server "${urgent[@]}" "$binaries/reverst" -l warn -n localhost -c "$work/server.crt" \
    -k "$work/server.key" -a "$tunnel" -s "$front" "$work/pending.lua"
  server=$started
  start_client handler
  [ ${#urgent[@]} = 0 ] || chrt --fifo --pid 1 "$client" || return
  wait_for_tunnel || return
  for ((i = 1; i <= pending_rounds; i++)); do
    pending_round "$i" || return
  done
  summarise
}
