/* SPDX-License-Identifier: MIT */
/* The server object: what its parts share. */
#ifndef RV_SERVER_SERVER_H
#define RV_SERVER_SERVER_H

#include "base/log_quota.h"
#include "event/udp.h"
#include "quic/endpoint.h"
#include "server/front.h"
#include "server/groups.h"
#include "server/instances.h"
#include "server/options.h"
#include "server/registration.h"
#include "server/router.h"
#include "tls/secret.h"

enum rv_server_state {
  RV_SERVER_RUNNING,
  RV_SERVER_DRAINING, /* what is under way may finish */
  RV_SERVER_CLOSING,  /* all is being closed */
  RV_SERVER_CLOSED
};

struct reverst_server {
  struct rv_loop *loop;
  struct rv_engine *engine;
  enum rv_server_state state;

  struct rv_udp *udp;
  struct rv_quic_endpoint *endpoint;
  struct rv_qpack *qpack;
  struct rv_front *front;
  struct rv_groups groups;
  struct rv_list removed; /* groups whose tunnels have yet to be told */
  struct rv_job removal_job;
  struct rv_router router;

  struct rv_registration_owner registration_owner;
  struct rv_list tunnels; /* all connections, registered or not */
  uint64_t last_id;
  struct rv_instances instances;
  struct rv_retirement retirement;
  uint64_t registration_timeout;
  uint64_t tunnel_count, pending_count, accepted_count, refused_count;
  struct rv_log_quota refusal_quota; /* of entries */

  struct rv_secret_root application; /* see reverst_server_derive_secret */
  char *certificate_path, *private_key_path; /* read anew on demand */
  uint64_t drain_timeout;
  struct rv_timer drain_timer;
  struct rv_job drain_job, close_job;
  bool endpoint_is_closed, front_is_empty;
  void (*on_closed)(void *user_data);
  void *on_closed_data;

  char *default_host; /* NULL: none */
  char tunnel_address[RV_ADDRESS_TEXT_SIZE];
  char http_addresses[RV_SERVER_MAX_ADDRESSES][RV_ADDRESS_TEXT_SIZE];
};

/* server/tunnels.c: connections that come in, until they have gone. */
void rv_server_on_accept(
    struct rv_quic_endpoint *endpoint, struct rv_quic_connection *connection);
void rv_server_init_tunnels(struct reverst_server *server);
void rv_server_deinit_tunnels(struct reverst_server *server); /* none left */
void rv_server_drain_tunnels(struct reverst_server *server);
void rv_server_close_tunnels(struct reverst_server *server);

/* server/routing.c: groups. */
void rv_server_init_routing(struct reverst_server *server);
void rv_server_deinit_routing(struct reverst_server *server); /* all ended */

/* Something ended: a server that waits for it looks again. */
void rv_server_check_closing(struct reverst_server *server);

#endif
