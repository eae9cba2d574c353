/* SPDX-License-Identifier: MIT */
/* One attempt to have a tunnel, and the tunnel that comes of it: a socket, an
   endpoint and a connection of its own. */
#ifndef RV_CLIENT_DIAL_H
#define RV_CLIENT_DIAL_H

#include "event/udp.h"
#include "tunnel/client_tunnel.h"
#include <reverst/client.h>

struct rv_dial;

struct rv_dial_events {
  /* The handshake is done; it waits for rv_dial_register. */
  void (*on_ready)(struct rv_dial *dial, void *user_data);
  void (*on_registered)(struct rv_dial *dial, void *user_data);
  void (*on_draining)(struct rv_dial *dial, void *user_data);
  /* rv_dial_is_silent has changed. */
  void (*on_silence)(struct rv_dial *dial, void *user_data);
  /* The last call; `end` lacks only retry_in. It frees itself afterwards. */
  void (*on_ended)(
      struct rv_dial *dial, const reverst_disconnect *end, void *user_data);
};

struct rv_dial_options {
  struct rv_loop *loop;
  const struct rv_address *remote;
  struct rv_tls_context *tls;
  const char *server_name;
  struct rv_quic_settings settings;
  const struct rv_message *registration;
  uint64_t registration_timeout; /* 0: the default */
  struct rv_qpack *qpack;
  struct rv_handler *handler;
  const struct rv_dial_events *events;
  void *user_data;
};

int rv_dial_start(struct rv_dial **dial, const struct rv_dial_options *options);

/* Once, in or after on_ready. */
void rv_dial_register(struct rv_dial *dial);

/* No new requests; see rv_client_tunnel_drain. */
void rv_dial_drain(struct rv_dial *dial);

/* on_ended follows. */
void rv_dial_close(struct rv_dial *dial);

/* Registered, but the server does not answer a PING. */
bool rv_dial_is_silent(const struct rv_dial *dial);
size_t rv_dial_active(const struct rv_dial *dial);

#endif
