/* SPDX-License-Identifier: MIT */
/* The rule that holds uploads back. */
#include "h3/fairness.h"

void rv_fairness_open(struct rv_fairness *stream, uint64_t left) {
  if (left > stream->window)
    stream->window = left;
  stream->sent = 0;
}

static uint64_t rest(uint64_t limit, uint64_t used) {
  return used < limit ? limit - used : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* 3/8 of its window is more than the quarter after whose reading a peer opens
   it again; and half of the connection's is left for those that send little. */
uint64_t rv_fairness_allowance(
    const struct rv_fairness *stream, uint64_t connection, uint64_t left) {
  if (connection >= RV_FAIRNESS_ENOUGH)
    return UINT64_MAX;
  uint64_t share = rest(stream->window / 8 * 3, stream->sent);
  uint64_t small = rest(RV_FAIRNESS_SMALL, stream->sent);
  uint64_t free_part = rest(left, connection / 2);
  return smaller(share, larger(small, free_part));
}
