/* SPDX-License-Identifier: MIT */
/* Towards a peer with a small connection window: how much of it one upload may
   take, so that uploads that nobody reads do not stop all others. */
#ifndef RV_H3_FAIRNESS_H
#define RV_H3_FAIRNESS_H

#include <stddef.h>
#include <stdint.h>

enum {
  RV_FAIRNESS_ENOUGH = 4 * 1024 * 1024, /* windows from here on need none */
  RV_FAIRNESS_SMALL = 16 * 1024 /* what a stream may send when it is tight */
};

/* Of one stream. */
struct rv_fairness {
  uint64_t window; /* the largest the peer has opened it */
  uint64_t sent;   /* body bytes queued since it was opened further last */
};

/* The stream is new, or the peer has opened its window further: `left` bytes
   may be sent now. */
void rv_fairness_open(struct rv_fairness *stream, uint64_t left);

/* How many more body bytes the stream may queue before it is held back, until
   its window or the connection's grows. `connection` is the connection's
   window as it was when largest, `left` what is left of it. UINT64_MAX: not
   limited. */
uint64_t rv_fairness_allowance(
    const struct rv_fairness *stream, uint64_t connection, uint64_t left);

#endif
