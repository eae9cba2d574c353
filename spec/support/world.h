/* SPDX-License-Identifier: MIT */
/* What the bindings of behaviour specs share: one event base, and objects that
   call Lua functions. Specs run in the main thread of the Lua state. */
#ifndef SPEC_WORLD_H
#define SPEC_WORLD_H

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct reverst_log_entry;
struct sockaddr_in;

struct world {
  lua_State *L;
  struct event_base *base; /* NULL: freed */
  bool failed; /* a handler raised an error, which waits for the next turn */
};

/* The world at `index`, which must not be freed; raises an error. */
struct world *world_check(lua_State *L, int index);

/* Makes a class of the methods. */
void world_new_class(
    lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* A new zeroed object on top of the stack, kept alive until world_drop. Its
   handlers are the functions in the table at `handlers`, which may change. */
void *world_new_object(
    lua_State *L, size_t size, const char *class_name, int handlers);
void world_drop(struct world *world, const void *object);

/* Pushes the handler and the object; false: there is no such handler. Then push
   `arguments` values and call; an error ends the spec with the next turn. */
bool world_push_handler(
    struct world *world, const void *object, const char *name);
void world_call_handler(struct world *world, int arguments);

/* Fields of the table at `index`, or the default. Durations are in seconds. */
const char *world_text(lua_State *L, int index, const char *name);
lua_Integer world_number(
    lua_State *L, int index, const char *name, lua_Integer otherwise);
uint64_t world_duration(lua_State *L, int index, const char *name);
bool world_flag(lua_State *L, int index, const char *name);

/* Sets a field of the table on top of the stack. */
void world_set_number(lua_State *L, const char *name, uint64_t value);

/* Calls the object's handler on_log with the entry as one flat table. */
void world_log(struct world *world, const void *object,
    const struct reverst_log_entry *entry);

/* "127.0.0.1:80"; raises an error. */
struct sockaddr_in world_check_address(lua_State *L, const char *text);

#endif
