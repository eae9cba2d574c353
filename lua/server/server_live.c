/* SPDX-License-Identifier: MIT */
/* Asks and changes a running server. */
#include "lua/server/server_live.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <reverst/server.h>

#include "lua/server/server.h"
#include "lua/value/fields.h"
#include "lua/value/handle.h"

/* ---- tunnels ---- */

static void set_seconds(lua_State *L, const char *key, uint64_t ns) {
  lua_pushnumber(L, (lua_Number)ns / 1e9);
  lua_setfield(L, -2, key);
}

static void set_labels(lua_State *L, const reverst_tunnel *tunnel) {
  const char *name, *value;
  size_t i;

  lua_newtable(L);
  for (i = 0; reverst_tunnel_label_at(tunnel, i, &name, &value); ++i)
    rv_lua_set_text(L, name, value);
  lua_setfield(L, -2, "labels");
}

static void push_tunnel(
    lua_State *L, reverst_tunnel *tunnel, const char *group) {
  lua_createtable(L, 0, 11);
  rv_lua_set_text(L, "group", group);
  rv_lua_set_integer(L, "id", (int64_t)reverst_tunnel_id(tunnel));
  rv_lua_set_text(L, "name", reverst_tunnel_name(tunnel));
  rv_lua_set_text(L, "peer", reverst_tunnel_peer(tunnel));
  rv_lua_set_integer(L, "weight", (int64_t)reverst_tunnel_weight(tunnel));
  set_labels(L, tunnel);
  rv_lua_set_integer(L, "active", (int64_t)reverst_tunnel_active(tunnel));
  rv_lua_set_integer(L, "requests", (int64_t)reverst_tunnel_requests(tunnel));
  if (reverst_tunnel_latency(tunnel))
    set_seconds(L, "latency", reverst_tunnel_latency(tunnel));
  set_seconds(L, "registered_at", reverst_tunnel_registered_at(tunnel));
  rv_lua_set_flag(L, "eligible", reverst_tunnel_is_eligible(tunnel));
}

/* Collected first, since making tables may raise, and what is between would not
   be left in order. */
struct listed {
  reverst_tunnel *tunnel;
  const char *group;
};

struct list {
  struct listed *tunnels;
  size_t count, size;
};

static void count_tunnel(
    reverst_tunnel *tunnel, const char *group, void *user_data) {
  struct list *list = user_data;

  (void)tunnel;
  (void)group;
  ++list->size;
}

static void add_tunnel(
    reverst_tunnel *tunnel, const char *group, void *user_data) {
  struct list *list = user_data;

  if (list->count < list->size)
    list->tunnels[list->count++] = (struct listed){ tunnel, group };
}

int rv_lua_server_tunnels(lua_State *L) {
  const reverst_server *server = rv_lua_server_get(L);
  struct list list = { .size = 0 };
  size_t i;

  if (!server)
    return 2;
  reverst_server_each_tunnel(server, NULL, count_tunnel, &list);
  list.tunnels =
      lua_newuserdatauv(L, (list.size + 1) * sizeof(*list.tunnels), 0);
  reverst_server_each_tunnel(server, NULL, add_tunnel, &list);
  lua_createtable(L, (int)list.count, 0);
  for (i = 0; i < list.count; ++i) {
    push_tunnel(L, list.tunnels[i].tunnel, list.tunnels[i].group);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* ---- changes ---- */

int rv_lua_server_set_http_addresses(lua_State *L) {
  reverst_server *server = rv_lua_server_get(L);

  if (!server)
    return 2;
  return rv_lua_push_result(L, reverst_server_set_http_addresses(server,
                                   rv_lua_check_texts(L, 2, "addresses")));
}

int rv_lua_server_set_drain_timeout(lua_State *L) {
  reverst_server *server = rv_lua_server_get(L);
  uint64_t timeout = REVERST_NEVER;

  if (!server)
    return 2;
  if (lua_isinteger(L, 2) || lua_toboolean(L, 2))
    timeout = (uint64_t)luaL_checkinteger(L, 2);
  reverst_server_set_drain_timeout(server, timeout);
  return rv_lua_push_result(L, 0);
}

int rv_lua_server_set_log_level(lua_State *L) {
  reverst_server *server = rv_lua_server_get(L);

  if (!server)
    return 2;
  reverst_server_set_log_level(server, rv_lua_of(L)->log_level);
  return rv_lua_push_result(L, 0);
}

int rv_lua_server_set_certificate(lua_State *L) {
  reverst_server *server = rv_lua_server_get(L);

  if (!server)
    return 2;
  return rv_lua_push_result(
      L, reverst_server_set_certificate(
             server, luaL_checkstring(L, 2), luaL_checkstring(L, 3)));
}

int rv_lua_server_reauthenticate(lua_State *L) {
  reverst_server *server = rv_lua_server_get(L);

  if (!server)
    return 2;
  return rv_lua_push_result(
      L, reverst_server_reauthenticate(server, luaL_checkstring(L, 2),
             (uint64_t)luaL_checkinteger(L, 3)));
}

/* ---- the record ---- */

int rv_lua_server_record(lua_State *L) {
  const struct rv_lua_object *object;

  if (!rv_lua_server_get(L))
    return 2;
  object = *(struct rv_lua_object **)lua_touserdata(L, 1);
  lua_pushstring(L, object->record);
  return 1;
}

int rv_lua_server_set_record(lua_State *L) {
  struct rv_lua_object *object;
  char *record;

  if (!rv_lua_server_get(L))
    return 2;
  record = strdup(luaL_checkstring(L, 2));
  if (!record)
    return rv_lua_push_error(L, REVERST_ERR_NO_MEMORY);
  object = *(struct rv_lua_object **)lua_touserdata(L, 1);
  free(object->record);
  object->record = record;
  return rv_lua_push_result(L, 0);
}
