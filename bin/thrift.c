/* SPDX-License-Identifier: MIT */
/* Looks from time to time how much the process has worked. The allocator gives
   back the top of its heap only, and what stays may lie anywhere: a server that
   thousands of tunnels have left would keep nearly all it had. */
#include "thrift.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

enum {
  PERIOD = 3,   /* seconds */
  MIN_GAIN = 20 /* times as much work as it costs, between two times */
};

#define IDLE_NS UINT64_C(30000000)   /* of work in a period, at most */
#define WORTH_NS UINT64_C(500000000) /* of work between two times, at least */

struct thrift {
  struct event *event;
  uint64_t worked, done; /* ns of CPU: at the last look, when it was idle */
  uint64_t cost;         /* ns of CPU, the last time */
  void (*on_idle)(void *user_data);
  void *user_data;
};

static uint64_t work_so_far(void) {
  struct timespec time;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void on_period(evutil_socket_t fd, short what, void *user_data) {
  struct thrift *thrift = user_data;
  uint64_t worked = work_so_far();
  uint64_t in_period = worked - thrift->worked;

  (void)fd;
  (void)what;
  thrift->worked = worked;
  if (in_period > IDLE_NS || worked - thrift->done < WORTH_NS ||
      (worked - thrift->done) / MIN_GAIN < thrift->cost)
    return;
  thrift->on_idle(thrift->user_data);
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  thrift->worked = thrift->done = work_so_far();
  thrift->cost = thrift->done - worked;
}

struct thrift *thrift_new(struct event_base *base,
    void (*on_idle)(void *user_data), void *user_data) {
  const struct timeval period = { PERIOD, 0 };
  struct thrift *thrift = calloc(1, sizeof(*thrift));

  if (!thrift)
    return NULL;
  thrift->on_idle = on_idle;
  thrift->user_data = user_data;
  thrift->event = event_new(base, -1, EV_PERSIST, on_period, thrift);
  if (!thrift->event || event_add(thrift->event, &period) < 0) {
    thrift_free(thrift);
    return NULL;
  }
  return thrift;
}

void thrift_free(struct thrift *thrift) {
  if (!thrift)
    return;
  if (thrift->event)
    event_free(thrift->event);
  free(thrift);
}
