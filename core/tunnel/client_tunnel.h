/* SPDX-License-Identifier: MIT */
/* A tunnel as the client has it: dials, registers, and then answers requests.
 */
#ifndef RV_TUNNEL_CLIENT_TUNNEL_H
#define RV_TUNNEL_CLIENT_TUNNEL_H

#include "quic/endpoint.h"
#include "tunnel/features.h"
#include "tunnel/link.h"
#include "tunnel/message.h"
#include "tunnel/refusal.h"

struct rv_client_tunnel;

/* Called from jobs of the turn, never within a library. */
struct rv_client_tunnel_events {
  /* The handshake is done. NULL: then it registers at once, else it waits for
     rv_client_tunnel_register. */
  void (*on_ready)(struct rv_client_tunnel *tunnel, void *user_data);
  void (*on_registered)(struct rv_client_tunnel *tunnel, void *user_data);
  /* The server asks to dial anew; this tunnel goes on until it closes. */
  void (*on_draining)(struct rv_client_tunnel *tunnel, void *user_data);
  /* The server, who had registered it, does not answer a PING, or answers again
     (rv_client_tunnel_is_silent). May be NULL. */
  void (*on_silence)(struct rv_client_tunnel *tunnel, void *user_data);
  /* The last call. `refused`: the server did not accept the registration, for
     the reason in `close`. It frees itself afterwards. */
  void (*on_closed)(struct rv_client_tunnel *tunnel,
      const struct rv_quic_close *close, bool refused, void *user_data);
};

struct rv_client_tunnel_options {
  struct rv_engine *engine;
  struct rv_quic_endpoint *endpoint;
  const struct rv_quic_connect_options *connect; /* all but its application */
  const struct rv_message *registration;         /* copied */
  struct rv_qpack *qpack;
  const struct rv_limits *limits; /* NULL: the defaults */
  struct rv_handler *handler;     /* takes the requests */
  uint64_t answer_timeout;        /* to the answer, after the handshake: 30 s */
  const struct rv_client_tunnel_events *events;
  void *user_data;
};

/* REVERST_ERR_INVALID: the registration breaks a bound of the protocol. */
int rv_client_tunnel_new(struct rv_client_tunnel **tunnel,
    const struct rv_client_tunnel_options *options);

/* Once, in or after on_ready. */
void rv_client_tunnel_register(struct rv_client_tunnel *tunnel);

bool rv_client_tunnel_is_silent(const struct rv_client_tunnel *tunnel);

/* Refuses new requests; the server stops sending any (GOAWAY). */
void rv_client_tunnel_drain(struct rv_client_tunnel *tunnel);

/* Ends it, by code 0 and no reason, as Go clients do. on_closed follows. */
void rv_client_tunnel_close(struct rv_client_tunnel *tunnel);

size_t rv_client_tunnel_active(const struct rv_client_tunnel *tunnel);

#endif
