/* SPDX-License-Identifier: MIT */
/* Chunks: the memory of all bodies. Reference counted, pooled, 16 KiB. */
#ifndef RV_BASE_CHUNK_H
#define RV_BASE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

enum { RV_CHUNK_SIZE = 16384 };

struct rv_chunk_pool;

/* A byte that was read from a socket is copied into a chunk once and from then
   on only referenced. Counts are not atomic: a chunk stays with the engine
   whose pool made it. */
struct rv_chunk {
  struct rv_chunk_pool *pool;
  struct rv_chunk *next_free;
  uint32_t references;
  uint32_t used; /* bytes handed out by rv_chunk_pool_space, _commit */
  uint8_t data[RV_CHUNK_SIZE];
};

/* Keeps some free chunks for reuse; `live` counts the chunks outside of the
   free list, which is what the engine's memory budget looks at. */
struct rv_chunk_pool {
  struct rv_chunk *free;
  /* Where small writes of all users go; may be NULL. */
  struct rv_chunk *current;
  size_t free_count, free_limit;
  size_t live;
};

void rv_chunk_pool_init(struct rv_chunk_pool *pool, size_t free_limit);

/* All chunks must have come back (asserted). */
void rv_chunk_pool_deinit(struct rv_chunk_pool *pool);

/* A fresh chunk with one reference, or NULL (out of memory). */
struct rv_chunk *rv_chunk_new(struct rv_chunk_pool *pool);

static inline struct rv_chunk *rv_chunk_ref(struct rv_chunk *chunk) {
  chunk->references++;
  return chunk;
}

void rv_chunk_unref(struct rv_chunk *chunk); /* NULL is fine */

/* Slices: some bytes of one chunk. A slice owns one reference. */
struct rv_slice {
  struct rv_chunk *chunk; /* NULL: static bytes that nobody owns */
  const uint8_t *data;
  size_t length;
};

/* Room for at least `minimum` bytes (1 to RV_CHUNK_SIZE) in the pool's current
   chunk, which is replaced when it has less left: for reading into. `*size` is
   what is there. NULL when out of memory. Then commit what was written, before
   anything else is done with the pool. */
uint8_t *rv_chunk_pool_space(
    struct rv_chunk_pool *pool, size_t minimum, size_t *size);

/* The slice of the first `length` bytes of the space got last. */
struct rv_slice rv_chunk_pool_commit(struct rv_chunk_pool *pool, size_t length);

static inline void rv_slice_release(struct rv_slice *slice) {
  rv_chunk_unref(slice->chunk);
  *slice = (struct rv_slice){ 0 };
}

/* Another slice of bytes [offset, offset + length) with a reference of its own.
 */
struct rv_slice rv_slice_sub(
    const struct rv_slice *slice, size_t offset, size_t length);

#endif
