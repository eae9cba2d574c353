/* SPDX-License-Identifier: MIT */
/* Authentication: each registration is a task that calls the group's
   `authenticate`. */
#ifndef REVERST_LUA_REGISTRATION_H
#define REVERST_LUA_REGISTRATION_H

#include <sys/queue.h>

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

/* The library's callback; `user_data` is the struct rv_lua_group.  The function
   gets a table: group, peer, server_name, metadata, scheme, credentials.  Only
   `true` accepts; false and a reason, an error or a limit rejects. */
void rv_lua_authenticate(reverst_registration *registration, void *user_data);

/* Rejects those that are undecided, and all that come. */
void rv_lua_group_stop(struct rv_lua_group *group);

#endif
