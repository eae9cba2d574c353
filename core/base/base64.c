/* SPDX-License-Identifier: MIT */
/* Base64. */
#include "base/base64.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One to three bytes make four digits. */
static void encode_group(
    const uint8_t *bytes, size_t length, struct rv_buffer *out) {
  uint32_t bits = (uint32_t)bytes[0] << 16;

  if (length > 1)
    bits |= (uint32_t)bytes[1] << 8;
  if (length > 2)
    bits |= bytes[2];
  for (size_t i = 0; i < 4; i++)
    rv_buffer_append_byte(
        out, i <= length ? (uint8_t)digits[bits >> (18 - 6 * i) & 63] : '=');
}

void rv_base64_encode(struct rv_span bytes, struct rv_buffer *out) {
  const uint8_t *data = (const uint8_t *)bytes.data;

  for (size_t i = 0; i < bytes.length; i += 3)
    encode_group(data + i, bytes.length - i < 3 ? bytes.length - i : 3, out);
}
