/* SPDX-License-Identifier: MIT */
/* Back-off. */
#include "client/backoff.h"

#define LONGEST (60 * RV_SECOND)
#define HEALTHY (60 * RV_SECOND)
#define STABLE (5 * RV_SECOND)

void rv_backoff_connected(struct rv_backoff *backoff, uint64_t now) {
  backoff->connected_since = now;
  backoff->served = false;
}

void rv_backoff_served(struct rv_backoff *backoff) {
  backoff->served = true;
}

uint64_t rv_backoff_next(struct rv_backoff *backoff, struct rv_engine *engine) {
  uint64_t lasted = 0, ceiling;
  bool served = backoff->served;

  if (backoff->connected_since != 0)
    lasted = engine->now - backoff->connected_since;
  backoff->connected_since = 0;
  backoff->served = false;
  if (lasted >= HEALTHY)
    backoff->failures = 0;
  if (lasted >= STABLE || served)
    return 0;
  ceiling = RV_SECOND << (backoff->failures < 6 ? backoff->failures : 6);
  if (ceiling > LONGEST)
    ceiling = LONGEST;
  backoff->failures++;
  return rv_random_uint(engine) % ceiling;
}
