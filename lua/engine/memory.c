/* SPDX-License-Identifier: MIT */
/* A counting realloc with a limit. */
#include "lua/engine/memory.h"

#include <stdlib.h>

void *rv_lua_allocate(
    void *user_data, void *block, size_t old_size, size_t new_size) {
  struct rv_lua_memory *memory = user_data;
  void *moved;

  /* for a new block Lua puts the kind of object there */
  if (!block)
    old_size = 0;
  if (new_size == 0) {
    free(block);
    memory->used -= old_size;
    return NULL;
  }
  if (new_size > old_size &&
      (memory->used > memory->limit ||
          new_size - old_size > memory->limit - memory->used))
    return NULL;
  moved = realloc(block, new_size);
  if (!moved)
    return new_size <= old_size ? block : NULL;
  memory->used = memory->used - old_size + new_size;
  return moved;
}
