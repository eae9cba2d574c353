/* SPDX-License-Identifier: MIT */
/* What a request stream has to send: bytes that the transport has, until they
   are acknowledged, followed by bytes that it has not asked for yet. */
#ifndef RV_H3_OUTPUT_H
#define RV_H3_OUTPUT_H

#include "base/slices.h"

/* Belongs to the stream, not to an exchange: the transport retransmits from
   these very bytes as long as the QUIC stream exists. */
struct rv_h3_output {
  struct rv_slices slices;
  size_t sent;   /* bytes at the front that the transport has */
  size_t item;   /* the first other byte: in which slice, and where in it; */
  size_t offset; /* the slice's length: at the next one's start */
};

void rv_h3_output_init(struct rv_h3_output *output);
void rv_h3_output_deinit(struct rv_h3_output *output);

static inline size_t rv_h3_output_unsent(const struct rv_h3_output *output) {
  return output->slices.length - output->sent;
}

/* Appends a slice (owned in any case), or a copy. REVERST_ERR_NO_MEMORY: the
   stream can only be reset then. */
int rv_h3_output_push(struct rv_h3_output *output, struct rv_slice slice);
int rv_h3_output_copy(struct rv_h3_output *output, struct rv_chunk_pool *pool,
    const void *data, size_t length);

/* Vectors of the first unsent bytes; `*covered` is how many bytes. */
size_t rv_h3_output_peek(const struct rv_h3_output *output,
    struct iovec *vectors, size_t max, size_t *covered);

/* The transport has `length` more bytes; it needs the oldest `length` no more.
 */
void rv_h3_output_written(struct rv_h3_output *output, size_t length);
void rv_h3_output_acknowledged(struct rv_h3_output *output, uint64_t length);

#endif
