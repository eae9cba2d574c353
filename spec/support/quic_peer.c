/* SPDX-License-Identifier: MIT */
/* The application of specs of QUIC connections. */
#include "quic_peer.h"

#include <assert.h>
#include <lauxlib.h>
#include <reverst/error.h>
#include <stdlib.h>

enum { CHUNK = 4096 };

/* Freed as soon as it may be, so that a sanitizer sees who still reads it. */
struct quic_chunk {
  struct quic_chunk *next;
  size_t length;
  uint8_t data[];
};

static uint8_t pattern(int64_t id, uint64_t offset) {
  return (uint8_t)(offset * 31 + (offset >> 8) + (uint64_t)id * 7);
}

static struct quic_peer *peer_of(struct rv_quic_application *application) {
  return rv_container_of(application, struct quic_peer, application);
}

struct quic_flow *quic_peer_flow(struct quic_peer *peer, int64_t id) {
  struct quic_flow *flow = peer->flows;

  while (flow && flow->id != id)
    flow = flow->next;
  return flow;
}

static struct quic_flow *add_flow(struct quic_peer *peer, int64_t id) {
  struct quic_flow *flow = calloc(1, sizeof(*flow));

  assert(flow);
  flow->id = id;
  flow->intact = true;
  flow->next = peer->flows;
  peer->flows = flow;
  return flow;
}

static struct quic_flow *get_flow(struct quic_peer *peer, int64_t id) {
  struct quic_flow *flow = quic_peer_flow(peer, id);

  if (flow)
    return flow;
  ++peer->opened_by_peer;
  flow = add_flow(peer, id);
  flow->echo = peer->echo && (id & 2) == 0;
  return flow;
}

static uint8_t *append(struct quic_flow *flow, size_t length) {
  struct quic_chunk *chunk = malloc(sizeof(*chunk) + length);

  assert(chunk);
  *chunk = (struct quic_chunk){ .length = length };
  if (flow->oldest)
    flow->newest->next = chunk;
  else
    flow->oldest = chunk;
  flow->newest = chunk;
  if (!flow->sending) {
    flow->sending = chunk;
    flow->sending_offset = 0;
  }
  return chunk->data;
}

static void free_chunks(struct quic_flow *flow) {
  struct quic_chunk *next;

  for (; flow->oldest; flow->oldest = next) {
    next = flow->oldest->next;
    free(flow->oldest);
  }
  flow->sending = NULL;
}

int64_t quic_peer_open(struct quic_peer *peer, size_t length, bool bidi) {
  struct quic_flow *flow;
  int64_t id;
  int r = peer->connection
              ? rv_quic_connection_open_stream(peer->connection, bidi, &id)
              : REVERST_ERR_CLOSED;

  if (r < 0)
    return r;
  flow = add_flow(peer, id);
  for (size_t offset = 0; offset < length;) {
    size_t n = length - offset < CHUNK ? length - offset : CHUNK;
    uint8_t *data = append(flow, n);

    for (size_t i = 0; i < n; ++i)
      data[i] = pattern(id, offset + i);
    offset += n;
  }
  flow->fin_wanted = true;
  rv_quic_connection_touch(peer->connection);
  return id;
}

/* ---- what the connection calls ---- */

static void on_handshake_completed(struct rv_quic_application *application) {
  peer_of(application)->handshake = true;
}

static int on_stream_data(struct rv_quic_application *application,
    int64_t stream_id, const uint8_t *data, size_t length, bool fin) {
  struct quic_peer *peer = peer_of(application);
  struct quic_flow *flow = get_flow(peer, stream_id);

  if (peer->refuse)
    return REVERST_ERR_CLOSED;
  for (size_t i = 0; i < length; ++i)
    if (data[i] != pattern(stream_id, flow->received + i))
      flow->intact = false;
  flow->received += length;
  flow->fin_received |= fin;
  if (flow->echo && !flow->shut) {
    if (length > 0)
      memcpy(append(flow, length), data, length);
    flow->fin_wanted = fin;
    rv_quic_connection_touch(peer->connection);
  }
  if (!peer->hold_credit)
    rv_quic_connection_credit(peer->connection, stream_id, length);
  return 0;
}

static void on_stream_reset(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  struct quic_flow *flow = get_flow(peer_of(application), stream_id);

  flow->reset = true;
  flow->reset_code = code;
  if (flow->echo)
    rv_quic_connection_reset_stream(
        peer_of(application)->connection, stream_id, code);
}

static void on_stream_stop_sending(
    struct rv_quic_application *application, int64_t stream_id, uint64_t code) {
  struct quic_flow *flow = get_flow(peer_of(application), stream_id);

  flow->stopped = true;
  flow->stop_code = code;
}

