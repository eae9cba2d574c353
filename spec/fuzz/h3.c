/* SPDX-License-Identifier: MIT */
/* An HTTP/3 session: what its peer, its transport and the other parties of its
   exchanges do, in an order that the input says. Byte 0: role and options. */
#include "fuzz.h"

#include "h3/session.h"
#include <reverst/error.h>

enum { REQUESTER = 1, SMALL_PEER = 2, STRICT = 4, SMALL_WINDOW = 8 };
enum { MAX_PARTIES = 32, STREAMS = 16, MAX_STREAM_ID = 4 * STREAMS };

struct party {
  struct rv_waker waker;
  struct rv_exchange *exchange; /* NULL: let go */
  bool upstream;
};

struct world {
  struct rv_engine engine;
  struct rv_qpack *qpack;
  struct rv_h3_session *session;
  struct rv_h3_transport transport;
  struct rv_handler handler;
  struct rv_limits limits;
  uint64_t now, window;
  int64_t next_bidi, next_uni;
  bool requester, closed;
  struct party parties[MAX_PARTIES];
  size_t party_count;
  /* by stream id; the peer's direction ended, or all did */
  bool ended[MAX_STREAM_ID], gone[MAX_STREAM_ID];
  uint64_t unacknowledged[MAX_STREAM_ID];
};

/* ---- the transport ---- */

static struct world *world_of(const struct rv_h3_transport *transport) {
  return rv_container_of((uintptr_t)transport, struct world, transport);
}

static int open_stream(
    struct rv_h3_transport *transport, bool bidi, int64_t *stream_id) {
  struct world *world = world_of(transport);
  int64_t *next = bidi ? &world->next_bidi : &world->next_uni;

  if (*next >= MAX_STREAM_ID)
    return REVERST_ERR_AGAIN;
  *stream_id = *next;
  *next += 4;
  return 0;
}

static uint64_t streams_left(const struct rv_h3_transport *transport) {
  return (uint64_t)(MAX_STREAM_ID - world_of(transport)->next_bidi + 3) / 4;
}

static void credit(
    struct rv_h3_transport *transport, int64_t stream_id, size_t length) {
  (void)transport;
  (void)stream_id;
  (void)length;
}

static void reset_or_stop(
    struct rv_h3_transport *transport, int64_t stream_id, uint64_t code) {
  (void)transport;
  (void)stream_id;
  (void)code;
}

static uint64_t stream_window_left(
    const struct rv_h3_transport *transport, int64_t stream_id) {
  (void)stream_id;
  return world_of(transport)->window;
}

static uint64_t window_left(const struct rv_h3_transport *transport) {
  return world_of(transport)->window;
}

static void close_connection(
    struct rv_h3_transport *transport, uint64_t code, struct rv_span reason) {
  (void)code;
  (void)reason;
  world_of(transport)->closed = true;
}

static void nothing(struct rv_h3_transport *transport) {
  (void)transport;
}

/* ---- the other parties ---- */

static void ignore(struct rv_waker *waker) {
  (void)waker;
}

static struct party *add_party(
    struct world *world, struct rv_exchange *exchange, bool upstream) {
  struct party *party = &world->parties[world->party_count++];

  *party = (struct party){ { ignore }, exchange, upstream };
  return party;
}

static void handle(struct rv_handler *handler, struct rv_exchange *exchange) {
  struct world *world = rv_container_of(handler, struct world, handler);

  if (world->party_count < MAX_PARTIES)
    rv_exchange_attach_upstream(
        exchange, &add_party(world, exchange, true)->waker);
}

static void submit(struct world *world, uint8_t how) {
  static const struct rv_span methods[] = { { "GET", 3 }, { "HEAD", 4 },
    { "POST", 4 }, { "CONNECT", 7 } };
  struct party *party;
  struct rv_head *head;

  if (!world->requester || world->party_count == MAX_PARTIES)
    return;
  party = add_party(world, NULL, false);
  party->exchange = rv_exchange_new(&world->engine, &party->waker);
  head = &party->exchange->request;
  head->method = methods[how & 3];
  head->scheme = RV_SPAN("https");
  head->authority = RV_SPAN("example.com");
  head->path = RV_SPAN("/");
  head->no_body = how & 4;
  if (how & 8)
    head->content_length = 100;
  if (head->no_body)
    (void)!rv_pipe_end(&party->exchange->request_body, NULL);
  (void)!rv_h3_session_submit(world->session, party->exchange);
}

