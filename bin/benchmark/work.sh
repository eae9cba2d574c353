# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # variables of other parts
# The kinds of work. Each runs once, with processes of its own, for $side, and
# notes what it measured; it fails when something did not work.

connections=64 bodies=4 idle_counts=(100 1000) registrations=500
ticks=$(getconf CLK_TCK)

# note METRIC VALUE: fails without a value
note() {
  [ -n "$2" ] && echo "$workload $side $1 $2" >>"$work/samples"
}

# quotient AMOUNT DIVISOR: AMOUNT per DIVISOR; nothing where that is 0
quotient() {
  awk -v amount="$1" -v divisor="$2" \
    'BEGIN { if (divisor <= 0) exit 1; printf "%.3f", amount / divisor }'
}

start_cpu() {
  server_cpu=$(cpu "$server") client_cpu=$(cpu "$client")
}

# note_cpu NAME AMOUNT: per CPU-second since start_cpu
note_cpu() {
  local server_used client_used
  server_used=$(($(cpu "$server") - server_cpu))
  client_used=$(($(cpu "$client") - client_cpu))
  note "$1_per_cpu_s" \
    "$(quotient $(($2 * ticks)) $((server_used + client_used)))" &&
    note "$1_per_server_cpu_s" "$(quotient $(($2 * ticks)) $server_used)" &&
    note "$1_per_client_cpu_s" "$(quotient $(($2 * ticks)) $client_used)"
}

start_tunnel() {
  start_origin
  start_server
  start_client "$1"
  wait_for_tunnel
}

# load CONNECTIONS: what wrk sees; how many of its requests failed is told
load() {
  local requests elapsed p50 p99 failed
  read -r requests elapsed p50 p99 failed < <(
    timeout $((seconds + 20)) wrk -t1 "-c$1" "-d${seconds}s" \
      -s bin/benchmark/wrk.lua -H "Host: $host" "http://$front$page" |
      tail -n 1
  )
  [ "${requests:-0}" -gt 0 ] || return
  note_cpu requests "$requests" || return
  note requests_per_s "$(quotient "$requests" "$elapsed")"
  note p50_ms "$p50"
  note p99_ms "$p99"
  note failed "$failed"
}

get_through() {
  start_tunnel "$1" || return
  start_cpu
  load "$2"
}

work_get() { get_through forward "$connections"; }
work_handler() { get_through handler "$connections"; }
work_latency() { get_through forward 1; }

# CPU of the server alone, in microseconds, for a request with each policy in
# turn; and its ratio to that of round robin in C, of the same round.
work_policy() {
  local policy requests failed used per_request base=''
  [ "$side" = reverst ] || return 0
  for policy in c round_robin least_conn ip_hash function; do
    config=policy-$policy.lua
    start_origin
    start_server
    for _ in 1 2 3 4; do start_client handler; done
    config=config.lua
    wait_for_tunnel || return
    sleep 1
    server_cpu=$(cpu "$server")
    read -r requests _ _ _ failed < <(
      timeout $((seconds + 20)) wrk -t1 "-c$connections" "-d${seconds}s" \
        -s bin/benchmark/wrk.lua -H "Host: $host" "http://$front$page" |
        tail -n 1
    )
    used=$(($(cpu "$server") - server_cpu))
    [ "${failed:-1}" = 0 ] || return
    per_request=$(quotient $((used * 1000000 / ticks)) "${requests:-0}") ||
      return
    note "us_$policy" "$per_request"
    base=${base:-$per_request}
    [ "$policy" = c ] ||
      note "ratio_$policy" "$(quotient "$per_request" "$base")" || return
    stop_children
  done
}

# bulk DIRECTION PATH CURL-ARGUMENT...: all bodies at once, each to its end
bulk() {
  local pids=() pid i start end
  start_cpu
  start=$EPOCHREALTIME
  for ((i = 0; i < bodies; i++)); do
    timeout 120 curl --silent --show-error --fail -o /dev/null \
      -w "%{size_$1}\\n" -H "Host: $host" "${@:3}" "http://$front$2" \
      >"$work/size.$i" 2>"$work/curl.$i.log" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || return; done
  end=$EPOCHREALTIME
  [ "$(cat "$work"/size.* | grep -cx "$body_size")" = "$bodies" ] || return
  note_cpu MB $((bodies * body_size / 1000000)) || return
  note MB_per_s "$(quotient $((bodies * body_size)) \
    $((${end/./} - ${start/./})))"
}

work_down() {
  start_tunnel forward && bulk download "$body"
}

work_up() {
  start_tunnel forward && bulk upload "$sink" -H 'Expect:' -T "$work/body"
}

# hold COUNT AT-ONCE: that many tunnels; sets opened to what became of them
hold() {
  local deadline=$((SECONDS + 60))
  start tunnels "$binaries/reverst-bench-tunnels" "$tunnel" bench user pass \
    "$1" "$2"
  until opened=$(grep '^open=' "$work/tunnels.log"); do
    [ "$SECONDS" -lt "$deadline" ] && kill -0 "$started" || return
    sleep 0.1
  done
}

work_idle() {
  local count before
  for count in "${idle_counts[@]}"; do
    start_server
    sleep 1
    before=$(resident "$server")
    hold "$count" 1 || return
    sleep 1
    note "bytes_per_tunnel_$count" \
      $((($(resident "$server") - before) / count))
    timeout 60 curl --silent --fail -H "Host: $host" -o /dev/null \
      "http://$front/pong?[1-$count]" || return
    sleep 1
    note "bytes_per_used_tunnel_$count" \
      $((($(resident "$server") - before) / count))
    stop_children
  done
  note bytes_without_tunnels "$before"
}

work_register() {
  local at_once before used
  for at_once in 1 64; do
    start_server
    sleep 1
    before=$(cpu "$server")
    hold "$registrations" "$at_once" || return
    used=$(($(cpu "$server") - before))
    note "registrations_per_server_cpu_s_$at_once" \
      "$(quotient $((registrations * ticks)) "$used")" || return
    note "registrations_per_s_$at_once" \
      "$(quotient "$registrations" "${opened##*seconds=}")"
    opened=${opened% seconds=*}
    note "refused_$at_once" "${opened#*refused=}"
    stop_children
  done
}
