/* SPDX-License-Identifier: MIT */
/* What may pass where, and what is valid. */
#include "http/filter.h"

const struct rv_limits rv_limits_default = {
  .head_bytes = 64 * 1024,
  .target_bytes = 16 * 1024,
  .field_count = 100,
  .name_bytes = 256,
  .value_bytes = 16 * 1024,
  .informational_count = 16,
};

bool rv_is_idempotent(struct rv_span method) {
  static const struct rv_span methods[] = { { "GET", 3 }, { "HEAD", 4 },
    { "OPTIONS", 7 }, { "PUT", 3 }, { "DELETE", 6 } };

  for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
    if (rv_span_equal(method, methods[i]))
      return true;
  }
  return false;
}

bool rv_is_bodyless(struct rv_span method, int status) {
  return rv_span_equal(method, RV_SPAN("HEAD")) ||
         (status >= 100 && status < 200) || status == 204 || status == 304;
}
