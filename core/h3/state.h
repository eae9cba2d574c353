/* SPDX-License-Identifier: MIT */
/* What the files of h3 share: a session and its request streams. */
#ifndef RV_H3_STATE_H
#define RV_H3_STATE_H

#include "base/buffer.h"
#include "base/map.h"
#include "h3/fairness.h"
#include "h3/frame.h"
#include "h3/output.h"
#include "h3/qpack.h"
#include "h3/section.h"
#include "h3/session.h"

/* The order in which streams are asked for bytes. */
enum rv_h3_queue { RV_H3_QUEUE_HEADS, RV_H3_QUEUE_BODIES, RV_H3_QUEUE_COUNT };

struct rv_h3_session {
  struct rv_engine *engine;
  struct rv_qpack *qpack;
  struct rv_h3_transport *transport;
  const struct rv_limits *limits;
  struct rv_handler *handler;
  struct rv_waker *news;
  enum rv_h3_role role;
  bool strict, send_request_trailers;
  bool failed;           /* the connection is being closed for an error */
  bool closed;           /* the transport is gone */
  bool connect_protocol; /* the peer's SETTINGS allow extended CONNECT */
  bool goaway_received;  /* the peer is draining */
  bool goaway_sent;
  uint64_t goaway_id;      /* of the peer's last GOAWAY */
  int64_t first_refused;   /* by our GOAWAY: streams from here on */
  int64_t next_request_id; /* behind the highest request stream seen */

  struct rv_map streams; /* request streams by id */
  struct rv_list all;    /* request streams, also closed ones until freed */
  size_t active;         /* request streams that have an exchange */
  struct rv_list touched;
  struct rv_list queues[RV_H3_QUEUE_COUNT];
  struct rv_list held;    /* held back until some window grows */
  uint64_t window;        /* the connection's, as it was when largest */
  uint64_t window_seen;   /* what was left of it, less what was written since */
  uint64_t queued;        /* bytes of body that wait to be written */
  struct rv_job job;      /* RV_PHASE_PROCESS */
  struct rv_job free_job; /* RV_PHASE_FREE */

  struct rv_list uni;     /* the peer's unidirectional streams */
  unsigned critical_seen; /* bits of their types */
  uint64_t skipped_since_ns;
  uint64_t skipped; /* bytes of meaningless frames on the control stream */

  /* Ours; small, and kept until the session goes. */
  int64_t control_id; /* -1: not open yet */
  bool control_wanted, control_blocked, control_shut;
  uint8_t control[64];
  size_t control_length, control_written;
};

enum rv_h3_receiving {
  RV_H3_RECEIVING_HEAD,
  RV_H3_RECEIVING_BODY,
  RV_H3_RECEIVING_END,    /* trailers were there: only FIN may follow */
  RV_H3_RECEIVED,         /* FIN was there */
  RV_H3_RECEIVING_NOTHING /* what comes is dropped */
};

struct rv_h3_stream {
  struct rv_map_node node;
  struct rv_list all_node, touched_node, queue_node;
  struct rv_list *queue; /* of the session, that it waits in; or NULL */
  struct rv_h3_session *session;
  int64_t id;
  struct rv_exchange *exchange; /* NULL: nobody is interested any more */
  struct rv_waker waker;        /* the exchange's upstream or downstream */
  bool closed;                  /* the QUIC stream is gone */
  bool handed;                  /* to the handler */

  enum rv_h3_receiving receiving;
  struct rv_h3_frame_reader reader;
  struct rv_buffer section; /* a HEADERS payload that came in pieces */
  int64_t body_expected;    /* RV_NO_LENGTH: any */
  uint64_t body_received, body_credited;
  uint64_t skipped; /* bytes of frames without a meaning */

  struct rv_h3_output output;
  bool head_queued;    /* the final head is in the output */
  bool end_queued;     /* FIN follows what is in the output */
  bool end_written;    /* the transport has FIN */
  bool write_shut;     /* reset, or stopped by the peer */
  bool blocked;        /* by the stream's window */
  bool any_written;    /* something was handed to the transport */
  bool upload_stopped; /* STOP_SENDING was sent: the body is unwanted */
  bool send_failed;    /* reset, since the body is not what was announced */
  size_t head_bytes;   /* unsent ones that have precedence */
  size_t turn_bytes;   /* sent in the present turn among the streams */
  uint64_t body_queued;
  struct rv_fairness fairness;
};

/* Ends the connection; the first error counts. */
void rv_h3_session_error(
    struct rv_h3_session *session, uint64_t code, const char *reason);

static inline bool rv_h3_is_requester(const struct rv_h3_session *session) {
  return session->role == RV_H3_REQUESTER;
}

#endif
