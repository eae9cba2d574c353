/* SPDX-License-Identifier: MIT */
/* A transport in memory for HTTP/3 sessions: streams with windows, resets and
   acknowledgements, cut into pieces by a seed. Included by h3.c alone. */
#ifndef SPEC_H3_WIRE_H
#define SPEC_H3_WIRE_H

#include "base/buffer.h"
#include "h3/session.h"
#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

/* What was handed out for sending must stay as it was until acknowledged. */
struct lent {
  struct lent *next;
  const uint8_t *data;
  size_t length;
  uint8_t copy[];
};

/* One end's view of one stream. */
struct side {
  struct side *next;
  int64_t id;
  struct rv_buffer flying; /* written, not delivered yet */
  struct lent *lent, **lent_tail;
  uint64_t written, delivered, window; /* window: what may be written */
  bool fin_written, fin_delivered, fin_received;
  uint64_t reset_code, stop_code; /* 0: none */
  bool reset_delivered, reset_received, stop_delivered;
  bool window_grew;
  uint64_t received, credited;
  struct rv_buffer log; /* everything written, for scripts */
};

struct wire {
  struct rv_h3_transport transport;
  struct rv_h3_session *session;
  struct wire *peer; /* NULL: a script */
  struct side *sides;
  bool is_server; /* of QUIC: which ids it opens */
  int64_t next_bidi, next_uni;
  uint64_t streams_left, uni_left;
  uint64_t window,
      stream_window; /* what is left of the connection's; initial */
  bool window_grew, hold_acks, hold_delivery;
  uint64_t close_code;                   /* 0: open */
  uint64_t released, received, credited; /* streams; bytes of bidi streams */
  uint64_t next_writes;
  uint64_t *seed;
};

static inline struct wire *wire_of(const struct rv_h3_transport *transport) {
  return (struct wire *)(uintptr_t)transport;
}

static inline uint64_t wire_random(struct wire *wire) {
  *wire->seed = *wire->seed * UINT64_C(6364136223846793005) +
                UINT64_C(1442695040888963407);
  return *wire->seed >> 33;
}

static inline struct side *wire_find(struct wire *wire, int64_t id) {
  for (struct side *side = wire->sides; side != NULL; side = side->next) {
    if (side->id == id)
      return side;
  }
  return NULL;
}

static inline struct side *wire_side(struct wire *wire, int64_t id) {
  struct side *side = wire_find(wire, id);
  if (side != NULL)
    return side;
  side = calloc(1, sizeof(*side));
  assert(side != NULL);
  side->id = id;
  side->window = wire->stream_window;
  side->lent_tail = &side->lent;
  side->next = wire->sides;
  wire->sides = side;
  return side;
}

/* ---- the transport's functions ---- */

static int wire_open(
    struct rv_h3_transport *transport, bool bidi, int64_t *stream_id) {
  struct wire *wire = wire_of(transport);
  uint64_t *left = bidi ? &wire->streams_left : &wire->uni_left;
  int64_t *next = bidi ? &wire->next_bidi : &wire->next_uni;
  if (*left == 0)
    return REVERST_ERR_AGAIN;
  *left -= 1;
  *stream_id = *next;
  *next += 4;
  (void)wire_side(wire, *stream_id);
  return 0;
}

static uint64_t wire_streams_left(const struct rv_h3_transport *transport) {
  return wire_of(transport)->streams_left;
}

static void wire_credit(
    struct rv_h3_transport *transport, int64_t stream_id, size_t length) {
  struct wire *wire = wire_of(transport);
  struct side *side = wire_find(wire, stream_id), *other;
  if (!(stream_id & 2))
    wire->credited += length;
  if (side == NULL)
    return;
  side->credited += length;
  assert(side->credited <= side->received);
  if (wire->peer == NULL)
    return;
  other = wire_find(wire->peer, stream_id);
  if (other != NULL) {
    other->window += length;
    other->window_grew = true;
  }
}

static void wire_reset(
    struct rv_h3_transport *transport, int64_t stream_id, uint64_t code) {
  struct side *side = wire_find(wire_of(transport), stream_id);
  if (side != NULL && side->reset_code == 0 && !side->fin_delivered)
    side->reset_code = code;
}

