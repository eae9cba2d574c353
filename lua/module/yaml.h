/* SPDX-License-Identifier: MIT */
/* Reading YAML, for reverst import. */
#ifndef REVERST_LUA_YAML_H
#define REVERST_LUA_YAML_H

#include <lua.h>

/* Opens the module: one function, events(text). */
int rv_lua_open_yaml_events(lua_State *L);

#endif
