/* SPDX-License-Identifier: MIT */
/* on_tunnel_up and on_tunnel_down: each call is a task that nobody waits for.
 */
#ifndef REVERST_LUA_NOTIFICATION_H
#define REVERST_LUA_NOTIFICATION_H

#include <reverst/group.h>

/* The library's callbacks; `user_data` is the struct rv_lua_group. */
void rv_lua_on_tunnel_up(reverst_tunnel *tunnel, void *user_data);

/* Also without such a function: scripts may hold the tunnel. */
void rv_lua_on_tunnel_down(
    reverst_tunnel *tunnel, const char *reason, void *user_data);

#endif
