/* SPDX-License-Identifier: MIT */
/* Looking at bytes without owning them. */
#include "base/span.h"

static unsigned char lower(char c) {
  unsigned char byte = (unsigned char)c;
  return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + 32) : byte;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool rv_span_equal_nocase(struct rv_span a, struct rv_span b) {
  if (a.length != b.length)
    return false;
  for (size_t i = 0; i < a.length; i++) {
    if (lower(a.data[i]) != lower(b.data[i]))
      return false;
  }
  return true;
}

bool rv_span_cut_prefix(struct rv_span *text, struct rv_span prefix) {
  struct rv_span head = { text->data, prefix.length };
  if (text->length < prefix.length || !rv_span_equal_nocase(head, prefix))
    return false;
  text->data += prefix.length;
  text->length -= prefix.length;
  return true;
}

struct rv_span rv_span_trim(struct rv_span span) {
  while (span.length > 0 && is_blank(span.data[0])) {
    span.data++;
    span.length--;
  }
  while (span.length > 0 && is_blank(span.data[span.length - 1]))
    span.length--;
  return span;
}

bool rv_span_next_element(struct rv_span *rest, struct rv_span *element) {
  while (rest->length > 0) {
    const char *comma = memchr(rest->data, ',', rest->length);
    size_t length = comma ? (size_t)(comma - rest->data) : rest->length;
    size_t skipped = comma ? length + 1 : length;

    *element = rv_span_trim((struct rv_span){ rest->data, length });
    rest->data += skipped;
    rest->length -= skipped;
    if (element->length > 0)
      return true;
  }
  return false;
}

bool rv_span_to_uint(struct rv_span span, uint64_t *value) {
  uint64_t sum = 0;

  if (span.length == 0)
    return false;
  for (size_t i = 0; i < span.length; i++) {
    unsigned digit = (unsigned)(unsigned char)span.data[i] - '0';
    if (digit > 9 || sum > ((uint64_t)INT64_MAX - digit) / 10)
      return false;
    sum = sum * 10 + digit;
  }
  *value = sum;
  return true;
}
