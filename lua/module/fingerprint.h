/* SPDX-License-Identifier: MIT */
/* The module reverst.fingerprint: tells whether two Lua states hold the same
   text, without keeping it. */
#ifndef REVERST_LUA_FINGERPRINT_H
#define REVERST_LUA_FINGERPRINT_H

#include <lua.h>

/* A lua_CFunction that opens the module, which is one function: of a text, 32
   hexadecimal digits, by a key that is random for each process and the same in
   all of its Lua states. */
int rv_lua_open_fingerprint(lua_State *L);

#endif
