/* SPDX-License-Identifier: MIT */
/* Tunnels whose fields are read when they are asked for. */
#include "lua/server/tunnel.h"

#include <lauxlib.h>

#include "lua/engine/engine.h"
#include "lua/engine/log.h"
#include "lua/server/routing.h"
#include "lua/value/lazy.h"

/* User values: tables that were made at first use, and what was known when the
   tunnel went: a table of all fields. */
enum { LABELS = 1, METADATA, SNAPSHOT, USER_VALUES = SNAPSHOT };

enum place {
  ID = 1,
  NAME,
  PEER,
  WEIGHT,
  LABELS_FIELD,
  METADATA_FIELD,
  ACTIVE,
  REQUESTS,
  LATENCY,
  REGISTERED_AT,
};

static const char *const fields[] = { "id", "name", "peer", "weight", "labels",
  "metadata", "active", "requests", "latency", "registered_at", NULL };

static const struct rv_lua_lazy_type type;

typedef bool (*item_at)(const reverst_tunnel *tunnel, size_t index,
    const char **name, const char **value);

static void push_items(
    lua_State *L, const reverst_tunnel *tunnel, item_at get) {
  const char *name, *value;
  size_t i;

  lua_newtable(L);
  for (i = 0; get(tunnel, i, &name, &value); ++i) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
  }
}

/* What a repeated registration may have changed is read anew. */
static void forget_old_facts(
    lua_State *L, int index, struct rv_lua_tunnel *cell) {
  if (cell->facts_version == cell->routing->facts_version)
    return;
  cell->facts_version = cell->routing->facts_version;
  lua_pushnil(L);
  lua_setiuservalue(L, index, LABELS);
  lua_pushnil(L);
  lua_setiuservalue(L, index, METADATA);
}

static void push_kept(lua_State *L, int index, struct rv_lua_tunnel *cell,
    int user_value, item_at get) {
  forget_old_facts(L, index, cell);
  if (lua_getiuservalue(L, index, user_value) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  push_items(L, cell->tunnel, get);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, index, user_value);
}

static void push_latency(lua_State *L, const reverst_tunnel *tunnel) {
  uint64_t latency = reverst_tunnel_latency(tunnel);

  if (latency)
    lua_pushnumber(L, (lua_Number)latency / 1e9);
  else
    lua_pushnil(L);
}

static void push_field(
    lua_State *L, int index, struct rv_lua_tunnel *cell, enum place place) {
  const reverst_tunnel *tunnel = cell->tunnel;

  switch (place) {
  case ID:
    lua_pushinteger(L, (lua_Integer)reverst_tunnel_id(tunnel));
    break;
  case NAME:
    lua_pushstring(L, reverst_tunnel_name(tunnel));
    break;
  case PEER:
    lua_pushstring(L, reverst_tunnel_peer(tunnel));
    break;
  case WEIGHT:
    lua_pushinteger(L, (lua_Integer)reverst_tunnel_weight(tunnel));
    break;
  case LABELS_FIELD:
    push_kept(L, index, cell, LABELS, reverst_tunnel_label_at);
    break;
  case METADATA_FIELD:
    push_kept(L, index, cell, METADATA, reverst_tunnel_metadata_at);
    break;
  case ACTIVE:
    lua_pushinteger(L, (lua_Integer)reverst_tunnel_active(tunnel));
    break;
  case REQUESTS:
    lua_pushinteger(L, (lua_Integer)reverst_tunnel_requests(tunnel));
    break;
  case LATENCY:
    push_latency(L, tunnel);
    break;
  case REGISTERED_AT:
    lua_pushnumber(L, (lua_Number)reverst_tunnel_registered_at(tunnel) / 1e9);
    break;
  }
}

static int read_field(lua_State *L) {
  struct rv_lua_tunnel *cell = lua_touserdata(L, 1);
  int place = rv_lua_lazy_place(L, &type);

  if (cell->tunnel) {
    push_field(L, 1, cell, (enum place)place);
  } else if (lua_getiuservalue(L, 1, SNAPSHOT) == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
  }
  return 1; /* nil when not even that could be kept */
}

