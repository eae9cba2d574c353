/* SPDX-License-Identifier: MIT */
/* Counts entries, second by second. */
#include "base/log_quota.h"

#include "base/log.h"

static void tell(struct rv_log_quota *quota) {
  if (quota->left_out > 0)
    rv_log(quota->engine, REVERST_LOG_WARN, "entries_left_out",
        rv_log_text("of", quota->event),
        rv_log_number("count", (int64_t)quota->left_out));
  quota->left_out = 0;
  quota->count = 0;
}

static void on_timer(struct rv_timer *timer) {
  tell(rv_container_of(timer, struct rv_log_quota, timer));
}

void rv_log_quota_init(
    struct rv_log_quota *quota, struct rv_engine *engine, const char *event) {
  *quota = (struct rv_log_quota){ .engine = engine, .event = event };
  rv_timer_init(&quota->timer, on_timer);
}

void rv_log_quota_deinit(struct rv_log_quota *quota) {
  rv_timer_stop(&quota->engine->timers, &quota->timer);
  tell(quota);
}

/* Without the memory for a timer there is no end of the second: it is as if
   each were the first one. */
bool rv_log_quota_take(struct rv_log_quota *quota) {
  struct rv_engine *engine = quota->engine;

  if (quota->count == 0 &&
      rv_timer_set(&engine->timers, &quota->timer, engine->now + RV_SECOND) < 0)
    return true;
  if (quota->count < RV_LOG_QUOTA) {
    quota->count++;
    return true;
  }
  quota->left_out++;
  return false;
}
