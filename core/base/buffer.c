/* SPDX-License-Identifier: MIT */
/* A buffer: contiguous bytes that grow by doubling. */
#include "base/buffer.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

void rv_buffer_init(struct rv_buffer *buffer, size_t limit) {
  *buffer = (struct rv_buffer){ .limit = limit };
}

void rv_buffer_deinit(struct rv_buffer *buffer) {
  free(buffer->data);
  rv_buffer_init(buffer, buffer->limit);
}

static bool grow(struct rv_buffer *buffer, size_t needed) {
  size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
  uint8_t *data;

  while (capacity < needed)
    capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
  if (buffer->limit != 0 && capacity > buffer->limit)
    capacity = buffer->limit;
  data = realloc(buffer->data, capacity);
  if (data == NULL)
    return false;
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

uint8_t *rv_buffer_reserve(struct rv_buffer *buffer, size_t size) {
  size_t most = buffer->limit ? buffer->limit : SIZE_MAX;

  if (buffer->failed)
    return NULL;
  if (size > most - buffer->length) {
    buffer->failed = true;
    return NULL;
  }
  if (buffer->data == NULL || size > buffer->capacity - buffer->length)
    buffer->failed = !grow(buffer, buffer->length + size);
  return buffer->failed ? NULL : buffer->data + buffer->length;
}

void rv_buffer_append(
    struct rv_buffer *buffer, const void *data, size_t length) {
  uint8_t *space;

  if (length == 0)
    return;
  space = rv_buffer_reserve(buffer, length);
  if (space == NULL)
    return;
  memcpy(space, data, length);
  buffer->length += length;
}

void rv_buffer_append_span(struct rv_buffer *buffer, struct rv_span span) {
  rv_buffer_append(buffer, span.data, span.length);
}

void rv_buffer_append_byte(struct rv_buffer *buffer, uint8_t byte) {
  rv_buffer_append(buffer, &byte, 1);
}

void rv_buffer_clear(struct rv_buffer *buffer) {
  buffer->length = 0;
  buffer->failed = false;
}
