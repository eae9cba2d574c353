/* SPDX-License-Identifier: MIT */
/* One event base per spec, and what is told about the process. */
#include "world.h"

#include "tls/context.h"
#include <arpa/inet.h>
#include <event2/event.h>
#include <malloc.h>
#include <math.h>
#include <reverst/error.h>
#include <reverst/log.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
/* of sanitizer/allocator_interface.h, which not every gcc brings */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

#define CLASS "spec.world"

int luaopen_spec_world(lua_State *L);

/* ---- objects with handlers ---- */

struct world *world_check(lua_State *L, int index) {
  struct world *world = luaL_checkudata(L, index, CLASS);

  luaL_argcheck(L, world->base != NULL, index, "a world that was freed");
  return world;
}

void world_new_class(
    lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  if (gc != NULL) {
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

void *world_new_object(
    lua_State *L, size_t size, const char *class_name, int handlers) {
  void *object;

  handlers = lua_absindex(L, handlers);
  object = lua_newuserdatauv(L, size, 1);
  memset(object, 0, size);
  lua_pushvalue(L, handlers);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, class_name);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, object);
  return object;
}

void world_drop(struct world *world, const void *object) {
  lua_pushnil(world->L);
  lua_rawsetp(world->L, LUA_REGISTRYINDEX, object);
}

bool world_push_handler(
    struct world *world, const void *object, const char *name) {
  lua_State *L = world->L;

  luaL_checkstack(L, 8, "handlers within handlers");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, object) == LUA_TUSERDATA) {
    if (lua_getiuservalue(L, -1, 1) == LUA_TTABLE &&
        lua_getfield(L, -1, name) == LUA_TFUNCTION) {
      lua_replace(L, -2);
      lua_insert(L, -2);
      return true;
    }
    lua_pop(L, lua_type(L, -2) == LUA_TTABLE ? 2 : 1);
  }
  lua_pop(L, 1);
  return false;
}

static int add_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

void world_call_handler(struct world *world, int arguments) {
  lua_State *L = world->L;
  int handler = lua_gettop(L) - arguments - 1;

  lua_pushcfunction(L, add_traceback);
  lua_insert(L, handler);
  if (lua_pcall(L, arguments + 1, 0, handler) != LUA_OK) {
    if (!world->failed) /* the first one is the cause */
      lua_rawsetp(L, LUA_REGISTRYINDEX, &world->failed);
    world->failed = true;
    event_base_loopbreak(world->base);
  }
  lua_settop(L, handler - 1);
}

static void push_entry(lua_State *L, const struct reverst_log_entry *entry) {
  lua_newtable(L);
  for (size_t i = 0; i < entry->field_count; i++) {
    const struct reverst_log_field *field = &entry->fields[i];
    if (field->text != NULL)
      lua_pushlstring(L, field->text, field->text_length);
    else
      lua_pushinteger(L, field->number);
    lua_setfield(L, -2, field->key);
  }
  lua_pushstring(L, entry->event);
  lua_setfield(L, -2, "event");
}

void world_log(struct world *world, const void *object,
    const struct reverst_log_entry *entry) {
  if (!world_push_handler(world, object, "on_log"))
    return;
  push_entry(world->L, entry);
  world_call_handler(world, 1);
}

/* ---- options ---- */

const char *world_text(lua_State *L, int index, const char *name) {
  const char *text;

  lua_getfield(L, index, name);
  text = lua_tostring(L, -1);
  lua_pop(L, 1); /* the table keeps it alive */
  return text;
}

lua_Integer world_number(
    lua_State *L, int index, const char *name, lua_Integer otherwise) {
  lua_Integer number;

  lua_getfield(L, index, name);
  number = luaL_optinteger(L, -1, otherwise);
  lua_pop(L, 1);
  return number;
}

uint64_t world_duration(lua_State *L, int index, const char *name) {
  lua_Number seconds;

  lua_getfield(L, index, name);
  seconds = luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  return isinf(seconds) ? UINT64_MAX : (uint64_t)(seconds * 1e9);
}

