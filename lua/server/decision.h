/* SPDX-License-Identifier: MIT */
/* What `authenticate` returned, kept until it is carried out. */
#ifndef REVERST_LUA_DECISION_H
#define REVERST_LUA_DECISION_H

#include <lua.h>
#include <reverst/server.h>

struct rv_lua_decision {
  enum {
    RV_LUA_UNKNOWN, /* nobody can tell */
    RV_LUA_REJECTED,
    RV_LUA_ACCEPTED
  } verdict;
  char reason[256]; /* unless accepted */
  /* Of an acceptance; its texts are in the two below. */
  reverst_tunnel_options options;
  char name[64];
  reverst_field *labels; /* with their texts, one block; or NULL */
};

/* Reads two results at -2 and -1: true; a table with name, weight and labels;
   false and a reason; nil and a reason.  Raises on anything else: then the
   decision must be deinitialised, too.  `decision` is all zero before. */
void rv_lua_decision_read(lua_State *L, struct rv_lua_decision *decision);

void rv_lua_decision_apply(
    const struct rv_lua_decision *decision, reverst_registration *registration);

void rv_lua_decision_deinit(struct rv_lua_decision *decision);

/* Opens the module reverst.decision, for specs of scripts.  read(results...):
   "accepted", "rejected" or "unknown", and the reason; raises like the above.
 */
int rv_lua_open_decision(lua_State *L);

#endif
