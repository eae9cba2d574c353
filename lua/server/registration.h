/* SPDX-License-Identifier: MIT */
/* Authentication: each registration is a task that calls the group's
   `authenticate`. */
#ifndef REVERST_LUA_REGISTRATION_H
#define REVERST_LUA_REGISTRATION_H

#include <reverst/server.h>

struct rv_lua_group;

/* The library's callback; `user_data` is the struct rv_lua_group.  The function
   gets a table: group, peer, server_name, metadata, scheme, credentials.  Only
   `true` and a table (see decision.h) accept; false and a reason reject; nil
   and a reason, an error or a limit fail: a newcomer is refused, too, and may
   try again; a tunnel that is asked about once more stays. */
void rv_lua_authenticate(reverst_registration *registration, void *user_data);

/* Nobody can tell any more about those that are undecided; nor about those that
   come, when the routing stops. */
void rv_lua_group_stop(struct rv_lua_group *group);

#endif
