/* SPDX-License-Identifier: MIT */
/* Stream windows: how far a peer may run ahead of the reader of a stream.
   ngtcp2 can grow them by itself, but cannot be told to stop while memory is
   short. */
#include "quic/internal.h"

/* A window that is used up within so many round trips is what limits the stream
   (a sender that waits for credit needs two: one to spend it, one to get more).
 */
enum { LIMITING_RTTS = 4 };

void rv_quic_window_init(const struct rv_quic_connection *connection,
    struct rv_quic_stream *stream) {
  stream->window = connection->stream_window;
  stream->window_since = connection->endpoint->engine->now;
}

/* Growth is for times of plenty: what was granted cannot be taken back. */
static bool may_grow(const struct rv_quic_connection *connection) {
  const struct rv_engine *engine = connection->endpoint->engine;

  return engine->chunks.live < engine->memory_budget / RV_CHUNK_SIZE / 2;
}

static bool is_limiting(const struct rv_quic_connection *connection,
    const struct rv_quic_stream *stream) {
  ngtcp2_conn_info info;

  ngtcp2_conn_get_conn_info2(connection->transport, &info);
  return connection->endpoint->engine->now - stream->window_since <=
         LIMITING_RTTS * info.smoothed_rtt;
}

/* A reader who leaves much lying about is what limits the stream: a larger
   window would only be filled. */
static bool reader_keeps_up(const struct rv_quic_stream *stream) {
  return stream->unread < stream->window / 4;
}

void rv_quic_window_received(struct rv_quic_stream *stream, uint64_t length) {
  stream->unread += length;
}

uint64_t rv_quic_window_consumed(const struct rv_quic_connection *connection,
    struct rv_quic_stream *stream, uint64_t length) {
  uint64_t growth = 0;

  stream->consumed += length;
  stream->unread -= length < stream->unread ? length : stream->unread;
  if (stream->consumed < stream->window)
    return length;
  if (stream->window < connection->max_stream_window && may_grow(connection) &&
      reader_keeps_up(stream) && is_limiting(connection, stream)) {
    growth = connection->max_stream_window - stream->window;
    if (growth > stream->window)
      growth = stream->window;
    stream->window += growth;
  }
  stream->consumed = 0;
  stream->window_since = connection->endpoint->engine->now;
  return length + growth;
}
