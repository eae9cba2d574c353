/* SPDX-License-Identifier: MIT */
/* The world of spec.quic: what its two halves share. */
#ifndef SPEC_QUIC_WORLD_H
#define SPEC_QUIC_WORLD_H

#include "quic/endpoint.h"
#include "quic_peer.h"
#include "simnet.h"
#include <lauxlib.h>

enum { MAX_ENDPOINTS = 8, MAX_PEERS = 512, MAX_LOG = 4096 };

struct endpoint {
  struct world *world;
  struct simnet_host *host;
  struct simnet_socket *socket;
  struct rv_quic_endpoint *endpoint; /* NULL when freed */
  struct rv_chunk *hog;              /* while it is short of memory */
  bool echo, accept;
};

struct world {
  struct simnet *net;
  struct endpoint endpoints[MAX_ENDPOINTS];
  struct quic_peer *peers[MAX_PEERS];
  size_t peer_endpoint[MAX_PEERS];
  size_t endpoint_count, peer_count;
  char log[MAX_LOG];
};

/* Arguments of a method; each raises an error when it is wrong. */
struct world *quic_world_check(lua_State *L);
struct endpoint *quic_world_check_endpoint(lua_State *L, int index);
struct quic_peer *quic_world_check_peer(lua_State *L, int index);

/* true; or nil and the name of the error. */
int quic_world_push_result(lua_State *L, int r);

/* Methods on peers (quic_calls.c). */
extern const luaL_Reg quic_world_peer_methods[];

#endif
