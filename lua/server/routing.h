/* SPDX-License-Identifier: MIT */
/* What a server asks scripts: its groups and its route function.  A reload puts
   another in its place. */
#ifndef REVERST_LUA_ROUTING_H
#define REVERST_LUA_ROUTING_H

#include <sys/queue.h>

#include <lua.h>
#include <reverst/server.h>

#include "lua/engine/complaint.h"

struct rv_lua;
struct rv_lua_group;
struct rv_lua_tunnel;

struct rv_lua_routing {
  struct rv_lua *lua;
  unsigned references; /* the server's, and one of each task */
  bool stopping;       /* no more tunnels are taken */
  SLIST_HEAD(, rv_lua_group) groups;
  LIST_HEAD(, rv_lua_tunnel) tunnels; /* that scripts have seen */
  unsigned notifications;             /* of tunnels: under way */
  unsigned facts_version; /* changes when what a tunnel says may have */
  int route;              /* a reference to a function, or LUA_NOREF */
  uint64_t hook_timeout;  /* ns; of route */
  struct rv_lua_complaint complaint; /* about route */
};

/* Lua: method(server, { groups = { … }, route = function }) for the library's
   server: true; or nil, why, and the error's name.  See rv_lua_group_read.
   `*current` (NULL: none) is replaced, and lives on until its tasks end. */
int rv_lua_routing_set(
    lua_State *L, reverst_server *server, struct rv_lua_routing **current);

/* Rejects registrations that are undecided, and all that come. */
void rv_lua_routing_stop(struct rv_lua_routing *routing);

/* The server makes no more calls with it: its tunnels have gone.  NULL is
   fine. */
void rv_lua_routing_release(struct rv_lua_routing *routing);

/* A task needs it, or no more. */
void rv_lua_routing_ref(struct rv_lua_routing *routing);
void rv_lua_routing_unref(struct rv_lua_routing *routing);

#endif
