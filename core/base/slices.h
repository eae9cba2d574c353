/* SPDX-License-Identifier: MIT */
/* A queue of slices: bytes in order, appended and consumed by reference. */
#ifndef RV_BASE_SLICES_H
#define RV_BASE_SLICES_H

#include "base/chunk.h"
#include <stdbool.h>
#include <sys/uio.h>

/* A growing ring; an empty queue that was never used holds no memory. */
struct rv_slices {
  struct rv_slice *items;
  size_t first, count, capacity;
  size_t length; /* bytes in all */
};

void rv_slices_init(struct rv_slices *slices);
void rv_slices_deinit(struct rv_slices *slices); /* releases all */

/* Appends; owns `slice` from then on, also when it fails. A slice that
   continues the last one in memory is merged with it, and where small ones pile
   up they are copied together, so that a queue of few bytes holds few chunks.
   Bytes that are in the queue never move. Empty slices are released.
   REVERST_ERR_NO_MEMORY. */
int rv_slices_push(struct rv_slices *slices, struct rv_slice slice);

/* Copies bytes into the pool's current chunk(s) and appends them; all or (on
   REVERST_ERR_NO_MEMORY) possibly a part. */
int rv_slices_copy(struct rv_slices *slices, struct rv_chunk_pool *pool,
    const void *data, size_t length);

/* Moves all slices of `from` behind those of `to`. REVERST_ERR_NO_MEMORY:
   nothing was moved. */
int rv_slices_append(struct rv_slices *to, struct rv_slices *from);

/* Takes at most `max` bytes of the first slice off the queue into `*out` (owned
   by the caller); false when the queue is empty or `max` is 0. */
bool rv_slices_take(struct rv_slices *slices, size_t max, struct rv_slice *out);

/* Releases the first `length` bytes (at most all). */
void rv_slices_consume(struct rv_slices *slices, size_t length);
void rv_slices_clear(struct rv_slices *slices);

/* Fills at most `max` vectors from byte `offset` on, in order; returns how
   many. Valid until those bytes are consumed. */
size_t rv_slices_peek(const struct rv_slices *slices, size_t offset,
    struct iovec *vectors, size_t max);

#endif
