/* SPDX-License-Identifier: MIT */
/* UTF-8 checks (RFC 3629). */
#include "base/utf8.h"

/* The number of bytes of the sequence that `lead` begins; 0: none does. */
static size_t sequence_length(uint8_t lead) {
  if (lead < 0x80)
    return 1;
  if (lead >= 0xc2 && lead <= 0xdf)
    return 2;
  if (lead >= 0xe0 && lead <= 0xef)
    return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* The code point at `bytes`; UINT32_MAX when it is malformed. */
static uint32_t decode(const uint8_t *bytes, size_t length) {
  static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  uint32_t point = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);

  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xc0) != 0x80)
      return UINT32_MAX;
    point = point << 6 | (bytes[i] & 0x3f);
  }
  if (point < least[length] || point > 0x10ffff)
    return UINT32_MAX;
  return point >= 0xd800 && point <= 0xdfff ? UINT32_MAX : point;
}

bool rv_utf8_is_text(struct rv_span span) {
  const uint8_t *bytes = (const uint8_t *)span.data;

  for (size_t i = 0; i < span.length;) {
    size_t length = sequence_length(bytes[i]);
    uint32_t point;

    if (length == 0 || length > span.length - i)
      return false;
    point = decode(bytes + i, length);
    if (point == UINT32_MAX || point < 0x20 || (point >= 0x7f && point < 0xa0))
      return false;
    i += length;
  }
  return true;
}
