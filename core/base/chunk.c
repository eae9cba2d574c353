/* SPDX-License-Identifier: MIT */
/* The chunk pool. Under AddressSanitizer the bytes of free chunks are poisoned,
   so that a use after the last release is found. */
#include "base/chunk.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

#ifdef HAS_SANITIZER
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#endif

void rv_chunk_pool_init(struct rv_chunk_pool *pool, size_t free_limit) {
  *pool = (struct rv_chunk_pool){ .free_limit = free_limit };
}

static void free_chunk(struct rv_chunk *chunk) {
  ASAN_UNPOISON_MEMORY_REGION(chunk->data, RV_CHUNK_SIZE);
  free(chunk);
}

void rv_chunk_pool_deinit(struct rv_chunk_pool *pool) {
  struct rv_chunk *chunk;

  rv_chunk_unref(pool->current);
  pool->current = NULL;
  assert(pool->live == 0);
  while ((chunk = pool->free) != NULL) {
    pool->free = chunk->next_free;
    free_chunk(chunk);
  }
  pool->free_count = 0;
}

struct rv_chunk *rv_chunk_new(struct rv_chunk_pool *pool) {
  struct rv_chunk *chunk = pool->free;

  if (chunk != NULL) {
    pool->free = chunk->next_free;
    pool->free_count--;
    ASAN_UNPOISON_MEMORY_REGION(chunk->data, RV_CHUNK_SIZE);
  } else {
    chunk = malloc(sizeof(*chunk));
    if (chunk == NULL)
      return NULL;
  }
  chunk->pool = pool;
  chunk->next_free = NULL;
  chunk->references = 1;
  chunk->used = 0;
  pool->live++;
  return chunk;
}

void rv_chunk_unref(struct rv_chunk *chunk) {
  struct rv_chunk_pool *pool;

  if (chunk == NULL)
    return;
  assert(chunk->references > 0);
  if (--chunk->references > 0)
    return;
  pool = chunk->pool;
  pool->live--;
  if (pool->free_count >= pool->free_limit) {
    free(chunk);
    return;
  }
  ASAN_POISON_MEMORY_REGION(chunk->data, RV_CHUNK_SIZE);
  chunk->next_free = pool->free;
  pool->free = chunk;
  pool->free_count++;
}

/* What is left of the current chunk; a chunk that nobody else refers to any
   more begins anew. */
static size_t current_room(struct rv_chunk_pool *pool) {
  struct rv_chunk *chunk = pool->current;

  if (chunk == NULL)
    return 0;
  if (chunk->references == 1)
    chunk->used = 0;
  return RV_CHUNK_SIZE - chunk->used;
}

uint8_t *rv_chunk_pool_space(
    struct rv_chunk_pool *pool, size_t minimum, size_t *size) {
  size_t room = current_room(pool);

  assert(minimum > 0 && minimum <= RV_CHUNK_SIZE);
  if (room < minimum) {
    rv_chunk_unref(pool->current);
    pool->current = rv_chunk_new(pool);
    if (pool->current == NULL)
      return NULL;
    room = RV_CHUNK_SIZE;
  }
  *size = room;
  return pool->current->data + pool->current->used;
}

struct rv_slice rv_chunk_pool_commit(
    struct rv_chunk_pool *pool, size_t length) {
  struct rv_chunk *chunk = pool->current;
  struct rv_slice slice;

  assert(chunk != NULL && length <= RV_CHUNK_SIZE - chunk->used);
  slice = (struct rv_slice){ rv_chunk_ref(chunk), chunk->data + chunk->used,
    length };
  chunk->used += (uint32_t)length;
  return slice;
}

struct rv_slice rv_slice_sub(
    const struct rv_slice *slice, size_t offset, size_t length) {
  assert(offset <= slice->length && length <= slice->length - offset);
  if (slice->chunk != NULL)
    rv_chunk_ref(slice->chunk);
  return (struct rv_slice){ slice->chunk, slice->data + offset, length };
}
