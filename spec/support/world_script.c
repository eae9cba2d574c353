/* SPDX-License-Identifier: MIT */
/* A Lua engine in a world: what a configuration says is run by the very code
   that runs it in the program. */
#include "world.h"

#include <reverst/log.h>
#include <time.h>

#include "lua/engine/engine.h"
#include "lua/server/visit.h"
#include "server/visit.h"

#define SCRIPT "spec.world_script"

enum { ERROR_SIZE = 4096 };

int luaopen_spec_world_script(lua_State *L);

struct script {
  struct world *world;
  struct rv_lua *lua; /* NULL: freed */
  bool stopped;
};

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct script *script = user_data;

  world_log(script->world, script, entry);
}

static void on_stopped(void *user_data) {
  struct script *script = user_data;

  script->stopped = true;
}

/* script.new(world, handlers [, memory_limit]): handler on_log */
static int new_script(lua_State *L) {
  struct world *world = world_check(L, 1);
  lua_Integer memory_limit = luaL_optinteger(L, 3, 0);
  struct script *script = world_new_object(L, sizeof(*script), SCRIPT, 2);
  struct rv_lua_options options = {
    .base = world->base,
    .log = on_log,
    .log_user_data = script,
    .memory_limit = (size_t)memory_limit,
    .on_stopped = on_stopped,
    .user_data = script,
  };

  script->world = world;
  if (rv_lua_new(&script->lua, &options) < 0)
    return luaL_error(L, "no Lua engine");
  return 1;
}

static struct script *check(lua_State *L) {
  struct script *script = luaL_checkudata(L, 1, SCRIPT);

  luaL_argcheck(L, script->lua != NULL, 1, "it was closed");
  return script;
}

/* ---- calling ---- */

struct call {
  lua_State *from; /* the code, then its arguments, from index 2 on */
  int count;       /* of results, which are pushed there */
};

static void copy(lua_State *from, int index, lua_State *to) {
  size_t length;
  const char *text;

  switch (lua_type(from, index)) {
  case LUA_TNIL:
    lua_pushnil(to);
    break;
  case LUA_TBOOLEAN:
    lua_pushboolean(to, lua_toboolean(from, index));
    break;
  case LUA_TNUMBER:
    if (lua_isinteger(from, index))
      lua_pushinteger(to, lua_tointeger(from, index));
    else
      lua_pushnumber(to, lua_tonumber(from, index));
    break;
  default:
    text = luaL_tolstring(from, index, &length);
    lua_pushlstring(to, text, length);
    lua_pop(from, 1);
  }
}

static int call_code(lua_State *L) {
  struct call *call = lua_touserdata(L, 1);
  int i, count = lua_gettop(call->from);

  if (luaL_loadbuffer(L, lua_tostring(call->from, 2), lua_rawlen(call->from, 2),
          "=config.lua") != LUA_OK)
    return lua_error(L);
  for (i = 3; i <= count; ++i)
    copy(call->from, i, L);
  lua_call(L, count - 2, LUA_MULTRET);
  call->count = lua_gettop(L) - 1;
  for (i = 0; i < call->count; ++i)
    copy(L, i + 2, call->from);
  return 0;
}

/* script:call(code, …): what the chunk returns, as texts, numbers and
   booleans */
static int call(lua_State *L) {
  struct script *script = check(L);
  struct call arguments = { .from = L };
  char error[ERROR_SIZE];

  luaL_checkstring(L, 2);
  luaL_checkstack(L, 64, NULL);
  if (rv_lua_protect(script->lua, call_code, &arguments, error, sizeof(error)) <
      0)
    return luaL_error(L, "%s", error);
  return arguments.count;
}

/* ---- calling a policy without the rest of a request ---- */

struct offer {
  reverst_tunnel *tunnels[16];
  size_t count;
};

static void offer_tunnel(struct offer *offer, reverst_tunnel *tunnel) {
  if (offer->count < sizeof(offer->tunnels) / sizeof(offer->tunnels[0]))
    offer->tunnels[offer->count++] = tunnel;
}

static struct rv_lua_visit *find_held(struct script *script) {
  struct rv_lua_visit *held;

  lua_getglobal(script->lua->L, "held");
  held = lua_touserdata(script->lua->L, -1);
  lua_pop(script->lua->L, 1);
  return held;
}

/* script:choose(count [, same]): calls the policy of the visit that is held:
   the global `held` is the request that one of its hooks has. Each call is
   about another set of tunnels unless they are the same.  Seconds of CPU time.
 */
static int choose(lua_State *L) {
  struct script *script = check(L);
  lua_Integer i, count = luaL_checkinteger(L, 2);
  bool same = lua_toboolean(L, 3);
  const struct rv_lua_visit *held = find_held(script);
  const reverst_group_options *options;
  struct offer offer = { .count = 0 };
  reverst_choice choice;
  clock_t start = clock();

  luaL_argcheck(L, held && held->visit, 1, "no visit is held");
  options = &held->visit->group->options;
  rv_list_each(node, &held->visit->group->tunnels)
      offer_tunnel(&offer, rv_container_of(node, reverst_tunnel, node));
  choice = (reverst_choice){ offer.tunnels, offer.count, UINT64_MAX };
  for (i = 0; i < count; ++i) {
    if (!same)
      choice.generation--;
    if (!options->choose(held->visit, &choice, options->user_data))
      return luaL_error(L, "the policy failed");
  }
  lua_pushnumber(L, (lua_Number)(clock() - start) / CLOCKS_PER_SEC);
  return 1;
}

/* script:memory(): bytes that Lua holds */
static int memory(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)rv_lua_memory_used(check(L)->lua));
  return 1;
}

/* script:give(bytes): all that Lua may take from now on; nil: as at first */
static int give(lua_State *L) {
  struct rv_lua *lua = check(L)->lua;
  lua_Integer bytes = luaL_optinteger(L, 2, -1);

  lua->memory.limit =
      bytes < 0 ? lua->options.memory_limit : lua->memory.used + (size_t)bytes;
  return 0;
}

/* script:stop(drain) */
static int stop(lua_State *L) {
  rv_lua_stop(check(L)->lua, lua_toboolean(L, 2));
  return 0;
}

/* script:is_closed(): frees it when all has stopped */
static int is_closed(lua_State *L) {
  struct script *script = luaL_checkudata(L, 1, SCRIPT);

  if (script->lua && script->stopped) {
    rv_lua_free(script->lua);
    script->lua = NULL;
    world_drop(script->world, script);
  }
  lua_pushboolean(L, script->lua == NULL);
  return 1;
}

int luaopen_spec_world_script(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "call", call },
    { "choose", choose },
    { "memory", memory },
    { "give", give },
    { "stop", stop },
    { "is_closed", is_closed },
    { NULL, NULL },
  };

  world_new_class(L, SCRIPT, methods, NULL);
  lua_newtable(L);
  lua_pushcfunction(L, new_script);
  lua_setfield(L, -2, "new");
  return 1;
}
