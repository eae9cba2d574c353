/* SPDX-License-Identifier: MIT */
/* A tunnel as the server has it: an accepted QUIC connection that registers, is
   accepted or refused, and then carries requests. */
#ifndef RV_TUNNEL_SERVER_TUNNEL_H
#define RV_TUNNEL_SERVER_TUNNEL_H

#include "tunnel/features.h"
#include "tunnel/link.h"
#include "tunnel/message.h"
#include "tunnel/refusal.h"

struct rv_server_tunnel;

/* Called from jobs of the turn, never within a library. */
struct rv_server_tunnel_events {
  /* The registration is there (rv_server_tunnel_registration): decide, now or
     later. */
  void (*on_registration)(struct rv_server_tunnel *tunnel, void *user_data);
  /* It may take requests again, or is draining: look. */
  void (*on_news)(struct rv_server_tunnel *tunnel, void *user_data);
  /* The last call; exchanges on it have failed. It frees itself afterwards. */
  void (*on_closed)(struct rv_server_tunnel *tunnel,
      const struct rv_quic_close *close, void *user_data);
};

struct rv_server_tunnel_options {
  struct rv_engine *engine;
  struct rv_quic_connection *connection; /* just accepted by the endpoint */
  struct rv_qpack *qpack;
  const struct rv_limits *limits; /* NULL: the defaults */
  /* From the first packet to the decision: 10 s. */
  uint64_t registration_timeout;
  const struct rv_server_tunnel_events *events;
  void *user_data;
};

int rv_server_tunnel_new(struct rv_server_tunnel **tunnel,
    const struct rv_server_tunnel_options *options);

/* Valid from on_registration until the decision. */
const struct rv_message *rv_server_tunnel_registration(
    const struct rv_server_tunnel *tunnel);

/* Is the decision still to be made? Not once the tunnel is closing. */
bool rv_server_tunnel_is_undecided(const struct rv_server_tunnel *tunnel);

/* The decision, once; nothing happens if the tunnel is closing. */
void rv_server_tunnel_accept(struct rv_server_tunnel *tunnel);
void rv_server_tunnel_refuse(
    struct rv_server_tunnel *tunnel, enum rv_refusal refusal);

void rv_server_tunnel_close(
    struct rv_server_tunnel *tunnel, uint64_t code, struct rv_span reason);

/* Sends a request through. REVERST_ERR_AGAIN: no stream is free (on_news
   comes); REVERST_ERR_CLOSED: not live. The exchange is then untouched. */
int rv_server_tunnel_submit(
    struct rv_server_tunnel *tunnel, struct rv_exchange *exchange);

/* Lets its peer show that it is there: one that is not becomes suspect. */
void rv_server_tunnel_ping(struct rv_server_tunnel *tunnel);

/* Asks a peer that understands it to dial anew elsewhere (GOAWAY). */
void rv_server_tunnel_drain(struct rv_server_tunnel *tunnel);

bool rv_server_tunnel_is_live(const struct rv_server_tunnel *tunnel);
bool rv_server_tunnel_is_draining(const struct rv_server_tunnel *tunnel);
/* Owes us an answer and has been silent for max(1 s, 3 PTO). */
bool rv_server_tunnel_is_suspect(const struct rv_server_tunnel *tunnel);
uint64_t rv_server_tunnel_streams_left(const struct rv_server_tunnel *tunnel);
size_t rv_server_tunnel_active(const struct rv_server_tunnel *tunnel);
const struct rv_address *rv_server_tunnel_peer(
    const struct rv_server_tunnel *tunnel);
struct rv_span rv_server_tunnel_server_name(
    const struct rv_server_tunnel *tunnel);

#endif
