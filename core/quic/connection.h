/* SPDX-License-Identifier: MIT */
/* One QUIC connection (RFC 9000) over ngtcp2, and what rides on it. */
#ifndef RV_QUIC_CONNECTION_H
#define RV_QUIC_CONNECTION_H

#include "base/address.h"
#include "base/engine.h"
#include "base/span.h"
#include "tls/context.h"
#include <sys/uio.h>

struct rv_quic_connection;
struct rv_quic_endpoint;

enum rv_quic_close_kind {
  RV_QUIC_CLOSE_TRANSPORT,   /* CONNECTION_CLOSE 0x1c; TLS alerts are 0x100 +
                                alert */
  RV_QUIC_CLOSE_APPLICATION, /* CONNECTION_CLOSE 0x1d */
  RV_QUIC_CLOSE_IDLE,        /* idle timeout: silent */
  RV_QUIC_CLOSE_HANDSHAKE_TIMEOUT,
  RV_QUIC_CLOSE_RESET /* a stateless reset was received */
};

/* Why a connection ended. */
struct rv_quic_close {
  enum rv_quic_close_kind kind;
  bool by_peer;
  uint64_t code;
  struct rv_span reason; /* UTF-8 by convention, any bytes in fact */
};

enum { RV_QUIC_MAX_VECTORS = 16 };

/* What the application wants to send next on one stream. */
struct rv_quic_write {
  int64_t stream_id;
  struct iovec vectors[RV_QUIC_MAX_VECTORS];
  size_t vector_count; /* 0 with fin: a lone FIN */
  bool fin;
};

/* The application on top. All but on_handshake_completed, on_closed are called
   within ngtcp2: there, nothing may be done but to note things, push to pipes,
   wake, add jobs, and call the functions below that are marked [anywhere]. */
struct rv_quic_application {
  /* The handshake is done and the ALPN is right; streams may be opened. The
     first stream bytes of the peer may have come just before, when they were in
     the same datagram. */
  void (*on_handshake_completed)(struct rv_quic_application *application);

  /* Stream bytes in order. Connection credit is returned by the connection at
     once; stream credit is the application's to give
     (rv_quic_connection_credit), except for a stream of which it says so by
     returning REVERST_ERR_CLOSED: then the bytes are dropped and credited.
     Another negative result closes the connection with INTERNAL_ERROR. */
  int (*on_stream_data)(struct rv_quic_application *application,
      int64_t stream_id, const uint8_t *data, size_t length, bool fin);
  void (*on_stream_reset)(struct rv_quic_application *application,
      int64_t stream_id, uint64_t code);
  void (*on_stream_stop_sending)(struct rv_quic_application *application,
      int64_t stream_id, uint64_t code);

  /* Both directions are done: what was handed out for sending may go now. Comes
     for every stream, also before on_closed. */
  void (*on_stream_closed)(
      struct rv_quic_application *application, int64_t stream_id);

  /* So many more of the oldest unacknowledged bytes may go. */
  void (*on_stream_acknowledged)(struct rv_quic_application *application,
      int64_t stream_id, uint64_t length);

  /* The peer raised the window of a stream, or (-1) the number of streams that
     we may open. A grown window of the connection is not told: whoever has
     something to send is asked again after each packet that came. */
  void (*on_credit)(struct rv_quic_application *application, int64_t stream_id);

  /* Packet building asks what to send; false: nothing. Bytes must stay valid
     and unchanged until acknowledged or the stream is closed. Then exactly one
     of the next three follows before it asks again; on_written with length 0
     and without fin when the packet had no room for it. */
  bool (*next_write)(
      struct rv_quic_application *application, struct rv_quic_write *write);
  void (*on_written)(struct rv_quic_application *application, int64_t stream_id,
      size_t length, bool fin);
  void (*on_blocked)(
      struct rv_quic_application *application, int64_t stream_id);
  void (*on_write_shut)(/* reset, stopped or unknown */
      struct rv_quic_application *application, int64_t stream_id);

  /* The last call. The connection frees itself afterwards; it is not within
     ngtcp2. on_stream_closed came for all streams before. */
  void (*on_closed)(struct rv_quic_application *application,
      const struct rv_quic_close *close);
};

