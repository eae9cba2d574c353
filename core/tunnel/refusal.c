/* SPDX-License-Identifier: MIT */
/* The table of refusals. */
#include "tunnel/refusal.h"

static const struct {
  uint64_t code;
  const char *reason;
} refusals[RV_REFUSAL_COUNT] = {
#define RV_REFUSAL_ROW(name, code, reason)                                     \
  [RV_REFUSAL_##name] = { code, reason },
  RV_REFUSALS(RV_REFUSAL_ROW)
#undef RV_REFUSAL_ROW
};

uint64_t rv_refusal_code(enum rv_refusal refusal) {
  return refusals[refusal].code;
}

struct rv_span rv_refusal_reason(enum rv_refusal refusal) {
  return rv_span_of(refusals[refusal].reason);
}
