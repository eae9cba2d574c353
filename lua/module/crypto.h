/* SPDX-License-Identifier: MIT */
/* The module reverst.crypto. */
#ifndef REVERST_LUA_CRYPTO_H
#define REVERST_LUA_CRYPTO_H

#include <lua.h>

/* A lua_CFunction for require: leaves the module's table. */
int rv_lua_open_crypto(lua_State *L);

#endif