/* Transport settings, nanoseconds and bytes; zero: the default given. */
struct rv_quic_settings {
  uint64_t max_idle_timeout;      /* 60 s */
  uint64_t keep_alive_period;     /* 30 s, capped at half of the idle timeout;
                                     RV_NEVER: none */
  uint64_t handshake_timeout;     /* 10 s */
  uint64_t max_streams_bidi;      /* that the peer may open: 100 */
  uint64_t max_streams_uni;       /* 100 */
  uint64_t connection_window;     /* initial_max_data: 128 KiB until accepted */
  uint64_t stream_window;         /* initial: 128 KiB */
  uint64_t max_connection_window; /* 24 MiB */
  uint64_t max_stream_window;     /* 4 MiB */
};

/* Puts an application on an accepted connection (endpoint.h), once, in
   on_accept. */
void rv_quic_connection_set_application(struct rv_quic_connection *connection,
    struct rv_quic_application *application);

/* [anywhere] Something is to be sent: one burst at the end of the turn. */
void rv_quic_connection_touch(struct rv_quic_connection *connection);

/* REVERST_ERR_AGAIN: the peer allows no more streams now. REVERST_ERR_CLOSED,
   REVERST_ERR_NO_MEMORY. Not within ngtcp2. */
int rv_quic_connection_open_stream(
    struct rv_quic_connection *connection, bool bidi, int64_t *stream_id);
uint64_t rv_quic_connection_streams_left(
    const struct rv_quic_connection *connection, bool bidi);

/* [anywhere but in next_write] Stream bytes were consumed: stream credit. */
void rv_quic_connection_credit(
    struct rv_quic_connection *connection, int64_t stream_id, size_t length);

/* [anywhere] RESET_STREAM, STOP_SENDING; harmless for unknown streams. */
void rv_quic_connection_reset_stream(
    struct rv_quic_connection *connection, int64_t stream_id, uint64_t code);
void rv_quic_connection_stop_stream(
    struct rv_quic_connection *connection, int64_t stream_id, uint64_t code);

/* A peer-opened bidi stream is done with: the peer may open another one. Not
   automatic, so that half-done work bounds the number of streams. [anywhere] */
void rv_quic_connection_release_stream(struct rv_quic_connection *connection);

/* [anywhere] Ends the connection with CONNECTION_CLOSE at the end of the turn;
   on_closed follows. The first reason counts. The reason is copied (at most 255
   bytes). */
void rv_quic_connection_close(struct rv_quic_connection *connection,
    enum rv_quic_close_kind kind, uint64_t code, struct rv_span reason);

/* The peer is trusted from now on: connection credit flows, at first 1 MiB of
   it (before, none is given beyond the initial window, so that strangers cost
   little). A client trusts its server when the handshake is done. */
void rv_quic_connection_accept(struct rv_quic_connection *connection);

/* A client moves to another local address of its own (RFC 9000 section 9).
   REVERST_ERR_AGAIN: not before the handshake is confirmed and the peer gave
   spare connection ids. REVERST_ERR_INVALID: it is there already. */
int rv_quic_connection_migrate(
    struct rv_quic_connection *connection, const struct rv_address *local);

/* How long it may be silent until a PING is sent, capped as the settings say;
   RV_NEVER: none is. After the handshake. */
uint64_t rv_quic_connection_keep_alive_period(
    const struct rv_quic_connection *connection);

/* A PING to learn whether the peer is there. */
void rv_quic_connection_ping(struct rv_quic_connection *connection);

/* How many bytes the peer lets us send still; on one stream, on all. */
uint64_t rv_quic_connection_stream_window_left(
    const struct rv_quic_connection *connection, int64_t stream_id);
uint64_t rv_quic_connection_window_left(
    const struct rv_quic_connection *connection);
/* As the peer first declared them (its transport parameters). */
uint64_t rv_quic_connection_peer_initial_window(
    const struct rv_quic_connection *connection);

const struct rv_address *rv_quic_connection_peer(
    const struct rv_quic_connection *connection);
struct rv_span rv_quic_connection_server_name(/* SNI; on the server */
    const struct rv_quic_connection *connection);
uint64_t rv_quic_connection_last_received(
    const struct rv_quic_connection *connection); /* engine time */
/* Since when the peer owes an acknowledgment without a sign of life: the later
   of the last packet from it and the first of ours that it has not
   acknowledged. RV_NEVER: it owes nothing. Engine time. */
uint64_t rv_quic_connection_silent_since(
    const struct rv_quic_connection *connection);
uint64_t rv_quic_connection_pto(
    const struct rv_quic_connection *connection); /* nanoseconds */

#endif
