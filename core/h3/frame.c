/* SPDX-License-Identifier: MIT */
/* Frames: reading and writing. */
#include "h3/frame.h"

bool rv_h3_frame_read_head(struct rv_h3_frame_reader *reader,
    const uint8_t **data, const uint8_t *end) {
  if (!reader->has_type) {
    if (!rv_varint_read(&reader->varint, data, end))
      return false;
    reader->has_type = true;
    reader->type = reader->varint.value;
  }
  if (!rv_varint_read(&reader->varint, data, end))
    return false;
  reader->left = reader->varint.value;
  reader->in_payload = true;
  return true;
}

size_t rv_h3_frame_take(struct rv_h3_frame_reader *reader, size_t available) {
  size_t n = available < reader->left ? available : (size_t)reader->left;
  reader->left -= n;
  if (reader->left == 0)
    reader->in_payload = reader->has_type = false;
  return n;
}

bool rv_h3_frame_is_reserved(uint64_t type) {
  return type == 0x02 || type == 0x06 || type == 0x08 || type == 0x09;
}

size_t rv_h3_frame_write_head(
    uint8_t out[static RV_H3_FRAME_HEAD_MAX], uint64_t type, uint64_t length) {
  size_t n = rv_varint_write(out, type);
  return n + rv_varint_write(out + n, length);
}