static void on_stream_closed(
    struct rv_quic_application *application, int64_t stream_id) {
  struct quic_peer *peer = peer_of(application);
  struct quic_flow *flow = get_flow(peer, stream_id);

  assert(!flow->closed);
  flow->closed = true;
  ++peer->closed_streams;
  free_chunks(flow);
  rv_quic_connection_release_stream(peer->connection);
}

static void on_stream_acknowledged(struct rv_quic_application *application,
    int64_t stream_id, uint64_t length) {
  struct quic_flow *flow = quic_peer_flow(peer_of(application), stream_id);

  assert(flow);
  flow->acknowledged += length;
  flow->oldest_acknowledged += length;
  while (flow->oldest && flow->oldest != flow->sending &&
         flow->oldest_acknowledged >= flow->oldest->length) {
    struct quic_chunk *chunk = flow->oldest;

    flow->oldest = chunk->next;
    flow->oldest_acknowledged -= chunk->length;
    free(chunk);
  }
}

static void on_credit(
    struct rv_quic_application *application, int64_t stream_id) {
  struct quic_peer *peer = peer_of(application);
  struct quic_flow *flow = quic_peer_flow(peer, stream_id);
  uint64_t left;

  ++peer->credits;
  if (!flow)
    return;
  flow->blocked = false;
  left = rv_quic_connection_stream_window_left(peer->connection, stream_id);
  if (left > flow->most_window)
    flow->most_window = left;
}

static bool has_more(const struct quic_flow *flow) {
  return !flow->shut && !flow->closed && !flow->blocked &&
         (flow->sending || (flow->fin_wanted && !flow->fin_sent));
}

static bool next_write(
    struct rv_quic_application *application, struct rv_quic_write *write) {
  struct quic_flow *flow = peer_of(application)->flows;
  size_t n = 0, offset;

  while (flow && !has_more(flow))
    flow = flow->next;
  if (!flow)
    return false;
  offset = flow->sending_offset;
  write->stream_id = flow->id;
  for (struct quic_chunk *chunk = flow->sending;
       chunk && n < RV_QUIC_MAX_VECTORS; chunk = chunk->next) {
    write->vectors[n++] = (struct iovec){
      .iov_base = chunk->data + offset,
      .iov_len = chunk->length - offset,
    };
    offset = 0;
    write->fin = flow->fin_wanted && !chunk->next;
  }
  if (n == 0)
    write->fin = true;
  write->vector_count = n;
  return true;
}

static void on_written(struct rv_quic_application *application,
    int64_t stream_id, size_t length, bool fin) {
  struct quic_flow *flow = quic_peer_flow(peer_of(application), stream_id);

  assert(flow);
  flow->sent += length;
  flow->sending_offset += length;
  flow->fin_sent |= fin;
  while (flow->sending && flow->sending_offset >= flow->sending->length) {
    flow->sending_offset -= flow->sending->length;
    flow->sending = flow->sending->next;
  }
}

static void on_blocked(
    struct rv_quic_application *application, int64_t stream_id) {
  quic_peer_flow(peer_of(application), stream_id)->blocked = true;
}

static void on_write_shut(
    struct rv_quic_application *application, int64_t stream_id) {
  quic_peer_flow(peer_of(application), stream_id)->shut = true;
}

static void on_closed(struct rv_quic_application *application,
    const struct rv_quic_close *close) {
  struct quic_peer *peer = peer_of(application);

  for (struct quic_flow *flow = peer->flows; flow; flow = flow->next)
    assert(flow->closed);
  assert(!peer->closed);
  peer->closed = true;
  peer->close = *close;
  memcpy(peer->reason, close->reason.data ? close->reason.data : "",
      close->reason.length);
  peer->close.reason.data = peer->reason;
  peer->connection = NULL;
}

void quic_peer_init(struct quic_peer *peer) {
  *peer = (struct quic_peer){
    .application = {
      .on_handshake_completed = on_handshake_completed,
      .on_stream_data = on_stream_data,
      .on_stream_reset = on_stream_reset,
      .on_stream_stop_sending = on_stream_stop_sending,
      .on_stream_closed = on_stream_closed,
      .on_stream_acknowledged = on_stream_acknowledged,
      .on_credit = on_credit,
      .next_write = next_write,
      .on_written = on_written,
      .on_blocked = on_blocked,
      .on_write_shut = on_write_shut,
      .on_closed = on_closed,
    },
  };
}

void quic_peer_deinit(struct quic_peer *peer) {
  struct quic_flow *next;

  for (; peer->flows; peer->flows = next) {
    next = peer->flows->next;
    free_chunks(peer->flows);
    free(peer->flows);
  }
}

/* It has no functions of its own: require "spec.quic". */
int luaopen_spec_quic_peer(lua_State *L);
int luaopen_spec_quic_peer(lua_State *L) {
  lua_newtable(L);
  return 1;
}
