/* SPDX-License-Identifier: MIT */
/* The allocator of a Lua state: counts, and refuses beyond a limit. */
#ifndef REVERST_LUA_MEMORY_H
#define REVERST_LUA_MEMORY_H

#include <stddef.h>

struct rv_lua_memory {
  size_t used, limit; /* bytes */
  size_t collected;   /* no more than were left by the last full collection */
};

/* A lua_Alloc; `user_data` is a struct rv_lua_memory.  When it refuses, Lua
   collects all garbage and asks once more before it raises "not enough
   memory".  Shrinking never fails. */
void *rv_lua_allocate(
    void *user_data, void *block, size_t old_size, size_t new_size);

#endif
