# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # variables of other parts
# What was noted in $work/samples, as a table for people and as JSON.

# workload, metric, what it says; in the order of the table
metrics='get requests_per_cpu_s requests per CPU-second, both processes
get requests_per_server_cpu_s requests per CPU-second of the server
get requests_per_client_cpu_s requests per CPU-second of the client
get requests_per_s requests per second
get p50_ms latency, median, ms
get p99_ms latency, 99th percentile, ms
get failed failed requests
handler requests_per_cpu_s requests per CPU-second, both processes
handler requests_per_server_cpu_s requests per CPU-second of the server
handler requests_per_client_cpu_s requests per CPU-second of the client
handler requests_per_s requests per second
handler p50_ms latency, median, ms
handler p99_ms latency, 99th percentile, ms
handler failed failed requests
latency p50_ms latency, median, ms
latency p99_ms latency, 99th percentile, ms
latency requests_per_cpu_s requests per CPU-second, both processes
latency failed failed requests
down MB_per_cpu_s MB per CPU-second, both processes
down MB_per_server_cpu_s MB per CPU-second of the server
down MB_per_client_cpu_s MB per CPU-second of the client
down MB_per_s MB per second
up MB_per_cpu_s MB per CPU-second, both processes
up MB_per_server_cpu_s MB per CPU-second of the server
up MB_per_client_cpu_s MB per CPU-second of the client
up MB_per_s MB per second
idle bytes_without_tunnels server, bytes without a tunnel
idle bytes_per_tunnel_100 bytes per tunnel, of 100
idle bytes_per_used_tunnel_100 after a request on each
idle bytes_per_tunnel_1000 bytes per tunnel, of 1 000
idle bytes_per_used_tunnel_1000 after a request on each
register registrations_per_server_cpu_s_1 one after another, per server CPU-s
register registrations_per_s_1 one after another, per second
register refused_1 one after another, refused
register registrations_per_server_cpu_s_64 64 at once, per server CPU-s
register registrations_per_s_64 64 at once, per second
register refused_64 64 at once, refused
policy us_c server CPU per request, us: round robin in C
policy us_round_robin round robin in Lua
policy us_least_conn least_conn
policy us_ip_hash ip_hash
policy us_function a function: path, labels of four tunnels
policy ratio_round_robin times that of C: round robin in Lua
policy ratio_least_conn least_conn
policy ratio_ip_hash ip_hash
policy ratio_function a function
pending alone_requests_p50_ms requests undisturbed, median, ms
pending alone_requests_p99_ms requests undisturbed, 99th percentile, ms
pending alone_requests_worst_ms requests undisturbed, worst, ms
pending alone_requests_ratio requests undisturbed, worst / median
pending alone_requests_ratio_most the same, worst of all rounds
pending alone_registrations_p50_ms registrations undisturbed, median, ms
pending alone_registrations_p99_ms registrations undisturbed, 99th percentile, ms
pending alone_registrations_worst_ms registrations undisturbed, worst, ms
pending alone_registrations_ratio registrations undisturbed, worst / median
pending alone_registrations_ratio_most the same, worst of all rounds
pending arriving_requests_p50_ms requests while they come, median, ms
pending arriving_requests_p99_ms requests while they come, 99th percentile, ms
pending arriving_requests_worst_ms requests while they come, worst, ms
pending arriving_requests_ratio requests while they come, worst / median
pending arriving_requests_ratio_most the same, worst of all rounds
pending arriving_registrations_p50_ms registrations while they come, median, ms
pending arriving_registrations_p99_ms registrations while they come, 99th percentile, ms
pending arriving_registrations_worst_ms registrations while they come, worst, ms
pending arriving_registrations_ratio registrations while they come, worst / median
pending arriving_registrations_ratio_most the same, worst of all rounds
pending pending_requests_p50_ms requests while all wait, median, ms
pending pending_requests_p99_ms requests while all wait, 99th percentile, ms
pending pending_requests_worst_ms requests while all wait, worst, ms
pending pending_requests_ratio requests while all wait, worst / median
pending pending_requests_ratio_most the same, worst of all rounds
pending pending_registrations_p50_ms registrations while all wait, median, ms
pending pending_registrations_p99_ms registrations while all wait, 99th percentile, ms
pending pending_registrations_worst_ms registrations while all wait, worst, ms
pending pending_registrations_ratio registrations while all wait, worst / median
pending pending_registrations_ratio_most the same, worst of all rounds
pending leaving_requests_p50_ms requests while they are let in, median, ms
pending leaving_requests_p99_ms requests while they are let in, 99th percentile, ms
pending leaving_requests_worst_ms requests while they are let in, worst, ms
pending leaving_requests_ratio requests while they are let in, worst / median
pending leaving_requests_ratio_most the same, worst of all rounds
pending leaving_registrations_p50_ms registrations while they are let in, median, ms
pending leaving_registrations_p99_ms registrations while they are let in, 99th percentile, ms
pending leaving_registrations_worst_ms registrations while they are let in, worst, ms
pending leaving_registrations_ratio registrations while they are let in, worst / median
pending leaving_registrations_ratio_most the same, worst of all rounds
pending bytes_per_pending server, bytes per registration
pending lua_bytes_per_pending of these in Lua
pending resident_after_2 server, bytes after the second round
pending resident_after_10 after the tenth round
pending resident_growth growth between the two, %
pending lua_after_2 Lua, bytes after the second round
pending lua_after_10 after the tenth round
pending lua_growth growth between the two, %
pending real_time measured at real-time priority, 1: yes'

