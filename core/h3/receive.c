/* SPDX-License-Identifier: MIT */
/* Request streams: the receiving side. */
#include "h3/control.h"
#include "h3/stream.h"
#include <reverst/error.h>

struct rv_pipe *rv_h3_stream_incoming(const struct rv_h3_stream *stream) {
  if (stream->exchange == NULL)
    return NULL;
  return rv_h3_is_requester(stream->session) ? &stream->exchange->response_body
                                             : &stream->exchange->request_body;
}

/* ---- credit ---- */

static void credit(struct rv_h3_stream *stream, uint64_t length) {
  struct rv_h3_transport *transport = stream->session->transport;
  if (length > 0 && !stream->closed && !stream->session->closed)
    transport->credit(transport, stream->id, (size_t)length);
}

static void credit_up_to(struct rv_h3_stream *stream, uint64_t released) {
  if (released <= stream->body_credited)
    return;
  credit(stream, released - stream->body_credited);
  stream->body_credited = released;
}

void rv_h3_stream_credit_body(struct rv_h3_stream *stream) {
  const struct rv_pipe *pipe = rv_h3_stream_incoming(stream);
  if (pipe != NULL)
    credit_up_to(stream, pipe->released);
}

void rv_h3_stream_receive_nothing(struct rv_h3_stream *stream) {
  if (stream->receiving != RV_H3_RECEIVED)
    stream->receiving = RV_H3_RECEIVING_NOTHING;
  credit_up_to(stream, stream->body_received);
  rv_buffer_deinit(&stream->section);
  rv_buffer_init(&stream->section, RV_H3_MAX_SECTION);
}

static bool is_dropping(const struct rv_h3_stream *stream) {
  return stream->receiving == RV_H3_RECEIVING_NOTHING ||
         stream->session->failed;
}

/* ---- bodies ---- */

static void read_body(
    struct rv_h3_stream *stream, const uint8_t *data, size_t length) {
  struct rv_pipe *pipe = rv_h3_stream_incoming(stream);
  stream->body_received += length;
  if (stream->body_expected != RV_NO_LENGTH &&
      stream->body_received > (uint64_t)stream->body_expected) {
    rv_h3_stream_error(stream, RV_H3_MESSAGE_ERROR);
    return;
  }
  int r =
      rv_pipe_push_copy(pipe, &stream->session->engine->chunks, data, length);
  if (r == REVERST_ERR_NO_MEMORY) {
    rv_h3_stream_abort(stream, RV_H3_INTERNAL_ERROR, RV_FAILURE_INTERNAL);
    return;
  }
  credit_up_to(stream, r < 0 ? stream->body_received : pipe->released);
}

static bool is_body_whole(const struct rv_h3_stream *stream) {
  return stream->body_expected == RV_NO_LENGTH ||
         stream->body_received == (uint64_t)stream->body_expected;
}

/* ---- field sections ---- */

static int on_head(
    struct rv_h3_stream *stream, struct rv_head *head, bool last) {
  return rv_h3_is_requester(stream->session)
             ? rv_h3_requester_on_head(stream, head, last)
             : rv_h3_responder_on_head(stream, head, last);
}

static int on_trailers(struct rv_h3_stream *stream, struct rv_head *head) {
  if (!is_body_whole(stream))
    return REVERST_ERR_MALFORMED;
  stream->receiving = RV_H3_RECEIVING_END;
  /* Only FIN tells that nothing follows. */
  return rv_pipe_set_trailers(rv_h3_stream_incoming(stream), &head->fields);
}

static void fail_section(struct rv_h3_stream *stream, int r) {
  switch (r) {
  case REVERST_ERR_NO_MEMORY:
    rv_h3_stream_abort(stream, RV_H3_INTERNAL_ERROR, RV_FAILURE_INTERNAL);
    break;
  case REVERST_ERR_PROTOCOL:
    rv_h3_stream_error(stream, RV_QPACK_DECOMPRESSION_FAILED);
    break;
  case REVERST_ERR_CLOSED: /* the exchange wants no more */
    rv_h3_stream_abort(stream, RV_H3_REQUEST_CANCELLED, RV_FAILURE_CANCELLED);
    break;
  default:
    rv_h3_stream_error(stream, RV_H3_MESSAGE_ERROR);
  }
}

/* A whole HEADERS payload; `last`: the stream ends with it. */
static void read_section(struct rv_h3_stream *stream, const uint8_t *data,
    size_t length, bool last) {
  struct rv_h3_session *session = stream->session;
  bool is_trailers = stream->receiving == RV_H3_RECEIVING_BODY;
  bool requester = rv_h3_is_requester(session);
  struct rv_h3_section_rules rules = {
    .kind = is_trailers ? RV_H3_TRAILERS
            : requester ? RV_H3_RESPONSE_HEAD
                        : RV_H3_REQUEST_HEAD,
    .limits = session->limits,
    .strict = session->strict,
  };
  struct rv_head head;
  rv_head_init(&head);
  int r = rv_h3_section_read(session->qpack, &rules, data, length, &head);
  if (r == 0)
    r = is_trailers ? on_trailers(stream, &head) : on_head(stream, &head, last);
  rv_head_deinit(&head);
  if (r < 0)
    fail_section(stream, r);
}