bool world_flag(lua_State *L, int index, const char *name) {
  bool flag;

  lua_getfield(L, index, name);
  flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

void world_set_number(lua_State *L, const char *name, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

struct sockaddr_in world_check_address(lua_State *L, const char *text) {
  struct sockaddr_in address = { .sin_family = AF_INET };
  const char *colon = strrchr(text, ':');
  char host[INET_ADDRSTRLEN] = "";

  if (colon != NULL && (size_t)(colon - text) < sizeof(host)) {
    memcpy(host, text, (size_t)(colon - text));
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
  }
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
    luaL_error(L, "not an address: %s", text);
  return address;
}

/* ---- the world ---- */

static int new_world(lua_State *L) {
  struct world *world = lua_newuserdatauv(L, sizeof(*world), 0);

  *world = (struct world){ 0 };
  luaL_setmetatable(L, CLASS);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  world->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  world->base = event_base_new();
  if (world->base == NULL)
    return luaL_error(L, "no event base");
  return 1;
}

static int raise_error(struct world *world, lua_State *L) {
  world->failed = false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &world->failed);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &world->failed);
  return lua_error(L);
}

/* world:turn(seconds): waits for events, at most that long, and runs them */
static int turn(lua_State *L) {
  struct world *world = world_check(L, 1);
  lua_Number seconds = luaL_checknumber(L, 2);
  struct timeval at_most = {
    .tv_sec = (time_t)seconds,
    .tv_usec = (suseconds_t)(fmod(seconds, 1) * 1e6),
  };

  /* by this the base has an event, so that it never returns at once */
  event_base_loopexit(world->base, &at_most);
  if (event_base_loop(world->base, EVLOOP_ONCE) < 0)
    return luaL_error(L, "the event base failed");
  return world->failed ? raise_error(world, L) : 0;
}

static int free_world(lua_State *L) {
  struct world *world = luaL_checkudata(L, 1, CLASS);

  if (world->base != NULL)
    event_base_free(world->base);
  world->base = NULL;
  return 0;
}

static int now(lua_State *L) {
  struct timespec time;

  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  lua_pushnumber(L, (lua_Number)time.tv_sec + (lua_Number)time.tv_nsec * 1e-9);
  return 1;
}

/* Bytes of the heap that are in use in this process. */
static int heap_bytes(lua_State *L) {
#if defined(__SANITIZE_ADDRESS__)
  lua_pushinteger(L, (lua_Integer)__sanitizer_get_current_allocated_bytes());
#else
  struct mallinfo2 heap = mallinfo2();
  size_t bytes = heap.uordblks + heap.hblkhd;

  lua_pushinteger(L, (lua_Integer)bytes);
#endif
  return 1;
}

/* checksum(bytes [, checksum so far]): FNV-1a of 64 bits */
static int checksum(lua_State *L) {
  size_t length;
  const char *data = luaL_checklstring(L, 1, &length);
  uint64_t sum =
      (uint64_t)luaL_optinteger(L, 2, (lua_Integer)0xcbf29ce484222325);

  for (size_t i = 0; i < length; i++)
    sum = (sum ^ (uint8_t)data[i]) * 0x100000001b3;
  lua_pushinteger(L, (lua_Integer)sum);
  return 1;
}

static int make_certificate(lua_State *L) {
  int r = rv_tls_make_certificate(
      luaL_checkstring(L, 1), luaL_checkstring(L, 2), luaL_checkstring(L, 3));

  return r < 0 ? luaL_error(L, "no certificate: %s", reverst_strerror(r)) : 0;
}

static int make_folder(lua_State *L) {
  char path[] = "/tmp/reverst-spec-XXXXXX";

  if (mkdtemp(path) == NULL)
    return luaL_error(L, "no temporary folder");
  lua_pushstring(L, path);
  return 1;
}

static int remove_folder(lua_State *L) {
  lua_pushboolean(L, rmdir(luaL_checkstring(L, 1)) == 0);
  return 1;
}

int luaopen_spec_world(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "turn", turn },
    { "free", free_world },
    { NULL, NULL },
  };
  static const luaL_Reg functions[] = {
    { "new", new_world },
    { "now", now },
    { "heap_bytes", heap_bytes },
    { "checksum", checksum },
    { "make_certificate", make_certificate },
    { "make_folder", make_folder },
    { "remove_folder", remove_folder },
    { NULL, NULL },
  };

  world_new_class(L, CLASS, methods, free_world);
  luaL_newlib(L, functions);
  return 1;
}
