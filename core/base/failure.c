/* SPDX-License-Identifier: MIT */
/* The table of failures. */
#include "base/failure.h"

#include <assert.h>

static const struct rv_failure_row rows[RV_FAILURE_COUNT] = {
#define FAILURE_ROW(name, word, retry, status, action, code, text)             \
  [RV_FAILURE_##                                                               \
      name] = { word, RV_RETRY_##retry, status, RV_H1_##action, code, text },
  RV_FAILURES(FAILURE_ROW)
#undef FAILURE_ROW
};

const struct rv_failure_row *rv_failure_row(enum rv_failure failure) {
  assert(failure >= 0 && failure < RV_FAILURE_COUNT);
  return &rows[failure];
}
