/* SPDX-License-Identifier: MIT */
/* Counting failures, and the way out and back. */
#include "server/health.h"

#include "base/log.h"
#include "server/router.h"

/* Of the moving average: the newest counts for one part in so many. */
enum { LATENCY_PARTS = 8 };

static void log_change(const reverst_tunnel *tunnel,
    enum reverst_log_level level, const char *event) {
  rv_log(tunnel->group->engine, level, event,
      rv_log_text("group", tunnel->group->name),
      rv_log_text("peer", tunnel->peer),
      rv_log_text("name", tunnel->facts->name));
}

static void on_recovered(struct rv_timer *timer) {
  reverst_tunnel *tunnel = rv_container_of(timer, reverst_tunnel, recovery);

  log_change(tunnel, REVERST_LOG_INFO, "tunnel_recovered");
  rv_candidates_note(tunnel);
  rv_router_serve_waiting(tunnel->group);
}

void rv_health_init(reverst_tunnel *tunnel) {
  rv_timer_init(&tunnel->recovery, on_recovered);
}

void rv_health_deinit(reverst_tunnel *tunnel) {
  rv_timer_stop(&tunnel->group->engine->timers, &tunnel->recovery);
}

void rv_health_note_head(reverst_tunnel *tunnel, uint64_t took) {
  uint64_t *latency = &tunnel->latency;

  if (*latency == 0)
    *latency = took;
  else
    *latency = *latency - *latency / LATENCY_PARTS + took / LATENCY_PARTS;
  if (*latency == 0)
    *latency = 1; /* there is one */
}

static bool is_to_blame(enum rv_failure failure) {
  switch (failure) {
  case RV_FAILURE_REFUSED:
  case RV_FAILURE_TUNNEL_LOST:
  case RV_FAILURE_UPSTREAM_RESET:
  case RV_FAILURE_ORIGIN_UNREACHABLE:
  case RV_FAILURE_ORIGIN_MALFORMED:
  case RV_FAILURE_TIMEOUT_HEAD:
    return true;
  default:
    return false;
  }
}

static void leave_out(reverst_tunnel *tunnel, uint64_t duration) {
  struct rv_engine *engine = tunnel->group->engine;

  tunnel->fails = 0;
  tunnel->failing_until = rv_deadline(engine->now, duration);
  rv_candidates_note(tunnel);
  log_change(tunnel, REVERST_LOG_WARN, "tunnel_failing");
  /* without the memory for it only the entry of its return is missing */
  (void)rv_timer_set(&engine->timers, &tunnel->recovery, tunnel->failing_until);
}

void rv_health_note_failure(reverst_tunnel *tunnel, enum rv_failure failure) {
  const reverst_group_options *options = &tunnel->group->options;
  uint64_t now = tunnel->group->engine->now;

  if (options->max_fails == 0 || !is_to_blame(failure) ||
      !rv_tunnel_is_open(tunnel) || rv_tunnel_is_failing(tunnel))
    return;
  if (tunnel->fails == 0 ||
      now - tunnel->failing_since > options->fail_duration) {
    tunnel->fails = 0;
    tunnel->failing_since = now;
  }
  if (++tunnel->fails >= options->max_fails)
    leave_out(tunnel, options->fail_duration);
}
