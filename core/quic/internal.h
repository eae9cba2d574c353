/* SPDX-License-Identifier: MIT */
/* What the files of quic/ share; nobody else includes this. */
#ifndef RV_QUIC_INTERNAL_H
#define RV_QUIC_INTERNAL_H

#include "quic/endpoint.h"
#include "quic/ids.h"
#include "quic/linger.h"
#include "quic/newcomers.h"
#include "quic/pending.h"
#include "quic/tls_session.h"
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

enum {
  RV_QUIC_ID_SIZE = 8,       /* of ids that we issue */
  RV_QUIC_MAX_BURST = 65000, /* UDP_SEGMENT takes less than 64 KiB at once */
  RV_QUIC_MAX_REASON = 255
};

/* Packets that the sink did not take: they have numbers, so they are kept. */
struct rv_quic_backlog {
  struct rv_address local, remote;
  uint8_t *data;
  size_t length, offset, segment_size;
  uint8_t ecn;
};

struct rv_quic_endpoint {
  struct rv_engine *engine;
  struct rv_datagram_sink *sink;
  struct rv_quic_settings settings;
  struct rv_tls_context *server_tls;
  char *alpn; /* NULL: none */
  void (*on_accept)(
      struct rv_quic_endpoint *endpoint, struct rv_quic_connection *connection);
  void *user_data;

  struct rv_map ids;    /* of connections and of what lingers */
  struct rv_map resets; /* stateless reset tokens that peers gave us */
  struct rv_list connections;
  struct rv_quic_lingerers lingerers;
  struct rv_quic_pending pending;
  struct rv_quic_newcomers newcomers;
  struct rv_quic_secrets secrets;
  size_t retry_threshold;
  uint64_t reset_tokens, reset_time; /* a bucket that bounds resets */

  uint8_t *send_buffer; /* RV_QUIC_MAX_BURST bytes */
  struct rv_quic_backlog backlog;
  struct rv_list waiting; /* connections that would write but for the backlog */

  struct rv_quic_stats stats;
  bool closing;
  struct rv_job free_job;
  void (*on_freed)(void *user_data);
  void *on_freed_user_data;
};

enum rv_quic_state {
  RV_QUIC_OPEN,
  RV_QUIC_CLOSING, /* `close` is set: the next write is the last */
  RV_QUIC_ENDED    /* nothing is sent or received any more */
};

/* Calls that cannot be made while a packet is built. */
struct rv_quic_deferred {
  struct rv_quic_credit {
    int64_t stream_id;
    uint64_t length;
  } * credits;
  size_t count, capacity, released_streams;
};

/* ngtcp2 does not report the streams that are open when a connection ends. */
struct rv_quic_stream {
  struct rv_list node;
  int64_t id;
  uint64_t window;       /* bytes that the peer may send ahead of the reader */
  uint64_t consumed;     /* of the current window */
  uint64_t unread;       /* bytes that came and were not consumed */
  uint64_t window_since; /* engine time */
};

struct rv_quic_connection {
  struct rv_quic_endpoint *endpoint;
  struct rv_list node;
  struct rv_quic_application *application; /* NULL until it is set */
  ngtcp2_conn *transport;
  ngtcp2_crypto_conn_ref reference;
  WOLFSSL *tls; /* NULL on a server after the handshake */
  struct rv_tls_context *tls_context;
  struct rv_quic_route route, resets;
  struct rv_list streams; /* those of which on_stream_closed is due */
  struct rv_list waiting;
  struct rv_job write_job, end_job;
  struct rv_timer timer;
  struct rv_address local, peer, counted_as;
  uint64_t last_received;
  uint64_t withheld; /* connection credit not given before acceptance */
  uint64_t window, max_window;
  uint64_t stream_window, max_stream_window;
  uint64_t keep_alive_period;
  uint64_t in_flight;       /* bytes, after the last write */
  uint64_t in_flight_since; /* engine time: no other number since then */
  uint64_t owed_since;      /* engine time: never nothing since then */
  char *server_name;
  struct rv_quic_deferred deferred;

  enum rv_quic_state state;
  struct rv_quic_close close;
  char *reason;
  bool server, accepted, pending;
  bool handshake_completed; /* by ngtcp2's word */
  bool handshake_reported;  /* to the application */
  bool building;            /* within a packet: see rv_quic_deferred */
  bool silent;              /* ends without CONNECTION_CLOSE */
  bool reset;               /* a stateless reset came */
  bool ping;
  bool timed;     /* woken by its timer: probes may be due, more than one */
  bool exhausted; /* the application had nothing more for the last packet */
};