headline() {
  case $1 in
  get) echo "GET of 4 bytes from nginx, $connections connections, $seconds s" ;;
  handler) echo "GET answered by the client's own program, the same" ;;
  latency) echo "GET from nginx, 1 connection, $seconds s" ;;
  down) echo "$bodies bodies of $((body_size / 1000000)) MB down, at once" ;;
  up) echo "$bodies bodies of $((body_size / 1000000)) MB up, at once" ;;
  idle) echo "memory of the server with idle tunnels" ;;
  register) echo "$registrations registrations" ;;
  policy) echo "policies with 4 tunnels, $connections connections, $seconds s" ;;
  pending)
    echo "1 000 requests and 20 registrations, $pending_count others pending;" \
      "medians of $pending_rounds rounds, against the undisturbed median"
    ;;
  esac
}

# Lines "workload metric ours go ratio n-of-ours n-of-go samples | samples";
# "-" for what there is not.
medians() {
  sort -k1,3 -k4,4g "$work/samples" | awk -v metrics="$metrics" '
    function median(key) {
      if (!count[key]) return "-"
      return (value[key, int((count[key] + 1) / 2)] + \
        value[key, int(count[key] / 2) + 1]) / 2
    }
    { key = $1 " " $3 " " $2; value[key, ++count[key]] = $4
      all[key] = all[key] (count[key] > 1 ? "," : "") $4 }
    END {
      rows = split(metrics, row, "\n")
      for (i = 1; i <= rows; i++) {
        split(row[i], word, " "); name = word[1] " " word[2]
        ours = median(name " reverst"); go = median(name " go")
        if (ours == "-" && go == "-") continue
        ratio = ours == "-" || go == "-" || go == 0 ? "-" : ours / go
        print name, ours, go, ratio, "[" all[name " reverst"] "]", \
          "[" all[name " go"] "]"
      }
    }'
}

number() {
  if [ "$1" = - ]; then echo -; return; fi
  awk -v n="$1" 'BEGIN {
    printf (n >= 1000 ? "%.0f" : n >= 10 ? "%.1f" : "%.2f"), n }'
}

print_table() {
  local last='' name metric ours go ratio title rest
  while read -r name metric ours go ratio rest; do
    if [ "$name" != "$last" ]; then
      printf '\n%s\n  %-52s %12s %12s %8s\n' "$(headline "$name")" \
        "" reverst "Go" ratio
      last=$name
    fi
    title=$(sed -n "s/^$name $metric //p" <<<"$metrics")
    printf '  %-52s %12s %12s %8s\n' "$title" "$(number "$ours")" \
      "$(number "$go")" "$(number "$ratio")"
  done < <(medians)
}

machine() {
  cores=$(nproc)
  model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
  kernel=$(uname -r)
  load=$(cut -d ' ' -f 1 /proc/loadavg)
}

quoted() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

print_json() {
  local revision
  revision=$(git describe --always --dirty 2>/dev/null) || revision=unknown
  printf '{\n "date": %s, "revision": %s, "go": %s,\n' \
    "$(quoted "$(date -u +%FT%TZ)")" "$(quoted "$revision")" "$(quoted "$go_is")"
  printf ' "rounds": %d, "seconds": %d,\n' "$rounds" "$seconds"
  printf ' "machine": { "cores": %d, "cpu": %s, "kernel": %s, "load": %s },\n' \
    "$cores" "$(quoted "$model")" "$(quoted "$kernel")" "$load"
  printf ' "results": ['
  medians | awk '
    function json(x) { return x == "-" ? "null" : x }
    { printf "%s\n  { \"work\": \"%s\", \"metric\": \"%s\", ", \
        (NR > 1 ? "," : ""), $1, $2
      printf "\"reverst\": %s, \"go\": %s, \"ratio\": %s,\n", \
        json($3), json($4), json($5)
      printf "    \"samples\": { \"reverst\": %s, \"go\": %s } }", $6, $7 }'
  printf '\n ]\n}\n'
}
