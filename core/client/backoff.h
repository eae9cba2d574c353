/* SPDX-License-Identifier: MIT */
/* Exponential back-off with full jitter. */
#ifndef RV_CLIENT_BACKOFF_H
#define RV_CLIENT_BACKOFF_H

#include "base/engine.h"

struct rv_backoff {
  unsigned failures;        /* in a row */
  uint64_t connected_since; /* engine time; 0: not connected */
  bool served;              /* a request since then */
};

void rv_backoff_connected(struct rv_backoff *backoff, uint64_t now);

/* A request came. */
void rv_backoff_served(struct rv_backoff *backoff);

/* How long to wait after a loss: 0 to 1 s, 2 s, 4 s, … 60 s, uniformly; begins
   anew after a connection that lasted a minute. One that lasted some seconds,
   or had a request, is dialled again at once: a Go server closes a whole tunnel
   for one failed request. Nanoseconds. */
uint64_t rv_backoff_next(struct rv_backoff *backoff, struct rv_engine *engine);

/* After a refusal, which waiting does not cure by itself: 30 s. */
#define RV_BACKOFF_REFUSED (30 * RV_SECOND)

#endif
