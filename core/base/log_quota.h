/* SPDX-License-Identifier: MIT */
/* Entries that strangers can cause as often as they like: some of them each
   second, and how many others there were. */
#ifndef RV_BASE_LOG_QUOTA_H
#define RV_BASE_LOG_QUOTA_H

#include "base/engine.h"
#include "base/timer.h"

enum { RV_LOG_QUOTA = 10 /* entries in a second */ };

struct rv_log_quota {
  struct rv_engine *engine;
  const char *event;
  struct rv_timer timer; /* runs in a second that has entries */
  unsigned count;        /* in this second */
  uint64_t left_out;
};

/* `event`: the name of its entries; static. */
void rv_log_quota_init(
    struct rv_log_quota *quota, struct rv_engine *engine, const char *event);
void rv_log_quota_deinit(struct rv_log_quota *quota);

/* May one more be logged? Those that may not are counted, and told of at the
   second's end: "entries_left_out" with their event and count. */
bool rv_log_quota_take(struct rv_log_quota *quota);

#endif
