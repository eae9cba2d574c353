/* SPDX-License-Identifier: MIT */
/* Groups, as scripts describe them. */
#ifndef REVERST_LUA_GROUP_H
#define REVERST_LUA_GROUP_H

#include <sys/queue.h>

#include <lua.h>
#include <reverst/server.h>

struct rv_lua;
struct rv_lua_authentication;

struct rv_lua_group {
  SLIST_ENTRY(rv_lua_group) link;
  struct rv_lua *lua;
  bool stopping;    /* the server takes no more tunnels */
  int authenticate; /* a reference to a function, or LUA_NOREF */
  LIST_HEAD(, rv_lua_authentication) registrations; /* undecided */
};

/* NULL: out of memory. */
struct rv_lua_group *rv_lua_group_new(struct rv_lua *lua);

/* The library makes no more calls with it. */
void rv_lua_group_free(struct rv_lua_group *group);

/* Reads the table at `index` (absolute): name, hosts, insecure, authenticate,
   retries, response_timeout, queue_timeout; durations are in nanoseconds.  What
   `options` points to is left on the stack.  Raises on a wrong type. */
void rv_lua_group_read(lua_State *L, int index, struct rv_lua_group *group,
    reverst_group_options *options);

#endif
