/* SPDX-License-Identifier: MIT */
/* What goes wrong in scripts, perhaps with each request: each thing is logged
   once a second, and four things at most. */
#ifndef REVERST_LUA_COMPLAINT_H
#define REVERST_LUA_COMPLAINT_H

#include <stdint.h>

struct rv_lua;

enum { RV_LUA_COMPLAINTS = 4 };

/* Zero at first. */
struct rv_lua_complaint {
  uint64_t silent_until;            /* ns of CLOCK_MONOTONIC */
  uint64_t left_out;                /* since the last entry */
  uint64_t told[RV_LUA_COMPLAINTS]; /* digests of what was, until then */
  unsigned told_count;
};

struct rv_lua_problem {
  const char *event;
  const char *group;    /* NULL: none */
  const char *function; /* what was called */
  const char *request;  /* the id that its visitor is told; NULL: none */
  const char *error;
};

/* An entry with the problem, and how many like it were left out before. */
void rv_lua_complain(struct rv_lua *lua, struct rv_lua_complaint *complaint,
    const struct rv_lua_problem *problem);

#endif