static void wire_stop(
    struct rv_h3_transport *transport, int64_t stream_id, uint64_t code) {
  struct side *side = wire_find(wire_of(transport), stream_id);
  if (side != NULL && side->stop_code == 0 && !side->fin_received)
    side->stop_code = code;
}

static void wire_release(struct rv_h3_transport *transport) {
  struct wire *wire = wire_of(transport);
  wire->released++;
  if (wire->peer != NULL) {
    wire->peer->streams_left++;
    wire->peer->window_grew = true;
  }
}

static uint64_t wire_stream_window_left(
    const struct rv_h3_transport *transport, int64_t stream_id) {
  struct side *side = wire_side(wire_of(transport), stream_id);
  return side->window - side->written;
}

static uint64_t wire_window_left(const struct rv_h3_transport *transport) {
  return wire_of(transport)->window;
}

static void wire_close(
    struct rv_h3_transport *transport, uint64_t code, struct rv_span reason) {
  (void)reason;
  if (wire_of(transport)->close_code == 0)
    wire_of(transport)->close_code = code;
}

static void wire_touch(struct rv_h3_transport *transport) {
  (void)transport; /* every end is asked in every round */
}

static const struct rv_h3_transport wire_transport = {
  .open_stream = wire_open,
  .streams_left = wire_streams_left,
  .credit = wire_credit,
  .reset_stream = wire_reset,
  .stop_stream = wire_stop,
  .release_stream = wire_release,
  .stream_window_left = wire_stream_window_left,
  .window_left = wire_window_left,
  .close = wire_close,
  .touch = wire_touch,
};

/* ---- writing ---- */

static void wire_lend(struct side *side, const uint8_t *data, size_t length) {
  struct lent *lent = malloc(sizeof(*lent) + length);
  assert(lent != NULL);
  *lent = (struct lent){ .data = data, .length = length };
  memcpy(lent->copy, data, length);
  *side->lent_tail = lent;
  side->lent_tail = &lent->next;
}

/* Looks at the bytes once more, where they were lent from. */
static void wire_give_back(struct side *side) {
  struct lent *lent = side->lent;
  side->lent = lent->next;
  if (side->lent == NULL)
    side->lent_tail = &side->lent;
  assert(memcmp(lent->data, lent->copy, lent->length) == 0);
  free(lent);
}

static size_t wire_put(struct side *side, const struct iovec *vectors,
    size_t count, size_t max, bool log) {
  size_t sum = 0;
  for (size_t i = 0; i < count && sum < max; i++) {
    size_t n = vectors[i].iov_len < max - sum ? vectors[i].iov_len : max - sum;
    wire_lend(side, vectors[i].iov_base, n);
    rv_buffer_append(&side->flying, vectors[i].iov_base, n);
    if (log)
      rv_buffer_append(&side->log, vectors[i].iov_base, n);
    sum += n;
  }
  side->written += sum;
  return sum;
}

static size_t wire_sum(const struct iovec *vectors, size_t count) {
  size_t sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += vectors[i].iov_len;
  return sum;
}

/* What one packet's worth of bytes comes to; false: nothing was to be sent. */
static bool wire_write(struct wire *wire) {
  struct iovec vectors[16];
  size_t count = 16, max = 1 + wire_random(wire) % 4000;
  int64_t id;
  bool fin;
  wire->next_writes++;
  if (wire->window == 0 ||
      !rv_h3_session_next_write(wire->session, &id, vectors, &count, &fin))
    return false;
  struct side *side = wire_side(wire, id);
  size_t sum = wire_sum(vectors, count);
  if (side->reset_code != 0) {
    rv_h3_session_write_shut(wire->session, id);
    return true;
  }
  if (sum > 0 && side->window == side->written) {
    rv_h3_session_blocked(wire->session, id);
    return true;
  }
  if (max > side->window - side->written)
    max = side->window - side->written;
  if (max > wire->window)
    max = wire->window;
  size_t n = wire_put(side, vectors, count, max, wire->peer == NULL);
  wire->window -= n;
  side->fin_written = fin && n == sum;
  rv_h3_session_written(wire->session, id, n, side->fin_written);
  return true;
}

/* ---- delivering ---- */

static void wire_acknowledge(struct wire *wire, struct side *side) {
  uint64_t sum = 0;
  if (wire->hold_acks)
    return;
  while (side->lent != NULL) {
    sum += side->lent->length;
    wire_give_back(side);
  }
  if (sum > 0)
    rv_h3_session_acknowledged(wire->session, side->id, sum);
}

