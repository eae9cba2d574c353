/* SPDX-License-Identifier: MIT */
/* Fields of the tables that simulated tunnels take and give. */
#include "simtunnel.h"

lua_Integer sim_get_integer(lua_State *L, int table, const char *key) {
  lua_Integer value;

  lua_getfield(L, table, key);
  value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value;
}

bool sim_get_boolean(lua_State *L, int table, const char *key) {
  bool value;

  lua_getfield(L, table, key);
  value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* Valid as long as the table holds it. */
const char *sim_get_string(lua_State *L, int table, const char *key) {
  const char *value;

  lua_getfield(L, table, key);
  value = lua_tostring(L, -1);
  lua_pop(L, 1);
  return value;
}

struct rv_quic_settings sim_get_settings(lua_State *L, int table) {
  if (lua_isnoneornil(L, table))
    return (struct rv_quic_settings){ 0 };
  return (struct rv_quic_settings){
    .max_idle_timeout = (uint64_t)sim_get_integer(L, table, "max_idle_timeout"),
    .keep_alive_period =
        (uint64_t)sim_get_integer(L, table, "keep_alive_period"),
    .max_streams_bidi = (uint64_t)sim_get_integer(L, table, "max_streams_bidi"),
  };
}

void sim_set_integer(lua_State *L, const char *key, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

void sim_set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

void sim_set_string(lua_State *L, const char *key, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

void sim_push_close(lua_State *L, const struct rv_quic_close *close,
    const char *reason, uint64_t closed_at) {
  static const char *const kinds[] = { "transport", "application", "idle",
    "handshake_timeout", "reset" };

  lua_newtable(L);
  sim_set_string(L, "kind", kinds[close->kind]);
  sim_set_boolean(L, "by_peer", close->by_peer);
  sim_set_integer(L, "code", close->code);
  sim_set_string(L, "reason", reason);
  sim_set_integer(L, "at", closed_at);
}

/* It has no functions of its own: require "spec.simtunnel". */
int luaopen_spec_simtunnel_fields(lua_State *L);
int luaopen_spec_simtunnel_fields(lua_State *L) {
  lua_newtable(L);
  return 1;
}
