/* SPDX-License-Identifier: MIT */
/* The world of spec.simtunnel: a server without its sockets, clients, visitors
   and raw peers on the simulated network. What its parts share. */
#ifndef SPEC_SIMTUNNEL_H
#define SPEC_SIMTUNNEL_H

#include "client/request.h"
#include "server/server.h"
#include "simnet.h"
#include "tunnel/client_tunnel.h"
#include <lauxlib.h>

enum {
  SIM_MAX_CLIENTS = 5,
  SIM_MAX_TUNNELS = 64,
  SIM_MAX_VISITS = 4096,
  SIM_MAX_DECISIONS = 64,
  SIM_MAX_RAWS = 64,
  SIM_MAX_LOG = 65536
};

/* How the handler at the far end answers. */
enum sim_mode {
  SIM_AFTER,      /* reads all, then answers */
  SIM_AT_ONCE,    /* answers while it reads */
  SIM_IGNORE,     /* answers and reads nothing */
  SIM_WHOLE,      /* reads all, then answers in one call */
  SIM_ABORT,      /* breaks its answer off in the middle */
  SIM_ABORT_HEAD, /* breaks off before a head */
  SIM_NEVER
};

enum sim_outcome {
  SIM_RUNNING,
  SIM_ANSWERED,
  SIM_ABORTED, /* behind a head, visibly */
  SIM_FAILED,  /* without a head */
  SIM_CANCELLED
};

struct sim_world;

/* A visitor's request, its plan, and what came of it. */
struct sim_visit {
  struct sim_world *world;
  size_t id; /* from 1 */
  char method[16];
  uint64_t up, down, delay, read_pause, cancel_after;
  enum sim_mode mode;
  bool with_length, with_trailers;
  bool elsewhere; /* only a plan: a raw server asks for it */

  struct rv_waker waker;
  struct rv_job job;
  struct rv_timer read_timer, cancel_timer;
  struct rv_exchange *exchange; /* NULL: over */
  uint64_t pushed, received, started_at, ended_at;
  size_t allowance; /* bytes that may be read now, when it reads slowly */
  bool saw_head;
  int status;
  unsigned tries;
  uint64_t tunnel_id; /* the last one that had it */
  enum sim_outcome outcome;
  enum rv_failure failure;

  unsigned executions, answers; /* by handlers, of all clients */
};

struct sim_client {
  struct sim_world *world;
  struct simnet_host *host;
  struct simnet_socket *socket;
  struct rv_quic_endpoint *endpoint; /* NULL: closed */
  struct rv_qpack *qpack;
  struct rv_application application;
};

struct sim_tunnel {
  struct sim_world *world;
  struct rv_client_tunnel *tunnel; /* NULL: closed */
  bool registered, draining, silent, refused;
  uint64_t registered_at, silence_at, closed_at;
  struct rv_quic_close close;
  char reason[256];
};

/* A registration that the server's owner decides by the credentials. */
struct sim_decision {
  struct sim_world *world;
  reverst_registration *registration; /* NULL: decided */
  struct rv_timer timer;
  bool accept;
};

struct sim_flow;

/* A QUIC connection whose bytes the spec writes and reads itself. */
struct sim_raw {
  struct rv_quic_application application;
  struct sim_world *world;
  struct rv_quic_connection *connection; /* NULL: closed */
  struct sim_flow *flows;
  bool is_server, handshake;
  uint64_t closed_at;
  struct rv_quic_close close;
  char reason[256];
};

struct sim_raw_endpoint {
  struct sim_world *world;
  struct simnet_host *host; /* NULL: not made */
  struct simnet_socket *socket;
  struct rv_quic_endpoint *endpoint;
};

struct sim_world {
  struct simnet *net;
  const char *certificate, *key; /* paths; held by the user value */

  struct simnet_host *host;
  struct simnet_socket *socket;
  struct reverst_server server; /* its parts but for sockets and front */

  struct sim_client clients[SIM_MAX_CLIENTS];
  struct sim_tunnel *tunnels[SIM_MAX_TUNNELS];
  struct sim_visit *visits[SIM_MAX_VISITS];
  struct sim_decision *decisions[SIM_MAX_DECISIONS];
  struct sim_raw *raws[SIM_MAX_RAWS];
  size_t client_count, tunnel_count, visit_count, decision_count, raw_count;
  size_t running; /* visits */
  struct sim_raw_endpoint raw_client, raw_server;

  char fault[256]; /* the first broken promise; empty: none */
  char log[SIM_MAX_LOG];
  char shown[256]; /* to the policy: ids of tunnels */
  uint64_t shown_generation;
};

/* A promise was broken: noted once, with the id of the visit. */
void sim_fault(struct sim_world *world, size_t visit, const char *what);

/* What byte comes at this place of a body; requests and answers differ. */
static inline uint8_t sim_pattern(size_t id, bool answer, uint64_t offset) {
  return (
      uint8_t)(offset * 31 + (offset >> 8) * 7 + id * 11 + (answer ? 5 : 0));
}
bool sim_is_pattern(size_t id, bool answer, uint64_t offset,
    const uint8_t *data, size_t length);
void sim_fill_pattern(
    size_t id, bool answer, uint64_t offset, uint8_t *data, size_t length);

/* The handler of clients (simtunnel_answer.c). */
void sim_on_request(reverst_request *request, void *user_data);

/* Visits (simtunnel_visit.c): the plan is filled in. */
void sim_visit_start(struct sim_visit *visit);
void sim_visit_cancel(struct sim_visit *visit);
const char *sim_outcome_name(const struct sim_visit *visit);
/* What must hold when all is over. */
void sim_visit_check(struct sim_visit *visit);

/* The server (simtunnel_server.c); options are those of world(). */
void sim_server_init(struct sim_world *world);
int sim_server_open(struct sim_world *world, lua_State *L, int table);
void sim_server_decide_all(struct sim_world *world);

/* Raw peers (simtunnel_raw.c). */
void sim_raw_free_all(struct sim_world *world);
void sim_raw_close_endpoints(struct sim_world *world);

/* Arguments and options. */
struct sim_world *sim_check_world(lua_State *L);
lua_Integer sim_get_integer(lua_State *L, int table, const char *key);
bool sim_get_boolean(lua_State *L, int table, const char *key);
const char *sim_get_string(lua_State *L, int table, const char *key);
void sim_push_close(lua_State *L, const struct rv_quic_close *close,
    const char *reason, uint64_t closed_at);
struct rv_quic_settings sim_get_settings(lua_State *L, int table);

void sim_set_integer(lua_State *L, const char *key, uint64_t value);
void sim_set_boolean(lua_State *L, const char *key, bool value);
void sim_set_string(lua_State *L, const char *key, const char *value);

/* Methods of the world. */
extern const luaL_Reg sim_server_methods[], sim_raw_methods[];

#endif
