/* SPDX-License-Identifier: MIT */
/* The methods of spec.quic on peers: a connection and its application. */
#include "quic_world.h"

/* A peer whose connection is open. */
static struct rv_quic_connection *check_connection(lua_State *L, int index) {
  struct quic_peer *peer = quic_world_check_peer(L, index);

  luaL_argcheck(L, peer->connection, index, "closed");
  return peer->connection;
}

static void set_integer(lua_State *L, const char *key, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static void set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

static void push_close(lua_State *L, const struct rv_quic_close *close) {
  static const char *const kinds[] = { "transport", "application", "idle",
    "handshake_timeout", "reset" };

  lua_newtable(L);
  lua_pushstring(L, kinds[close->kind]);
  lua_setfield(L, -2, "kind");
  set_boolean(L, "by_peer", close->by_peer);
  set_integer(L, "code", close->code);
  lua_pushlstring(L, close->reason.data, close->reason.length);
  lua_setfield(L, -2, "reason");
}

static int world_peer(lua_State *L) {
  struct quic_peer *peer = quic_world_check_peer(L, 2);
  struct rv_quic_connection *connection = peer->connection;
  struct rv_span name;

  lua_newtable(L);
  set_boolean(L, "handshake", peer->handshake);
  set_integer(L, "closed_streams", peer->closed_streams);
  set_integer(L, "opened_by_peer", peer->opened_by_peer);
  set_integer(L, "credits", peer->credits);
  if (peer->closed) {
    push_close(L, &peer->close);
    lua_setfield(L, -2, "closed");
  }
  if (!connection)
    return 1;
  name = rv_quic_connection_server_name(connection);
  lua_pushlstring(L, name.data ? name.data : "", name.length);
  lua_setfield(L, -2, "server_name");
  set_integer(L, "last_received", rv_quic_connection_last_received(connection));
  set_integer(L, "pto", rv_quic_connection_pto(connection));
  set_integer(L, "window_left", rv_quic_connection_window_left(connection));
  set_integer(L, "peer_initial_window",
      rv_quic_connection_peer_initial_window(connection));
  set_integer(
      L, "streams_left", rv_quic_connection_streams_left(connection, true));
  set_boolean(L, "has_unacknowledged",
      rv_quic_connection_silent_since(connection) != RV_NEVER);
  char text[RV_ADDRESS_TEXT_SIZE];
  lua_pushstring(
      L, rv_address_print(rv_quic_connection_peer(connection), text));
  lua_setfield(L, -2, "address");
  return 1;
}

static int world_flow(lua_State *L) {
  struct quic_flow *flow =
      quic_peer_flow(quic_world_check_peer(L, 2), luaL_checkinteger(L, 3));

  if (!flow)
    return 0;
  lua_newtable(L);
  set_integer(L, "sent", flow->sent);
  set_integer(L, "received", flow->received);
  set_integer(L, "acknowledged", flow->acknowledged);
  set_integer(L, "most_window", flow->most_window);
  set_boolean(L, "fin_received", flow->fin_received);
  set_boolean(L, "blocked", flow->blocked);
  set_boolean(L, "intact", flow->intact);
  set_boolean(L, "closed", flow->closed);
  if (flow->reset)
    set_integer(L, "reset", flow->reset_code);
  if (flow->stopped)
    set_integer(L, "stopped", flow->stop_code);
  return 1;
}

/* world:open(peer, bytes, "bidi" | "uni") */
static int world_open(lua_State *L) {
  const char *const kinds[] = { "bidi", "uni", NULL };
  int64_t id = quic_peer_open(quic_world_check_peer(L, 2),
      (size_t)luaL_checkinteger(L, 3),
      luaL_checkoption(L, 4, "bidi", kinds) == 0);

  if (id < 0)
    return quic_world_push_result(L, (int)id);
  lua_pushinteger(L, id);
  return 1;
}

/* world:set(peer, "hold_credit" | "refuse", boolean) */
static int world_set(lua_State *L) {
  const char *const names[] = { "hold_credit", "refuse", NULL };
  struct quic_peer *peer = quic_world_check_peer(L, 2);
  bool value = lua_toboolean(L, 4);

  if (luaL_checkoption(L, 3, NULL, names) == 0)
    peer->hold_credit = value;
  else
    peer->refuse = value;
  return 0;
}

static int world_credit(lua_State *L) {
  rv_quic_connection_credit(check_connection(L, 2), luaL_checkinteger(L, 3),
      (size_t)luaL_checkinteger(L, 4));
  return 0;
}

static int world_reset(lua_State *L) {
  rv_quic_connection_reset_stream(check_connection(L, 2),
      luaL_checkinteger(L, 3), (uint64_t)luaL_checkinteger(L, 4));
  return 0;
}

static int world_stop(lua_State *L) {
  rv_quic_connection_stop_stream(check_connection(L, 2),
      luaL_checkinteger(L, 3), (uint64_t)luaL_checkinteger(L, 4));
  return 0;
}

static int world_close(lua_State *L) {
  size_t length;
  const char *reason = luaL_optlstring(L, 4, "", &length);

  rv_quic_connection_close(check_connection(L, 2), RV_QUIC_CLOSE_APPLICATION,
      (uint64_t)luaL_checkinteger(L, 3), (struct rv_span){ reason, length });
  return 0;
}

static int world_ping(lua_State *L) {
  rv_quic_connection_ping(check_connection(L, 2));
  return 0;
}

static int world_accept(lua_State *L) {
  rv_quic_connection_accept(check_connection(L, 2));
  return 0;
}

/* world:migrate(peer, endpoint): after its socket moved */
static int world_migrate(lua_State *L) {
  struct endpoint *endpoint = quic_world_check_endpoint(L, 3);

  return quic_world_push_result(
      L, rv_quic_connection_migrate(
             check_connection(L, 2), simnet_socket_address(endpoint->socket)));
}

const luaL_Reg quic_world_peer_methods[] = {
  { "peer", world_peer },
  { "flow", world_flow },
  { "open", world_open },
  { "set", world_set },
  { "credit", world_credit },
  { "reset", world_reset },
  { "stop", world_stop },
  { "close", world_close },
  { "ping", world_ping },
  { "accept", world_accept },
  { "migrate", world_migrate },
  { NULL, NULL },
};

/* It has no functions of its own: require "spec.quic". */
int luaopen_spec_quic_calls(lua_State *L);
int luaopen_spec_quic_calls(lua_State *L) {
  lua_newtable(L);
  return 1;
}