/* Kept only when the payload came in pieces. */
static void gather_section(struct rv_h3_stream *stream, const uint8_t *data,
    size_t length, bool last) {
  bool whole = stream->reader.left == 0;
  if (whole && stream->section.length == 0) {
    read_section(stream, data, length, last);
    return;
  }
  rv_buffer_append(&stream->section, data, length);
  if (stream->section.failed) {
    fail_section(stream, REVERST_ERR_NO_MEMORY);
    return;
  }
  if (!whole)
    return;
  struct rv_buffer section = stream->section;
  rv_buffer_init(&stream->section, RV_H3_MAX_SECTION);
  read_section(stream, section.data, section.length, last);
  rv_buffer_deinit(&section);
}

/* ---- frames ---- */

/* Frames that must not be on this stream are the connection's failure. */
static void check_foreign(struct rv_h3_stream *stream, uint64_t type) {
  struct rv_h3_session *session = stream->session;
  switch (type) {
  case RV_H3_PUSH_PROMISE:
    rv_h3_session_error(session,
        rv_h3_is_requester(session) ? RV_H3_ID_ERROR : RV_H3_FRAME_UNEXPECTED,
        "PUSH_PROMISE");
    break;
  case RV_H3_SETTINGS:
  case RV_H3_GOAWAY:
  case RV_H3_CANCEL_PUSH:
  case RV_H3_MAX_PUSH_ID:
  case RV_H3_PRIORITY_UPDATE_REQUEST:
  case RV_H3_PRIORITY_UPDATE_PUSH:
    rv_h3_session_error(
        session, RV_H3_FRAME_UNEXPECTED, "frame on a request stream");
    break;
  default:
    if (rv_h3_frame_is_reserved(type))
      rv_h3_session_error(session, RV_H3_FRAME_UNEXPECTED, "reserved frame");
  }
}

static void on_frame(struct rv_h3_stream *stream) {
  uint64_t type = stream->reader.type;
  if (type != RV_H3_DATA && type != RV_H3_HEADERS) {
    check_foreign(stream, type);
    return;
  }
  if (stream->receiving == RV_H3_RECEIVING_END ||
      (type == RV_H3_DATA && stream->receiving == RV_H3_RECEIVING_HEAD))
    rv_h3_stream_error(stream, RV_H3_FRAME_UNEXPECTED);
  else if (type == RV_H3_HEADERS && stream->reader.left > RV_H3_MAX_SECTION)
    rv_h3_stream_error(stream, RV_H3_EXCESSIVE_LOAD);
}

static void count_skipped(struct rv_h3_stream *stream, size_t length) {
  stream->skipped += length;
  if (stream->skipped > RV_H3_MAX_SKIPPED)
    rv_h3_stream_error(stream, RV_H3_EXCESSIVE_LOAD);
}

/* The next bytes of a frame's payload, all of them or a part. */
static void read_payload(struct rv_h3_stream *stream, const uint8_t *data,
    size_t length, bool last) {
  switch (stream->reader.type) {
  case RV_H3_DATA:
    if (length > 0)
      read_body(stream, data, length);
    break;
  case RV_H3_HEADERS:
    credit(stream, length);
    gather_section(stream, data, length, last);
    break;
  default:
    credit(stream, length);
    count_skipped(stream, length);
  }
}

/* Reads until bytes are used up or unwanted; returns where it stopped. */
static const uint8_t *read_frames(struct rv_h3_stream *stream,
    const uint8_t *data, const uint8_t *end, bool fin) {
  while (data < end && !is_dropping(stream)) {
    if (!stream->reader.in_payload) {
      const uint8_t *start = data;
      bool whole = rv_h3_frame_read_head(&stream->reader, &data, end);
      credit(stream, (uint64_t)(data - start));
      if (!whole)
        break;
      on_frame(stream);
      if (stream->reader.type != RV_H3_DATA &&
          stream->reader.type != RV_H3_HEADERS && !is_dropping(stream))
        count_skipped(stream, (size_t)(data - start));
      if (is_dropping(stream) || (stream->reader.left > 0 && data == end))
        break;
    }
    size_t n = rv_h3_frame_take(&stream->reader, (size_t)(end - data));
    const uint8_t *payload = data;
    data += n;
    read_payload(stream, payload, n, fin && data == end);
  }
  return data;
}

static void read_end(struct rv_h3_stream *stream) {
  bool between = rv_h3_frame_is_between(&stream->reader);
  if (is_dropping(stream) || stream->receiving == RV_H3_RECEIVED)
    return;
  if (!between)
    rv_h3_stream_error(stream, RV_H3_FRAME_ERROR);
  else if (stream->receiving == RV_H3_RECEIVING_HEAD)
    rv_h3_stream_error(stream, rv_h3_is_requester(stream->session)
                                   ? RV_H3_MESSAGE_ERROR
                                   : RV_H3_REQUEST_INCOMPLETE);
  else if (!is_body_whole(stream))
    rv_h3_stream_error(stream, RV_H3_MESSAGE_ERROR);
  else if (rv_pipe_end(rv_h3_stream_incoming(stream), NULL) < 0)
    rv_h3_stream_abort(stream, RV_H3_INTERNAL_ERROR, RV_FAILURE_INTERNAL);
  else
    stream->receiving = RV_H3_RECEIVED;
  rv_h3_stream_touch(stream);
}

void rv_h3_stream_receive(
    struct rv_h3_stream *stream, const uint8_t *data, size_t length, bool fin) {
  const uint8_t *end = data + length;
  data = read_frames(stream, data, end, fin);
  credit(stream, (uint64_t)(end - data));
  if (fin)
    read_end(stream);
}