static void respond(struct rv_exchange *exchange, uint8_t how) {
  struct rv_head head;

  rv_head_init(&head);
  head.status = 100 + 100 * (how & 3) + (how & 4 ? 4 : 0);
  head.content_length = how & 8 ? 64 : RV_NO_LENGTH;
  (void)!(head.status < 200 ? rv_exchange_inform(exchange, &head)
                            : rv_exchange_respond(exchange, &head));
  rv_head_deinit(&head);
}

static void let_go(struct party *party) {
  struct rv_exchange *exchange = party->exchange;

  party->exchange = NULL;
  if (exchange == NULL)
    return;
  if (party->upstream)
    rv_exchange_detach_upstream(exchange);
  else
    rv_exchange_detach_downstream(exchange);
}

static void write_body(struct world *world, struct rv_pipe *pipe, uint8_t how) {
  static const uint8_t zeros[255 * 64];

  if (pipe->state == RV_PIPE_OPEN)
    (void)!rv_pipe_push_copy(
        pipe, &world->engine.chunks, zeros, (size_t)how * 64);
}

static void act(struct world *world, struct party *party, uint8_t how,
    struct fuzz_input *input) {
  struct rv_exchange *exchange = party->exchange;
  struct rv_pipe *in, *out;
  struct rv_slice slice;

  if (exchange == NULL)
    return;
  in = party->upstream ? &exchange->request_body : &exchange->response_body;
  out = party->upstream ? &exchange->response_body : &exchange->request_body;
  switch (how % 8) {
  case 0:
    while (rv_pipe_take(in, SIZE_MAX, &slice))
      rv_slice_release(&slice);
    break;
  case 1:
    write_body(world, out, fuzz_byte(input));
    break;
  case 2:
    if (party->upstream)
      respond(exchange, fuzz_byte(input));
    break;
  case 3:
    if (out->state == RV_PIPE_OPEN)
      (void)!rv_pipe_end(out, NULL);
    break;
  case 4:
    if (party->upstream)
      rv_exchange_fail(exchange, RV_FAILURE_ORIGIN_UNREACHABLE);
    else
      rv_exchange_cancel(exchange);
    break;
  case 5:
    rv_pipe_stop(in);
    break;
  case 6:
    if (out->state == RV_PIPE_OPEN)
      rv_pipe_abort(out, RV_FAILURE_TIMEOUT_BODY);
    break;
  default:
    let_go(party);
  }
}

/* ---- the peer ---- */

/* Streams that the peer may speak on. */
static bool is_there(const struct world *world, int64_t id) {
  return !world->ended[id] && !world->gone[id] &&
         (!world->requester || (id & 2) || id < world->next_bidi);
}

static void receive(struct world *world, int64_t id, bool fin, size_t length,
    struct fuzz_input *input) {
  uint8_t *piece;

  if (!is_there(world, id))
    return;
  piece = fuzz_piece(input, &length);
  world->ended[id] = fin;
  (void)rv_h3_session_receive(world->session, id, piece, length, fin);
  free(piece);
}

static void reset(struct world *world, int64_t id, uint64_t code) {
  if (!is_there(world, id))
    return;
  world->ended[id] = true;
  rv_h3_session_stream_reset(world->session, id, code);
}

