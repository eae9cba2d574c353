/* SPDX-License-Identifier: MIT */
/* Asks after each period of silence, and waits for the answer. */
#include "tunnel/watch.h"

#define LEAST_PATIENCE (3 * RV_SECOND)
/* How soon the end of a silence is noticed. */
#define RECHECK (100 * RV_MILLISECOND)

static uint64_t patience_of(const struct rv_watch *watch) {
  uint64_t patience = 3 * rv_quic_connection_pto(watch->connection);

  return patience > LEAST_PATIENCE ? patience : LEAST_PATIENCE;
}

static void set_silent(struct rv_watch *watch, bool silent) {
  if (watch->silent == silent)
    return;
  watch->silent = silent;
  watch->on_changed(watch);
}

/* When to look again while nothing is asked; asks when it is time to. */
static uint64_t rest_or_ask(struct rv_watch *watch, uint64_t last) {
  uint64_t now = watch->engine->now;

  if (now < last + watch->period)
    return last + watch->period;
  rv_quic_connection_ping(watch->connection);
  watch->asked_at = now;
  return now + patience_of(watch);
}

static void look(struct rv_timer *timer) {
  struct rv_watch *watch = rv_container_of(timer, struct rv_watch, timer);
  uint64_t now = watch->engine->now, next;
  uint64_t last = rv_quic_connection_last_received(watch->connection);
  bool answered = watch->asked_at != 0 && last >= watch->asked_at;
  bool overdue = false;

  if (answered)
    watch->asked_at = 0;
  if (watch->asked_at == 0) {
    next = rest_or_ask(watch, last);
  } else {
    overdue = now >= watch->asked_at + patience_of(watch);
    next = overdue ? now + RECHECK : watch->asked_at + patience_of(watch);
  }
  rv_timer_set(&watch->engine->timers, &watch->timer, next);
  if (answered || overdue)
    set_silent(watch, overdue); /* the last: it may stop the watch */
}

void rv_watch_init(struct rv_watch *watch, struct rv_engine *engine,
    void (*on_changed)(struct rv_watch *watch)) {
  *watch = (struct rv_watch){ .engine = engine, .on_changed = on_changed };
  rv_timer_init(&watch->timer, look);
}

int rv_watch_start(
    struct rv_watch *watch, struct rv_quic_connection *connection) {
  struct rv_engine *engine = watch->engine;

  watch->connection = connection;
  watch->period = rv_quic_connection_keep_alive_period(connection);
  if (watch->period == RV_NEVER)
    return 0;
  return rv_timer_set(
      &engine->timers, &watch->timer, engine->now + watch->period);
}

void rv_watch_stop(struct rv_watch *watch) {
  rv_timer_stop(&watch->engine->timers, &watch->timer);
  watch->connection = NULL;
}