static int write_field(lua_State *L) {
  return luaL_error(
      L, "%s: a tunnel cannot be changed", luaL_tolstring(L, 2, NULL));
}

static int describe(lua_State *L) {
  static const char *const parts[] = { "tunnel ", "id", " \"", "name", "\" of ",
    "peer" };
  size_t i, count = sizeof(parts) / sizeof(parts[0]);

  for (i = 0; i < count; ++i) {
    if (i % 2 == 0)
      lua_pushstring(L, parts[i]);
    else
      lua_getfield(L, 1, parts[i]);
    if (lua_isnil(L, -1)) { /* what was known is lost */
      lua_pop(L, 1);
      lua_pushliteral(L, "?");
    }
  }
  lua_concat(L, (int)count);
  return 1;
}

static const luaL_Reg metamethods[] = {
  { "__index", read_field },
  { "__newindex", write_field },
  { "__tostring", describe },
  { NULL, NULL },
};

static const struct rv_lua_lazy_type type = {
  .name = "tunnel",
  .fields = fields,
  .metamethods = metamethods,
};

/* ---- from one end to the other ---- */

static struct rv_lua_tunnel *cell_of(
    const struct rv_lua_routing *routing, const reverst_tunnel *tunnel) {
  struct rv_lua_tunnel *cell = reverst_tunnel_user_data(tunnel);

  return cell && cell->routing == routing ? cell : NULL;
}

struct rv_lua_tunnel *rv_lua_tunnel_push(
    lua_State *L, struct rv_lua_routing *routing, reverst_tunnel *tunnel) {
  struct rv_lua_tunnel *cell = cell_of(routing, tunnel);

  if (cell) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, cell->reference);
    return cell;
  }
  cell = lua_newuserdatauv(L, sizeof(*cell), USER_VALUES);
  *cell = (struct rv_lua_tunnel){ .reference = LUA_NOREF };
  rv_lua_lazy_set(L, &type);
  lua_pushvalue(L, -1);
  cell->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  cell->routing = routing;
  cell->tunnel = tunnel;
  cell->facts_version = routing->facts_version;
  LIST_INSERT_HEAD(&routing->tunnels, cell, link);
  reverst_tunnel_set_user_data(tunnel, cell);
  return cell;
}

struct rv_lua_tunnel *rv_lua_tunnel_test(lua_State *L, int index) {
  return rv_lua_lazy_test(L, index, &type);
}

static int take_snapshot(lua_State *L) {
  struct rv_lua_tunnel *cell = lua_touserdata(L, 1);
  int i, index;

  lua_rawgeti(L, LUA_REGISTRYINDEX, cell->reference);
  index = lua_gettop(L);
  lua_createtable(L, 0, REGISTERED_AT);
  for (i = ID; i <= REGISTERED_AT; ++i) {
    push_field(L, index, cell, (enum place)i);
    lua_setfield(L, -2, fields[i - 1]);
  }
  lua_setiuservalue(L, index, SNAPSHOT);
  return 0;
}

void rv_lua_tunnel_detach(
    struct rv_lua_routing *routing, reverst_tunnel *tunnel) {
  struct rv_lua_tunnel *cell = cell_of(routing, tunnel);
  struct rv_lua *lua = routing->lua;
  char error[256];

  if (!cell)
    return;
  if (rv_lua_protect(lua, take_snapshot, cell, error, sizeof(error)) < 0)
    rv_lua_log_text(lua, REVERST_LOG_WARN, "tunnel_forgotten", "error", error);
  LIST_REMOVE(cell, link);
  reverst_tunnel_set_user_data(tunnel, NULL);
  cell->routing = NULL;
  cell->tunnel = NULL;
  luaL_unref(lua->L, LUA_REGISTRYINDEX, cell->reference);
}
