/* SPDX-License-Identifier: MIT */
/* Requests of visitors, and their responses, as scripts see them: userdata
   whose fields are read from the visit when they are asked for. */
#ifndef REVERST_LUA_VISIT_H
#define REVERST_LUA_VISIT_H

#include <lua.h>
#include <reverst/visit.h>

/* What a request's userdata holds.  Whoever pushed it sets `visit` to NULL when
   the visit goes, and keeps the userdata until then: from there on each use of
   it, or of what it gave, is an error that says "closed". */
struct rv_lua_visit {
  reverst_visit *visit;
};

/* Pushes a request: .method .host .path .query .scheme .peer .group .id
   .headers .cookies, and add_response_header(name, value). */
struct rv_lua_visit *rv_lua_visit_push(lua_State *L, reverst_visit *visit);

/* Pushes the response of the request at `index`: .status .headers. */
void rv_lua_visit_push_response(lua_State *L, int index);

/* The visit of the request at index 1 of a metamethod or method; raises when it
   is gone. `what`: what was asked for. */
reverst_visit *rv_lua_visit_check(
    lua_State *L, const struct rv_lua_visit *request, const char *what);

/* Pushes the fields of the request at `index`, or of its response: read by
   [name], all by pairs; written by [name] = text, or nil to remove it. */
void rv_lua_headers_push(lua_State *L, int index, bool of_response);

/* Pushes a table of the visit's cookies: the first of each name. */
void rv_lua_cookies_push(lua_State *L, const reverst_visit *visit);

/* The text at `index`, or raises: it is none, or has a zero byte.  `name` is
   for the message. */
const char *rv_lua_visit_check_text(lua_State *L, int index, const char *name);

#endif
