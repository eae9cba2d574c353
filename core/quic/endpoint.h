/* SPDX-License-Identifier: MIT */
/* A QUIC endpoint: the connections of one UDP socket. */
#ifndef RV_QUIC_ENDPOINT_H
#define RV_QUIC_ENDPOINT_H

#include "quic/connection.h"
#include "quic/datagram.h"

#define RV_QUIC_ALWAYS SIZE_MAX

enum { RV_QUIC_SECRET_SIZE = 32 };

/* Another endpoint with the same ones, such as one after a restart, can answer
   for what this one said. */
struct rv_quic_secrets {
  uint8_t reset[RV_QUIC_SECRET_SIZE]; /* of stateless resets */
  uint8_t retry[RV_QUIC_SECRET_SIZE]; /* of Retry tokens */
};

struct rv_quic_endpoint_options {
  struct rv_engine *engine;
  struct rv_datagram_sink *sink;
  struct rv_quic_settings settings; /* of accepted connections */
  /* NULL: accepts none. A reference is taken. */
  struct rv_tls_context *server_tls;
  const char *alpn; /* "quic-h3-tunnel"; NULL: none is offered, any taken */

  /* Bounds of connections that are not accepted yet
     (rv_quic_connection_accept): 16 384 in all, 256 per address
     (rv_address_limit_key); a newcomer beyond them is refused with
     CONNECTION_REFUSED. 0: these defaults. */
  size_t max_pending, max_pending_per_address;

  /* With so many of them, a newcomer must first prove by a Retry (RFC 9000
     section 8.1.2) that its address is its own: until then it costs nothing.
     Likewise with half of those that one address may have. 0: 1 024;
     RV_QUIC_ALWAYS: everyone must. */
  size_t retry_threshold;

  const struct rv_quic_secrets *secrets; /* copied; NULL: made up */

  /* A connection came in (its first packet was valid): set an application, or
     close it. Not within ngtcp2. */
  void (*on_accept)(
      struct rv_quic_endpoint *endpoint, struct rv_quic_connection *connection);
  void *user_data;
};

int rv_quic_endpoint_new(struct rv_quic_endpoint **endpoint,
    const struct rv_quic_endpoint_options *options);

/* Closes what is open (on_closed comes for each, CONNECTION_CLOSE is sent) and
   frees the endpoint at the end of the turn: then `on_freed`, which may be
   NULL. */
void rv_quic_endpoint_close(struct rv_quic_endpoint *endpoint,
    void (*on_freed)(void *user_data), void *user_data);

void *rv_quic_endpoint_user_data(const struct rv_quic_endpoint *endpoint);

/* New certificates for connections to come. */
void rv_quic_endpoint_set_server_tls(
    struct rv_quic_endpoint *endpoint, struct rv_tls_context *tls);

/* Takes received datagrams: any bytes from anyone. engine->now must be fresh.
 */
void rv_quic_endpoint_receive(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram);

/* The sink takes datagrams again after it said REVERST_ERR_AGAIN. */
void rv_quic_endpoint_writable(struct rv_quic_endpoint *endpoint);

struct rv_quic_connect_options {
  const struct rv_address *local, *remote;
  struct rv_tls_context *tls; /* a client's; a reference is taken */
  const char *server_name;    /* SNI and certificate check */
  struct rv_quic_settings settings;
  struct rv_quic_application *application;
};

/* Starts a handshake. The application hears on_handshake_completed or
   on_closed. */
int rv_quic_endpoint_connect(struct rv_quic_endpoint *endpoint,
    struct rv_quic_connection **connection,
    const struct rv_quic_connect_options *options);

/* Counters since the start. */
struct rv_quic_stats {
  uint64_t datagrams_received, datagrams_sent, send_batches, dropped, refused,
      retries, version_negotiations, stateless_resets;
};
const struct rv_quic_stats *rv_quic_endpoint_stats(
    const struct rv_quic_endpoint *endpoint);

#endif
