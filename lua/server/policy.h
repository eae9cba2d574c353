/* SPDX-License-Identifier: MIT */
/* Policies: a group's `balance` picks a tunnel for each try of a request. */
#ifndef REVERST_LUA_POLICY_H
#define REVERST_LUA_POLICY_H

#include <reverst/group.h>

/* The library's callback; `user_data` is the struct rv_lua_group.  The function
   gets a sequence that cannot be changed, and the request; it cannot wait.
   Whatever is not one of these tunnels is none, and logged. */
reverst_tunnel *rv_lua_choose(
    reverst_visit *visit, const reverst_choice *choice, void *user_data);

#endif
