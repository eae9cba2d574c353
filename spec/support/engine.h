/* SPDX-License-Identifier: MIT */
/* What test modules share: an engine with an injected clock and randomness. */
#ifndef SPEC_ENGINE_H
#define SPEC_ENGINE_H

#include <lauxlib.h>

#include "base/engine.h"
#include "base/span.h"

/* The engine at `index`; raises an error if there is none or it was closed. */
struct rv_engine *spec_check_engine(lua_State *L, int index);

/* Makes a userdata of `size` zeroed bytes that keeps the value at `owner`
   alive (0: none). */
void *spec_new(lua_State *L, size_t size, const char *type, int owner);

/* Makes the metatable of `type`, with `close` (may be NULL) for __gc and
   __close. */
void spec_new_type(lua_State *L, const char *type, const luaL_Reg *methods,
    lua_CFunction close);

struct rv_span spec_check_span(lua_State *L, int index);
void spec_push_span(lua_State *L, struct rv_span span);

/* Pushes true, or nil and the symbolic name of the error; returns how many. */
int spec_push_result(lua_State *L, int r);

#endif
