/* SPDX-License-Identifier: MIT */
/* The loop: an engine on a libevent base, with a timerfd of its own. */
#ifndef RV_EVENT_LOOP_H
#define RV_EVENT_LOOP_H

#include "base/engine.h"

struct event_base;
struct rv_loop;

struct rv_loop_options {
  size_t memory_budget; /* see rv_engine_options */
  enum reverst_log_level log_level;
  reverst_log_callback log;
  void *log_user_data;
};

/* REVERST_ERR_NO_MEMORY, REVERST_ERR_SYSTEM (also for a base that does not use
   epoll; an entry says so). The base is the caller's and must outlive the loop.
   A loop without timers, sockets and work does not keep event_base_dispatch
   from returning. */
int rv_loop_new(struct rv_loop **loop, struct event_base *base,
    const struct rv_loop_options *options);

/* Frees at once, for when nothing has begun: all objects of the engine must be
   closed, and have nothing to wait for (asserted); the turns in which they go
   are run here. No turn may be under way: from within one, and in general, use
   rv_loop_free_later. NULL is fine. */
void rv_loop_free(struct rv_loop *loop);

/* Frees it when the turn that is under way or requested has ended and all
   objects are gone; then calls `on_freed` (may be NULL). */
void rv_loop_free_later(
    struct rv_loop *loop, void (*on_freed)(void *user_data), void *user_data);

struct rv_engine *rv_loop_engine(struct rv_loop *loop);
struct event_base *rv_loop_base(struct rv_loop *loop);

/* For the parts of event/ and origin/: an object that no counter of the engine
   knows holds the loop, and lets it go when its own memory goes. */
void rv_loop_hold(struct rv_loop *loop);
void rv_loop_release(struct rv_loop *loop);

/* Memory that all UDP sockets of the loop receive into, zeroed at first and
   freed with the loop. Every call must ask for the same size. NULL: none. */
void *rv_loop_scratch(struct rv_loop *loop, size_t size);

#endif
