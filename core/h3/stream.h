/* SPDX-License-Identifier: MIT */
/* Request streams: each carries one request and its response. */
#ifndef RV_H3_STREAM_H
#define RV_H3_STREAM_H

#include "h3/state.h"

/* ---- stream.c: life ---- */

/* NULL: out of memory. It is in no map yet. */
struct rv_h3_stream *rv_h3_stream_new(struct rv_h3_session *session);
int rv_h3_stream_add(struct rv_h3_stream *stream, int64_t id);
struct rv_h3_stream *rv_h3_stream_find(
    struct rv_h3_session *session, int64_t id);
void rv_h3_stream_free(struct rv_h3_stream *stream);

/* Asks for a run of rv_h3_stream_process in the session's job. */
void rv_h3_stream_touch(struct rv_h3_stream *stream);
void rv_h3_stream_process(struct rv_h3_stream *stream);

/* Ties the exchange to the stream, unties it: from then on what comes is
   dropped and credited. */
void rv_h3_stream_attach(
    struct rv_h3_stream *stream, struct rv_exchange *exchange);
void rv_h3_stream_detach(struct rv_h3_stream *stream);

/* Resets and stops the stream and is done with its exchange: a requester's
   fails with `failure`, a responder's is cancelled. */
void rv_h3_stream_abort(
    struct rv_h3_stream *stream, uint64_t code, enum rv_failure failure);

/* The same for what the peer did wrong. */
void rv_h3_stream_error(struct rv_h3_stream *stream, uint64_t code);

/* The connection or the QUIC stream is gone. */
void rv_h3_stream_lost(struct rv_h3_stream *stream);

/* GOAWAY: requests at or above `id` without a response head are refused. */
void rv_h3_streams_refused(struct rv_h3_session *session, uint64_t id);

/* ---- receive.c ---- */

void rv_h3_stream_receive(
    struct rv_h3_stream *stream, const uint8_t *data, size_t length, bool fin);
void rv_h3_stream_receive_nothing(struct rv_h3_stream *stream);

/* FIN is still to come, and what comes is wanted. */
static inline bool rv_h3_stream_is_receiving(
    const struct rv_h3_stream *stream) {
  return stream->receiving != RV_H3_RECEIVED &&
         stream->receiving != RV_H3_RECEIVING_NOTHING;
}

/* Gives stream credit for body bytes that left the pipe. */
void rv_h3_stream_credit_body(struct rv_h3_stream *stream);

/* The pipe that this end fills from the stream; NULL without exchange. */
struct rv_pipe *rv_h3_stream_incoming(const struct rv_h3_stream *stream);

/* ---- send.c ---- */

/* The pipe that this end sends; NULL without exchange. */
struct rv_pipe *rv_h3_stream_outgoing(const struct rv_h3_stream *stream);

/* Queues HEADERS with a head, which has precedence over bodies. Results as
   rv_h3_section_write_head. */
int rv_h3_stream_send_head(struct rv_h3_stream *stream,
    enum rv_h3_section_kind kind, const struct rv_head *head);

/* Queues DATA with a copy of the bytes. */
int rv_h3_stream_send_copy(struct rv_h3_stream *stream, struct rv_span data);

/* Puts the stream where it belongs among those that have something to send. */
void rv_h3_stream_schedule(struct rv_h3_stream *stream);

/* A window has grown: a stream that was held back may try again. */
void rv_h3_stream_release(struct rv_h3_stream *stream);

/* Nothing more can be sent: it was reset, or the peer stopped it. */
void rv_h3_stream_shut_writing(struct rv_h3_stream *stream);

/* Fills in what to write next; false: nothing now. */
bool rv_h3_stream_next_write(struct rv_h3_stream *stream, struct iovec *vectors,
    size_t *vector_count, bool *fin);
void rv_h3_stream_written(struct rv_h3_stream *stream, size_t length, bool fin);

/* ---- requester.c, responder.c: what the exchange has to say ---- */

void rv_h3_requester_process(struct rv_h3_stream *stream);
int rv_h3_requester_on_head(
    struct rv_h3_stream *stream, struct rv_head *head, bool last);
void rv_h3_responder_process(struct rv_h3_stream *stream);
int rv_h3_responder_on_head(
    struct rv_h3_stream *stream, struct rv_head *head, bool last);

#endif
