/* SPDX-License-Identifier: MIT */
/* An arena: a chain of blocks, filled from the start of the newest. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

/* With its head a block is 2 KiB less what malloc adds: a usual message head
   with its table of fields needs one. */
enum { BLOCK_CAPACITY = 2048 - 16 - 32 };

struct rv_arena_block {
  struct rv_arena_block *next;
  size_t capacity, used;
  alignas(max_align_t) char data[];
};

void rv_arena_init(struct rv_arena *arena) {
  *arena = (struct rv_arena){ 0 };
}

void rv_arena_deinit(struct rv_arena *arena) {
  struct rv_arena_block *block = arena->blocks;

  while (block != NULL) {
    struct rv_arena_block *next = block->next;
    free(block);
    block = next;
  }
  rv_arena_init(arena);
}

static size_t room_of(const struct rv_arena_block *block) {
  return block->capacity - block->used;
}

/* A block with at least `capacity` bytes, in no chain. */
static struct rv_arena_block *make_block(size_t capacity) {
  struct rv_arena_block *block;

  if (capacity < BLOCK_CAPACITY)
    capacity = BLOCK_CAPACITY;
  if (capacity > SIZE_MAX - sizeof(*block))
    return NULL;
  block = malloc(sizeof(*block) + capacity);
  if (block == NULL)
    return NULL;
  block->next = NULL;
  block->capacity = capacity;
  block->used = 0;
  return block;
}

/* In front goes the block with more room, so that one large piece does not
   waste the rest of the block before it. */
static void add_block(struct rv_arena *arena, struct rv_arena_block *block) {
  struct rv_arena_block *front = arena->blocks;

  if (front != NULL && room_of(front) > room_of(block)) {
    block->next = front->next;
    front->next = block;
  } else {
    block->next = front;
    arena->blocks = block;
  }
}

static void *take(struct rv_arena *arena, size_t size, size_t alignment) {
  struct rv_arena_block *block = arena->blocks;
  size_t start = 0;

  if (block != NULL)
    start = (block->used + alignment - 1) & ~(alignment - 1);
  if (block == NULL || start > block->capacity ||
      block->capacity - start < size) {
    block = make_block(size);
    if (block == NULL)
      return NULL;
    start = 0;
    block->used = size;
    add_block(arena, block);
  } else {
    block->used = start + size;
  }
  arena->used += size;
  return block->data + start;
}

void *rv_arena_allocate(struct rv_arena *arena, size_t size) {
  return take(arena, size, alignof(max_align_t));
}

struct rv_span rv_arena_copy(struct rv_arena *arena, struct rv_span span) {
  char *copy;

  if (span.length == SIZE_MAX)
    return (struct rv_span){ 0 };
  copy = take(arena, span.length + 1, 1);
  if (copy == NULL)
    return (struct rv_span){ 0 };
  if (span.length > 0)
    memcpy(copy, span.data, span.length);
  copy[span.length] = '\0';
  return (struct rv_span){ copy, span.length };
}

/* A place with room to grow again: growing by small steps stays linear. */
static void *move_piece(struct rv_arena *arena, const void *piece,
    size_t old_size, size_t new_size) {
  struct rv_arena_block *block = arena->blocks;
  void *moved;

  if (new_size > SIZE_MAX / 2)
    return NULL;
  if (block == NULL || room_of(block) < 2 * new_size) {
    block = make_block(2 * new_size);
    if (block == NULL)
      return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
  }
  moved = take(arena, new_size, alignof(max_align_t));
  if (moved != NULL && piece != NULL)
    memcpy(moved, piece, old_size);
  return moved;
}

void *rv_arena_grow(
    struct rv_arena *arena, void *piece, size_t old_size, size_t new_size) {
  struct rv_arena_block *block = arena->blocks;
  bool newest;

  if (new_size <= old_size && piece != NULL)
    return piece;
  newest = piece != NULL && block != NULL &&
           (char *)piece + old_size == block->data + block->used;
  if (newest && room_of(block) >= new_size - old_size) {
    block->used += new_size - old_size;
    arena->used += new_size - old_size;
    return piece;
  }
  return move_piece(arena, piece, old_size, new_size);
}