static void write_packets(struct world *world, uint8_t how) {
  struct iovec vectors[16];
  int64_t id;

  for (int i = 0; i < 16; i++) {
    size_t count = 16, length = 0;
    bool fin;
    if (!rv_h3_session_next_write(world->session, &id, vectors, &count, &fin))
      return;
    for (size_t j = 0; j < count; j++)
      length += vectors[j].iov_len;
    if (how == 1 || (length > 0 && world->window == 0)) {
      rv_h3_session_blocked(world->session, id);
    } else if (how == 2) {
      rv_h3_session_write_shut(world->session, id);
    } else {
      size_t taken = how == 3 && length > 3 ? 3 : length;
      if (taken > world->window)
        taken = (size_t)world->window;
      world->window -= taken;
      world->unacknowledged[id] += taken;
      rv_h3_session_written(world->session, id, taken, fin && taken == length);
    }
  }
}

static void acknowledge(struct world *world, int64_t id, bool half) {
  uint64_t length = world->unacknowledged[id] / (half ? 2 : 1);

  world->unacknowledged[id] -= length;
  if (length > 0 && !world->gone[id])
    rv_h3_session_acknowledged(world->session, id, length);
}

static void step(struct world *world, struct fuzz_input *input) {
  uint8_t what = fuzz_byte(input), which = fuzz_byte(input);
  int64_t bidi = 4 * (which % STREAMS) + 1;
  int64_t uni = 4 * (which % STREAMS) + (world->requester ? 2 : 3);
  bool flag = what & 16, other = what & 32;

  switch (what % 12) {
  case 0:
  case 1:
    receive(world, other ? uni : bidi, flag, fuzz_byte(input), input);
    break;
  case 2:
    reset(world, other ? uni : bidi, flag ? 0x10b : 0x10c);
    break;
  case 3:
    if (!world->gone[bidi])
      rv_h3_session_stream_stopped(world->session, bidi, 0x10c);
    break;
  case 4:
    if (is_there(world, bidi) || world->ended[bidi])
      rv_h3_session_stream_closed(world->session, bidi);
    world->gone[bidi] = true;
    break;
  case 5:
    write_packets(world, what >> 4 & 3);
    break;
  case 6:
    fuzz_settle(&world->engine);
    break;
  case 7:
    if (world->party_count > 0)
      act(world, &world->parties[which % world->party_count], what >> 4, input);
    break;
  case 8:
    submit(world, which);
    break;
  case 9:
    acknowledge(world, bidi, flag);
    break;
  case 10:
    world->window += 100;
    rv_h3_session_credited(world->session, flag ? -1 : bidi);
    break;
  default:
    if (flag)
      rv_h3_session_drain(world->session);
    world->now += RV_SECOND;
  }
}

/* ---- life ---- */

static void open_world(struct world *world, uint8_t how) {
  *world = (struct world){
    .transport = { open_stream, streams_left, credit, reset_or_stop,
        reset_or_stop, nothing, stream_window_left, window_left,
        close_connection, nothing },
    .handler = { handle },
    .now = RV_SECOND,
    .window = how & SMALL_WINDOW ? 1000 : 1 << 20,
    .next_bidi = how & REQUESTER ? 1 : 0,
    .next_uni = how & REQUESTER ? 3 : 2,
    .requester = how & REQUESTER,
  };
  fuzz_engine_init(&world->engine, &world->now);
  assert(rv_qpack_new(&world->qpack) == 0);
  const struct rv_h3_options options = {
    .role = world->requester ? RV_H3_REQUESTER : RV_H3_RESPONDER,
    .engine = &world->engine,
    .qpack = world->qpack,
    .transport = &world->transport,
    .handler = &world->handler,
    .peer_window = how & SMALL_PEER ? 100000 : 1 << 30,
    .strict = how & STRICT,
    .send_request_trailers = true,
  };
  assert(rv_h3_session_new(&world->session, &options) == 0);
}

static void close_world(struct world *world) {
  rv_h3_session_close(world->session);
  for (size_t i = 0; i < world->party_count; i++)
    let_go(&world->parties[i]);
  fuzz_settle(&world->engine);
  assert(rv_counters_sum(&world->engine.live) == 0);
  rv_qpack_free(world->qpack);
  rv_engine_deinit(&world->engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct world world;
  struct fuzz_input input = { data, size };

  open_world(&world, fuzz_byte(&input));
  while (input.left > 0 && !world.closed)
    step(&world, &input);
  close_world(&world);
  return 0;
}
