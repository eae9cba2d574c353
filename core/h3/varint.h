/* SPDX-License-Identifier: MIT */
/* Variable-length integers (RFC 9000 section 16), split anywhere. */
#ifndef RV_H3_VARINT_H
#define RV_H3_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_VARINT_MAX ((UINT64_C(1) << 62) - 1)

/* All zero at the start and after each integer. */
struct rv_varint_reader {
  uint64_t value;
  uint8_t left; /* bytes to come; 0: at the start of one */
};

/* Consumes bytes from *data on. true: `value` is whole. */
static inline bool rv_varint_read(
    struct rv_varint_reader *reader, const uint8_t **data, const uint8_t *end) {
  while (*data < end) {
    uint8_t byte = *(*data)++;
    if (reader->left == 0) {
      reader->value = byte & 0x3f;
      reader->left = (uint8_t)(1u << (byte >> 6));
    } else {
      reader->value = reader->value << 8 | byte;
    }
    if (--reader->left == 0)
      return true;
  }
  return false;
}

static inline size_t rv_varint_size(uint64_t value) {
  return value < 64 ? 1 : value < 16384 ? 2 : value < (1u << 30) ? 4 : 8;
}

/* Writes the shortest form; `value` is at most RV_VARINT_MAX. Returns its size.
 */
static inline size_t rv_varint_write(uint8_t out[static 8], uint64_t value) {
  size_t size = rv_varint_size(value);
  unsigned prefix = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
  for (size_t i = size; i > 0; i--, value >>= 8)
    out[i - 1] = (uint8_t)value;
  out[0] |= (uint8_t)(prefix << 6);
  return size;
}

#endif
