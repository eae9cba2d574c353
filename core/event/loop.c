/* SPDX-License-Identifier: MIT */
/* The loop: turns and timers of an engine, run by a libevent base. */
#include "event/loop.h"

#include "base/log.h"
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { LAST_TURNS = 16 };

struct rv_loop {
  struct rv_engine engine;
  struct event_base *base;
  struct event turn_event, timer_event;
  int timer_fd;
  uint64_t armed; /* when timer_fd fires next; RV_NEVER: not known to */
  bool watching;  /* timer_event is in the base */
  bool in_turn;
  size_t holds;
  void *scratch;
  size_t scratch_size;
  bool freeing;
  void (*on_freed)(void *user_data);
  void *user_data;
};

static struct rv_loop *loop_of_turn(struct rv_turn *turn) {
  return rv_container_of(turn, struct rv_loop, engine.turn);
}

static struct rv_loop *loop_of_timers(struct rv_timers *timers) {
  return rv_container_of(timers, struct rv_loop, engine.timers);
}

/* An event that is activated runs behind those that are active already, which
   is the end of the turn. */
static void request_turn(struct rv_loop *loop) {
  event_active(&loop->turn_event, EV_TIMEOUT, 0);
}

/* Activated from within its own callback it would run before sockets are looked
   at again, so that work which creates work starved them: a timeout of zero
   comes after them. */
static void request_next_turn(struct rv_loop *loop) {
  static const struct timeval at_once = { 0, 0 };
  if (event_add(&loop->turn_event, &at_once) < 0)
    request_turn(loop);
}

static void on_turn_requested(struct rv_turn *turn) {
  struct rv_loop *loop = loop_of_turn(turn);
  if (!loop->in_turn)
    request_turn(loop);
}

static void on_deadline_earlier(struct rv_timers *timers) {
  struct rv_loop *loop = loop_of_timers(timers);
  if (!loop->in_turn)
    request_turn(loop);
}

static void set_timer_fd(const struct rv_loop *loop, uint64_t deadline) {
  struct itimerspec when = {
    .it_value = {
      .tv_sec = (time_t)(deadline / RV_SECOND),
      .tv_nsec = (long)(deadline % RV_SECOND),
    },
  };
  if (deadline == 0)
    when.it_value.tv_nsec = 1; /* all zero would disarm it */
  int r = timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
  assert(r == 0);
  (void)r;
}

/* Without a timer the base must be able to run out of events. */
static void stop_watching(struct rv_loop *loop) {
  if (loop->watching)
    event_del(&loop->timer_event);
  loop->watching = false;
  loop->armed = RV_NEVER;
}

static void arm(struct rv_loop *loop) {
  struct rv_timers *timers = &loop->engine.timers;
  uint64_t next = rv_timers_next(timers);
  if (next == RV_NEVER) {
    stop_watching(loop);
  } else if (next < loop->armed) {
    set_timer_fd(loop, next);
    if (!loop->watching)
      loop->watching = event_add(&loop->timer_event, NULL) == 0;
    loop->armed = loop->watching ? next : RV_NEVER;
  }
  timers->armed = loop->armed;
}

static bool is_empty(const struct rv_loop *loop) {
  const struct rv_counters *live = &loop->engine.live;
  return loop->holds == 0 && loop->engine.timers.count == 0 &&
         rv_turn_idle(&loop->engine.turn) && live->exchanges == 0 &&
         live->quic_connections == 0 && live->h3_sessions == 0 &&
         live->h3_streams == 0 && live->streams == 0 &&
         live->h1_connections == 0 && live->tunnels == 0 &&
         live->registrations == 0;
}

static void destroy(struct rv_loop *loop) {
  stop_watching(loop);
  event_del(&loop->turn_event);
  rv_engine_deinit(&loop->engine);
  close(loop->timer_fd);
  free(loop->scratch);
  free(loop);
}

static void free_if_empty(struct rv_loop *loop) {
  void (*on_freed)(void *user_data) = loop->on_freed;
  void *user_data = loop->user_data;
  if (!loop->freeing || !is_empty(loop))
    return;
  destroy(loop);
  if (on_freed != NULL)
    on_freed(user_data);
}

