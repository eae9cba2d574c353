/* SPDX-License-Identifier: MIT */
/* An HTTP/3 session (RFC 9114), requester or responder, whichever end of QUIC
   it is on. Static-table QPACK only. */
#ifndef RV_H3_SESSION_H
#define RV_H3_SESSION_H

#include "http/exchange.h"
#include "http/filter.h"
#include <sys/uio.h>

enum rv_h3_role { RV_H3_REQUESTER, RV_H3_RESPONDER };

/* What the session asks of its transport, which is quic/connection in earnest
   and a table in specs. None of these calls back into the session. They may be
   called in all of the session's functions but rv_h3_session_next_write, where
   only reset_stream, stop_stream, close, touch and stream_window_left are. */
struct rv_h3_transport {
  /* REVERST_ERR_AGAIN: no stream may be opened now. */
  int (*open_stream)(
      struct rv_h3_transport *transport, bool bidi, int64_t *stream_id);
  uint64_t (*streams_left)(const struct rv_h3_transport *transport); /* bidi */
  void (*credit)(
      struct rv_h3_transport *transport, int64_t stream_id, size_t length);
  void (*reset_stream)(
      struct rv_h3_transport *transport, int64_t stream_id, uint64_t code);
  void (*stop_stream)(
      struct rv_h3_transport *transport, int64_t stream_id, uint64_t code);
  /* A request stream that the peer opened is over: it may open another. */
  void (*release_stream)(struct rv_h3_transport *transport);
  uint64_t (*stream_window_left)(
      const struct rv_h3_transport *transport, int64_t stream_id);
  uint64_t (*window_left)(const struct rv_h3_transport *transport);
  void (*close)(
      struct rv_h3_transport *transport, uint64_t code, struct rv_span reason);
  void (*touch)(struct rv_h3_transport *transport);
};

/* The QPACK coders (one each for a whole engine: they hold no state between
   sections; the decoder is replaced after an error). */
struct rv_qpack;
int rv_qpack_new(struct rv_qpack **qpack);
void rv_qpack_free(struct rv_qpack *qpack);

struct rv_h3_options {
  enum rv_h3_role role;
  struct rv_engine *engine;
  struct rv_qpack *qpack;
  struct rv_h3_transport *transport;
  const struct rv_limits *limits; /* NULL: rv_limits_forwarded */
  struct rv_handler *handler;     /* of a responder: takes the requests */
  uint64_t peer_window; /* the peer's initial_max_data: below 4 MiB streams are
                           held back so that stuck ones do not starve others */
  bool strict; /* connection-specific fields are malformed, not dropped */
  bool send_request_trailers; /* the peer can read them */

  /* A requester may be able to submit again (streams, GOAWAY); a drain was
     asked for by the peer. Like a waker: only note it. May be NULL. */
  struct rv_waker *news;
};

struct rv_h3_session;

int rv_h3_session_new(
    struct rv_h3_session **session, const struct rv_h3_options *options);

/* The transport is gone: exchanges without a response head fail (refused if
   nothing of the request was sent or the peer said so, else tunnel_lost),
   others are aborted; then it frees itself at the end of the turn. The
   transport is not called again. */
void rv_h3_session_close(struct rv_h3_session *session);

/* What the peer said after registration (features). */
void rv_h3_session_set_strict(
    struct rv_h3_session *session, bool strict, bool send_request_trailers);

/* ---- requester ---- */

/* Sends the exchange's request; the session becomes its upstream.
   REVERST_ERR_AGAIN: no stream left now; REVERST_ERR_CLOSED: draining or
   closed; REVERST_ERR_MALFORMED: its head may not pass (limits, bytes);
   REVERST_ERR_NO_MEMORY. The exchange is then untouched. */
int rv_h3_session_submit(
    struct rv_h3_session *session, struct rv_exchange *exchange);
uint64_t rv_h3_session_streams_left(const struct rv_h3_session *session);

/* ---- both ---- */

/* Sends GOAWAY (RFC 9114 section 5.2): a responder accepts no new requests
   (they are rejected with H3_REQUEST_REJECTED); a requester asks the peer to go
   elsewhere. */
void rv_h3_session_drain(struct rv_h3_session *session);
bool rv_h3_session_is_draining(
    const struct rv_h3_session *session); /* by the peer */
size_t rv_h3_session_active(
    const struct rv_h3_session *session); /* exchanges */
/* May extended CONNECT be sent? (the peer's SETTINGS said so) */
bool rv_h3_session_can_connect_protocol(const struct rv_h3_session *session);

/* ---- from the transport (within ngtcp2: only notes, pushes, adds jobs) ----
 */

/* Result as rv_quic_application's on_stream_data. */
int rv_h3_session_receive(struct rv_h3_session *session, int64_t stream_id,
    const uint8_t *data, size_t length, bool fin);
void rv_h3_session_stream_reset(
    struct rv_h3_session *session, int64_t stream_id, uint64_t code);
void rv_h3_session_stream_stopped(
    struct rv_h3_session *session, int64_t stream_id, uint64_t code);
void rv_h3_session_stream_closed(
    struct rv_h3_session *session, int64_t stream_id);
void rv_h3_session_acknowledged(
    struct rv_h3_session *session, int64_t stream_id, uint64_t length);
void rv_h3_session_credited(
    struct rv_h3_session *session, int64_t stream_id); /* -1: all */

/* ---- packet building ---- */

/* The next bytes to send: true with stream, vectors and fin; false: nothing.
   `*vector_count` is how many there is room for, then how many there are.
   Body slices are taken from pipes here, as far as the stream's window goes. */
bool rv_h3_session_next_write(struct rv_h3_session *session, int64_t *stream_id,
    struct iovec *vectors, size_t *vector_count, bool *fin);
void rv_h3_session_written(
    struct rv_h3_session *session, int64_t stream_id, size_t length, bool fin);
void rv_h3_session_blocked(struct rv_h3_session *session, int64_t stream_id);
void rv_h3_session_write_shut(struct rv_h3_session *session, int64_t stream_id);

#endif
