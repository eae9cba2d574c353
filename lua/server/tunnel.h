/* SPDX-License-Identifier: MIT */
/* Tunnels, as scripts see them: one userdata for each, as long as it lives and
   the same routing is in use; then it keeps what was last known. */
#ifndef REVERST_LUA_TUNNEL_H
#define REVERST_LUA_TUNNEL_H

#include <sys/queue.h>

#include <lua.h>
#include <reverst/group.h>

struct rv_lua_routing;

/* In a userdata that `reference` keeps until the tunnel goes. */
struct rv_lua_tunnel {
  LIST_ENTRY(rv_lua_tunnel) link; /* of routing->tunnels */
  struct rv_lua_routing *routing; /* NULL: it has gone */
  reverst_tunnel *tunnel;         /* likewise */
  int reference;
  unsigned facts_version; /* routing's, when labels and metadata were read */
  size_t position;        /* where it was in a choice: only a guess */
};

/* Pushes it: .id .name .peer .weight .labels .metadata .active .requests
   .latency .registered_at.  Raises when memory runs out. */
struct rv_lua_tunnel *rv_lua_tunnel_push(
    lua_State *L, struct rv_lua_routing *routing, reverst_tunnel *tunnel);

/* The tunnel of the userdata at `index`: NULL: it is none; an empty one has
   gone. */
struct rv_lua_tunnel *rv_lua_tunnel_test(lua_State *L, int index);

/* The tunnel goes, or the routing does: takes down what is known, and lets go.
   Not in Lua; harmless where there is no userdata. */
void rv_lua_tunnel_detach(
    struct rv_lua_routing *routing, reverst_tunnel *tunnel);

#endif