/* connection.c */
struct rv_quic_incoming {
  const struct rv_datagram *datagram;
  const ngtcp2_pkt_hd *header;
  const ngtcp2_cid *original_id; /* after a Retry; else NULL */
};
int rv_quic_connection_new_server(struct rv_quic_connection **connection,
    struct rv_quic_endpoint *endpoint, const struct rv_quic_incoming *incoming);
/* An error of ngtcp2: ends the connection as it demands. */
void rv_quic_connection_fail(struct rv_quic_connection *connection, int error);
/* Ends without a word to the peer. */
void rv_quic_connection_drop(struct rv_quic_connection *connection,
    enum rv_quic_close_kind kind, uint64_t code);
/* After the last write: what remains is done at the end of the turn. */
void rv_quic_connection_end(struct rv_quic_connection *connection);
void rv_quic_connection_stop_pending(struct rv_quic_connection *connection);
/* Calls that waited for the end of a packet. */
void rv_quic_connection_run_deferred(struct rv_quic_connection *connection);

/* control.c: NULL without memory; freeing NULL is fine */
struct rv_quic_stream *rv_quic_stream_new(
    struct rv_quic_connection *connection, int64_t stream_id);
void rv_quic_stream_free(struct rv_quic_stream *stream);

/* window.c */
void rv_quic_window_init(
    const struct rv_quic_connection *connection, struct rv_quic_stream *stream);
/* So many bytes have come. */
void rv_quic_window_received(struct rv_quic_stream *stream, uint64_t length);

/* The reader has taken so many bytes: how much credit the peer gets for them,
   more than that where the window is to grow. */
uint64_t rv_quic_window_consumed(const struct rv_quic_connection *connection,
    struct rv_quic_stream *stream, uint64_t length);

/* settings.c */
struct rv_quic_settings rv_quic_settings_complete(
    const struct rv_quic_settings *settings);
void rv_quic_settings_apply(const struct rv_quic_settings *settings,
    struct rv_engine *engine, ngtcp2_settings *transport,
    ngtcp2_transport_params *parameters);
void rv_quic_callbacks_init(ngtcp2_callbacks *callbacks); /* callbacks.c */

/* input.c */
/* 0, or NGTCP2_ERR_RETRY: drop it and send a Retry. */
int rv_quic_connection_read(
    struct rv_quic_connection *connection, const struct rv_datagram *datagram);
/* A newcomer's datagram, whose connection may be there by now. */
void rv_quic_accept(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram);

/* output.c */
void rv_quic_connection_on_write(struct rv_job *job);
/* REVERST_ERR_AGAIN: the sink is full. The first datagram that it did not take
   is kept and goes later; further ones are dropped until then. */
int rv_quic_endpoint_send(
    struct rv_quic_endpoint *endpoint, const struct rv_datagram *datagram);
static inline bool rv_quic_endpoint_blocked(
    const struct rv_quic_endpoint *endpoint) {
  return endpoint->backlog.data != NULL;
}

/* stateless.c: answers without a connection */
void rv_quic_send_version_negotiation(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_version_cid *ids);
void rv_quic_send_refusal(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header,
    uint64_t code);
void rv_quic_send_retry(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header);
void rv_quic_send_stateless_reset(struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_version_cid *ids);
int rv_quic_make_reset_token(const struct rv_quic_endpoint *endpoint,
    const ngtcp2_cid *id, uint8_t *token);
/* A Retry token: 0 and the id of the first Initial, or negative. */
int rv_quic_check_retry_token(const struct rv_quic_endpoint *endpoint,
    const struct rv_datagram *datagram, const ngtcp2_pkt_hd *header,
    ngtcp2_cid *original_id);
/* A fresh id: the first byte is reserved for its owner. */
void rv_quic_make_id(struct rv_quic_endpoint *endpoint, ngtcp2_cid *id);

static inline void rv_quic_path_set(ngtcp2_path_storage *path,
    const struct rv_address *local, const struct rv_address *remote) {
  ngtcp2_path_storage_init(
      path, &local->any, local->length, &remote->any, remote->length, NULL);
}

static inline void rv_quic_address_set(
    struct rv_address *address, const ngtcp2_addr *from) {
  memcpy(&address->any, from->addr, from->addrlen);
  address->length = from->addrlen;
}

#endif
