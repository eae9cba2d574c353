/* SPDX-License-Identifier: MIT */
/* A buffer: contiguous bytes that grow up to a bound. */
#ifndef RV_BASE_BUFFER_H
#define RV_BASE_BUFFER_H

#include "base/span.h"

struct rv_buffer {
  uint8_t *data;
  size_t length, capacity;
  size_t limit; /* most bytes it may hold; 0: none */
  bool failed;  /* an append did not fit or memory ran out; sticky */
};

void rv_buffer_init(struct rv_buffer *buffer, size_t limit);
void rv_buffer_deinit(struct rv_buffer *buffer);

/* Room for `size` more bytes at data + length; NULL (and `failed`) when over
   the limit or out of memory. */
uint8_t *rv_buffer_reserve(struct rv_buffer *buffer, size_t size);

/* After a failure all appends do nothing, so that `failed` may be looked at
   once, at the end. */
void rv_buffer_append(
    struct rv_buffer *buffer, const void *data, size_t length);
void rv_buffer_append_span(struct rv_buffer *buffer, struct rv_span span);
void rv_buffer_append_byte(struct rv_buffer *buffer, uint8_t byte);

/* Empty again, without `failed`; keeps the memory. */
void rv_buffer_clear(struct rv_buffer *buffer);

#endif
