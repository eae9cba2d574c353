/* SPDX-License-Identifier: MIT */
/* What the bindings of event/ and origin/ share: a loop on a base of its own.
 */
#ifndef SPEC_EVENT_H
#define SPEC_EVENT_H

#include "base/address.h"
#include "event/loop.h"
#include <lauxlib.h>

struct spec_loop {
  struct event_base *base;
  struct rv_loop *loop;
  struct rv_resolver *resolver; /* NULL, or of this loop; see resolver.c */
  bool freed;
  char last_log[256]; /* "event key=value ..." of the newest entry */
  int logged;
};

/* The loop at `index`, which must not be finished. */
struct spec_loop *spec_check_loop(lua_State *L, int index);

/* "unix:/path", "127.0.0.1:80" and the like; raises an error. */
struct rv_address spec_check_address(lua_State *L, int index);
void spec_push_address(lua_State *L, const struct rv_address *address);

/* Makes a class of the methods; its objects are full user data. */
void spec_new_class(
    lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* Keeps the object on top of the stack alive until spec_unpin. */
int spec_pin(lua_State *L);
void spec_unpin(lua_State *L, int *pin);

#endif
