/* SPDX-License-Identifier: MIT */
/* Groups, as scripts describe them. */
#ifndef REVERST_LUA_GROUP_H
#define REVERST_LUA_GROUP_H

#include <sys/queue.h>

#include <lua.h>
#include <reverst/server.h>

#include "lua/engine/complaint.h"

struct rv_lua;
struct rv_lua_authentication;
struct rv_lua_routing;

/* What a policy is called with, as it was made for the last request. */
struct rv_lua_choice {
  int tunnels;         /* a reference to the sequence, or LUA_NOREF */
  uint64_t generation; /* see reverst_choice */
  int request;         /* a reference to what holds the last request */
};

struct rv_lua_group {
  SLIST_ENTRY(rv_lua_group) link;
  struct rv_lua *lua;
  struct rv_lua_routing *routing; /* of which it is a part */
  char *name;
  /* References to functions, or LUA_NOREF. */
  int authenticate, balance, on_request, on_response, on_tunnel_up,
      on_tunnel_down;
  uint64_t hook_timeout; /* ns of a hook; REVERST_NEVER: no bound */
  bool balances_blindly; /* its policy takes no request */
  struct rv_lua_choice choice;
  struct rv_lua_complaint policy_complaint, hook_complaint, auth_complaint;
  LIST_HEAD(, rv_lua_authentication) registrations; /* undecided */
};

/* NULL: out of memory. */
struct rv_lua_group *rv_lua_group_new(struct rv_lua_routing *routing);

/* For rv_lua_routing_unref. */
void rv_lua_group_free(struct rv_lua_group *group);

/* Reads the table at `index` (absolute): name, hosts, insecure, authenticate,
   forget_credentials, balance, retries, response_timeout, queue_timeout,
   max_fails, fail_duration, hook_timeout and hooks; durations are in
   nanoseconds.  What `options` points to is left on the stack.  Raises on a
   wrong type. */
void rv_lua_group_read(lua_State *L, int index, struct rv_lua_group *group,
    reverst_group_options *options);

#endif
