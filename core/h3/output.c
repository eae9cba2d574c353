/* SPDX-License-Identifier: MIT */
/* The bytes a request stream has to send. */
#include "h3/output.h"
#include <assert.h>

void rv_h3_output_init(struct rv_h3_output *output) {
  *output = (struct rv_h3_output){ 0 };
  rv_slices_init(&output->slices);
}

void rv_h3_output_deinit(struct rv_h3_output *output) {
  rv_slices_deinit(&output->slices);
  rv_h3_output_init(output);
}

int rv_h3_output_push(struct rv_h3_output *output, struct rv_slice slice) {
  return rv_slices_push(&output->slices, slice);
}

int rv_h3_output_copy(struct rv_h3_output *output, struct rv_chunk_pool *pool,
    const void *data, size_t length) {
  return rv_slices_copy(&output->slices, pool, data, length);
}

static const struct rv_slice *slice_at(
    const struct rv_h3_output *output, size_t i) {
  const struct rv_slices *slices = &output->slices;
  return &slices->items[(slices->first + i) % slices->capacity];
}

size_t rv_h3_output_peek(const struct rv_h3_output *output,
    struct iovec *vectors, size_t max, size_t *covered) {
  size_t count = 0, offset = output->offset;
  *covered = 0;
  for (size_t i = output->item; i < output->slices.count && count < max; i++) {
    const struct rv_slice *slice = slice_at(output, i);
    if (offset < slice->length) {
      vectors[count++] = (struct iovec){
        .iov_base = (void *)(uintptr_t)(slice->data + offset),
        .iov_len = slice->length - offset,
      };
      *covered += slice->length - offset;
    }
    offset = 0;
  }
  return count;
}

void rv_h3_output_written(struct rv_h3_output *output, size_t length) {
  assert(length <= rv_h3_output_unsent(output));
  output->sent += length;
  while (length > 0) {
    size_t left = slice_at(output, output->item)->length - output->offset;
    if (left == 0) {
      output->item++;
      output->offset = 0;
      continue;
    }
    size_t n = length < left ? length : left;
    output->offset += n;
    length -= n;
  }
}

void rv_h3_output_acknowledged(struct rv_h3_output *output, uint64_t length) {
  size_t n = length < output->sent ? (size_t)length : output->sent;
  size_t rest = n, whole = 0;
  while (rest > 0 && rest >= slice_at(output, whole)->length)
    rest -= slice_at(output, whole++)->length;
  if (whole > output->item) {
    output->item = output->offset = 0;
  } else {
    output->item -= whole;
    if (output->item == 0)
      output->offset -= rest;
  }
  output->sent -= n;
  rv_slices_consume(&output->slices, n);
}
