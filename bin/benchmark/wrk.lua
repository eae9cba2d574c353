-- SPDX-License-Identifier: MIT
-- What wrk measured, as one line: requests, seconds, the 50th and the 99th
-- percentile of the latency in milliseconds, failures.
-- luacheck: globals done

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("%d %.6f %.3f %.3f %d\n",
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
