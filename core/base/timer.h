/* SPDX-License-Identifier: MIT */
/* Timers: a heap of deadlines, driven by whoever knows the time. */
#ifndef RV_BASE_TIMER_H
#define RV_BASE_TIMER_H

#include "base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_NEVER UINT64_MAX
#define RV_MILLISECOND UINT64_C(1000000)
#define RV_SECOND UINT64_C(1000000000)

/* The time `wait` nanoseconds after `begin`: RV_NEVER for a wait of RV_NEVER,
   and for one that ends beyond what a clock can say. */
static inline uint64_t rv_deadline(uint64_t begin, uint64_t wait) {
  return wait > RV_NEVER - begin ? RV_NEVER : begin + wait;
}

/* Nanoseconds of the engine's monotonic clock. */
struct rv_timer {
  uint64_t deadline;  /* RV_NEVER: not set */
  uint64_t key;       /* place in the heap; may be earlier than the deadline */
  size_t index;       /* in the heap, plus one; 0: not in it */
  struct rv_list due; /* among those that fire in this run */
  void (*on_fired)(struct rv_timer *timer);
};

struct rv_timers {
  struct rv_timer **heap;
  size_t count, capacity;
  size_t due_count; /* out of the heap, about to fire */
  /* Both the owner's: when it will call rv_timers_run anyway, and what is
     called when a deadline earlier than that was set (NULL: nothing). It must
     only note the fact. */
  uint64_t armed;
  void (*on_earlier)(struct rv_timers *timers);
};

void rv_timers_init(struct rv_timers *timers);
void rv_timers_deinit(struct rv_timers *timers); /* must be empty (asserted) */

void rv_timer_init(
    struct rv_timer *timer, void (*on_fired)(struct rv_timer *timer));

/* Sets or moves the deadline. Moving it later, or to RV_NEVER, does not touch
   the heap. REVERST_ERR_NO_MEMORY only when the timer was not in the heap. */
int rv_timer_set(
    struct rv_timers *timers, struct rv_timer *timer, uint64_t deadline);

/* Takes it out of the heap, or of those about to fire: before its memory goes.
 */
void rv_timer_stop(struct rv_timers *timers, struct rv_timer *timer);

/* When to call rv_timers_run next; RV_NEVER when nothing is due. It may be
   earlier than the first deadline (lazy moves), never later. */
uint64_t rv_timers_next(const struct rv_timers *timers);

/* Fires each timer whose deadline is at or before `now`, each once, earliest
   first; one that is set again by a callback to a past time fires in the next
   run. A callback may set and stop any timer: one that is moved to a later time
   or stopped before its turn came does not fire. */
void rv_timers_run(struct rv_timers *timers, uint64_t now);

#endif
