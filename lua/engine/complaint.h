/* SPDX-License-Identifier: MIT */
/* What goes wrong in scripts, perhaps with each request: logged once a second.
 */
#ifndef REVERST_LUA_COMPLAINT_H
#define REVERST_LUA_COMPLAINT_H

#include <stdint.h>

struct rv_lua;

/* Zero at first. */
struct rv_lua_complaint {
  uint64_t silent_until; /* ns of CLOCK_MONOTONIC */
  uint64_t left_out;     /* since the last entry */
};

/* An entry with the group (NULL: none), what was called, the error, and how
   many like it were left out before. */
void rv_lua_complain(struct rv_lua *lua, struct rv_lua_complaint *complaint,
    const char *event, const char *group, const char *function,
    const char *error);

#endif
