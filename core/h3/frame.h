/* SPDX-License-Identifier: MIT */
/* Frames (RFC 9114 section 7.1): reading them, split anywhere, and writing
   their heads. */
#ifndef RV_H3_FRAME_H
#define RV_H3_FRAME_H

#include "h3/constants.h"
#include "h3/varint.h"

/* All zero: before a frame. A declared length is only counted down, never
   believed for allocation. */
struct rv_h3_frame_reader {
  struct rv_varint_reader varint;
  bool has_type;
  bool in_payload;
  uint64_t type;
  uint64_t left; /* bytes of the payload to come */
};

/* Not within a payload: consumes bytes of a frame's head. true: it is whole,
   `type` and `left` are set and the payload follows, which may be empty. */
bool rv_h3_frame_read_head(struct rv_h3_frame_reader *reader,
    const uint8_t **data, const uint8_t *end);

/* Within a payload: how many of the `available` bytes belong to it. After the
   last one (`left` is 0) the reader is before the next frame; to be called
   once, with anything, for an empty payload too. */
size_t rv_h3_frame_take(struct rv_h3_frame_reader *reader, size_t available);

/* Between two frames, where a stream may end. */
static inline bool rv_h3_frame_is_between(
    const struct rv_h3_frame_reader *reader) {
  return !reader->in_payload && !reader->has_type && reader->varint.left == 0;
}

/* Types that were HTTP/2 frames and are errors everywhere (RFC 9114 section
   7.2.8). */
bool rv_h3_frame_is_reserved(uint64_t type);

enum { RV_H3_FRAME_HEAD_MAX = 16 };

/* Writes type and length; returns how many bytes. */
size_t rv_h3_frame_write_head(
    uint8_t out[static RV_H3_FRAME_HEAD_MAX], uint64_t type, uint64_t length);

#endif