static void on_turn(evutil_socket_t fd, short what, void *argument) {
  struct rv_loop *loop = argument;
  struct rv_engine *engine = &loop->engine;
  (void)fd;
  (void)what;
  rv_engine_refresh(engine);
  loop->in_turn = true;
  if (rv_timers_next(&engine->timers) <= engine->now)
    rv_timers_run(&engine->timers, engine->now);
  rv_turn_run(&engine->turn);
  if (!rv_turn_idle(&engine->turn))
    request_next_turn(loop);
  arm(loop);
  loop->in_turn = false;
  free_if_empty(loop);
}

/* It need not be read: the turn sets it anew, or takes it out of the base. */
static void on_timer(evutil_socket_t fd, short what, void *argument) {
  struct rv_loop *loop = argument;
  (void)fd;
  (void)what;
  loop->armed = RV_NEVER;
  request_turn(loop);
}

static int open_events(struct rv_loop *loop, struct event_base *base) {
  if (!(event_base_get_features(base) & EV_FEATURE_ET)) {
    rv_log(&loop->engine, REVERST_LOG_ERROR, "loop_failed",
        rv_log_text("reason", "the event base does not use epoll"));
    return REVERST_ERR_SYSTEM;
  }
  loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (loop->timer_fd < 0) {
    rv_log(&loop->engine, REVERST_LOG_ERROR, "loop_failed",
        rv_log_text("reason", strerror(errno)));
    return REVERST_ERR_SYSTEM;
  }
  if (event_assign(&loop->turn_event, base, -1, 0, on_turn, loop) < 0 ||
      event_assign(&loop->timer_event, base, loop->timer_fd,
          EV_READ | EV_PERSIST, on_timer, loop) < 0) {
    close(loop->timer_fd);
    return REVERST_ERR_SYSTEM;
  }
  return 0;
}

int rv_loop_new(struct rv_loop **loop, struct event_base *base,
    const struct rv_loop_options *options) {
  struct rv_loop *new_loop = calloc(1, sizeof(*new_loop));
  if (new_loop == NULL)
    return REVERST_ERR_NO_MEMORY;
  new_loop->base = base;
  new_loop->armed = RV_NEVER;
  rv_engine_init(&new_loop->engine, &(struct rv_engine_options){
                                        .on_requested = on_turn_requested,
                                        .memory_budget = options->memory_budget,
                                        .log_level = options->log_level,
                                        .log = options->log,
                                        .log_user_data = options->log_user_data,
                                    });
  new_loop->engine.timers.armed = RV_NEVER;
  new_loop->engine.timers.on_earlier = on_deadline_earlier;
  int r = open_events(new_loop, base);
  if (r < 0) {
    rv_engine_deinit(&new_loop->engine);
    free(new_loop);
    return r;
  }
  rv_engine_refresh(&new_loop->engine);
  *loop = new_loop;
  return 0;
}

void rv_loop_free(struct rv_loop *loop) {
  if (loop == NULL)
    return;
  assert(!loop->in_turn);
  loop->in_turn = true;
  for (int i = 0; i < LAST_TURNS && !rv_turn_idle(&loop->engine.turn); i++)
    rv_turn_run(&loop->engine.turn);
  assert(is_empty(loop));
  destroy(loop);
}

void rv_loop_free_later(
    struct rv_loop *loop, void (*on_freed)(void *user_data), void *user_data) {
  loop->freeing = true;
  loop->on_freed = on_freed;
  loop->user_data = user_data;
  if (!loop->in_turn)
    request_turn(loop);
}

struct rv_engine *rv_loop_engine(struct rv_loop *loop) {
  return &loop->engine;
}

struct event_base *rv_loop_base(struct rv_loop *loop) {
  return loop->base;
}

void rv_loop_hold(struct rv_loop *loop) {
  loop->holds++;
}

void rv_loop_release(struct rv_loop *loop) {
  assert(loop->holds > 0);
  loop->holds--;
}

void *rv_loop_scratch(struct rv_loop *loop, size_t size) {
  if (loop->scratch == NULL) {
    loop->scratch = calloc(1, size);
    loop->scratch_size = size;
  }
  assert(loop->scratch == NULL || loop->scratch_size == size);
  return loop->scratch;
}
