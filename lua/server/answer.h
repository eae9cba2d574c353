/* SPDX-License-Identifier: MIT */
/* Responses that scripts make: tables with status, headers and body. */
#ifndef REVERST_LUA_ANSWER_H
#define REVERST_LUA_ANSWER_H

#include <lua.h>
#include <reverst/http.h>

/* A copy of the table at `index`: status (200), headers (of each name a text, a
   number, or a list of them), body (empty).  To be freed with free.  Raises on
   anything else in it, and when memory runs out. */
reverst_response *rv_lua_answer_read(lua_State *L, int index);

#endif
