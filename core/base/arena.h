/* SPDX-License-Identifier: MIT */
/* An arena: many small pieces with one lifetime. */
#ifndef RV_BASE_ARENA_H
#define RV_BASE_ARENA_H

#include "base/span.h"

struct rv_arena_block;

struct rv_arena {
  struct rv_arena_block *blocks; /* newest first */
  size_t used;                   /* bytes handed out in all */
};

void rv_arena_init(struct rv_arena *arena); /* holds nothing yet */
void rv_arena_deinit(struct rv_arena *arena);

/* Memory aligned for any type, not cleared; NULL when out of memory. */
void *rv_arena_allocate(struct rv_arena *arena, size_t size);

/* A copy of the bytes, followed by a NUL; `data` is NULL when out of memory. */
struct rv_span rv_arena_copy(struct rv_arena *arena, struct rv_span span);

/* Makes the newest piece longer in place where possible, else copies it:
   `piece` must have come from this arena. NULL when out of memory. */
void *rv_arena_grow(
    struct rv_arena *arena, void *piece, size_t old_size, size_t new_size);

#endif