/* Bytes reach a session. */
static void wire_arrive(struct wire *wire, int64_t id, const uint8_t *data,
    size_t length, bool fin) {
  struct side *side = wire_side(wire, id);
  side->received += length;
  if (!(id & 2))
    wire->received += length;
  side->fin_received = side->fin_received || fin;
  if (rv_h3_session_receive(wire->session, id, data, length, fin) ==
      REVERST_ERR_CLOSED)
    wire_credit(&wire->transport, id, length);
}

static void wire_deliver_bytes(struct wire *wire, struct side *side) {
  struct rv_buffer flying = side->flying;
  size_t at = 0;
  bool fin = side->fin_written && !side->fin_delivered;
  rv_buffer_init(&side->flying, 0);
  while (at < flying.length || fin) {
    size_t n = flying.length - at, cut = 1 + wire_random(wire) % 3000;
    if (n > cut && n > 0)
      n = cut;
    bool last = fin && at + n == flying.length;
    wire_arrive(wire->peer, side->id, flying.data + at, n, last);
    at += n;
    if (last)
      break;
  }
  side->delivered += flying.length;
  wire->window += flying.length; /* returned as soon as bytes arrive */
  wire->window_grew = wire->window_grew || flying.length > 0;
  side->fin_delivered = side->fin_written;
  rv_buffer_deinit(&flying);
}

static bool wire_deliver_reset(struct wire *wire, struct side *side) {
  if (side->reset_code == 0 || side->reset_delivered)
    return false;
  side->reset_delivered = true;
  wire->window += side->flying.length;
  rv_buffer_clear(&side->flying);
  struct side *other = wire_side(wire->peer, side->id);
  if (!other->fin_received) {
    other->reset_received = true;
    rv_h3_session_stream_reset(wire->peer->session, side->id, side->reset_code);
  }
  return true;
}

/* STOP_SENDING is answered with a reset by the transport itself. */
static bool wire_deliver_stop(struct wire *wire, struct side *side) {
  if (side->stop_code == 0 || side->stop_delivered)
    return false;
  side->stop_delivered = true;
  struct side *other = wire_side(wire->peer, side->id);
  if (other->fin_delivered || other->reset_code != 0)
    return true;
  other->reset_code = side->stop_code;
  rv_h3_session_stream_stopped(wire->peer->session, side->id, side->stop_code);
  return true;
}

static bool wire_is_done(const struct wire *wire, const struct side *side) {
  bool sent = (side->fin_delivered && side->lent == NULL) ||
              (side->reset_delivered && !wire->hold_acks);
  return !(side->id & 2) && sent &&
         (side->fin_received || side->reset_received);
}

static void wire_free_side(struct wire *wire, struct side *side) {
  struct side **place = &wire->sides;
  while (*place != side)
    place = &(*place)->next;
  *place = side->next;
  while (side->lent != NULL)
    wire_give_back(side);
  rv_buffer_deinit(&side->flying);
  rv_buffer_deinit(&side->log);
  free(side);
}

/* The stream's last event; the bytes are looked at before they go. */
static void wire_finish(struct wire *wire, struct side *side) {
  int64_t id = side->id;
  wire_free_side(wire, side);
  if (wire->session != NULL)
    rv_h3_session_stream_closed(wire->session, id);
}

static bool wire_exchange(struct wire *wire) {
  bool any = false;
  if (wire->window_grew) {
    wire->window_grew = false;
    rv_h3_session_credited(wire->session, -1);
    any = true;
  }
  for (struct side *side = wire->sides, *next; side != NULL; side = next) {
    next = side->next;
    if (side->window_grew) {
      side->window_grew = false;
      rv_h3_session_credited(wire->session, side->id);
      any = true;
    }
    if (wire->hold_delivery)
      continue;
    if (side->reset_code == 0 &&
        (side->flying.length > 0 ||
            (side->fin_written && !side->fin_delivered))) {
      wire_deliver_bytes(wire, side);
      any = true;
    }
    if (wire_deliver_stop(wire, side))
      any = true;
    if (wire_deliver_reset(wire, side))
      any = true;
    wire_acknowledge(wire, side);
    if (wire_is_done(wire, side)) {
      wire_finish(wire, side);
      any = true;
    }
  }
  return any;
}

#endif
