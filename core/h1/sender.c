/* SPDX-License-Identifier: MIT */
/* What a connection has to send. */
#include "h1/sender.h"
#include <reverst/error.h>

void rv_h1_sender_init(
    struct rv_h1_sender *sender, struct rv_chunk_pool *pool) {
  *sender = (struct rv_h1_sender){ .pool = pool, .complete = true };
  rv_slices_init(&sender->queue);
}

void rv_h1_sender_deinit(struct rv_h1_sender *sender) {
  rv_slices_deinit(&sender->queue);
}

void rv_h1_sender_begin(
    struct rv_h1_sender *sender, enum rv_h1_framing framing, uint64_t length) {
  sender->framing = framing;
  sender->remaining = length;
  sender->sent = 0;
  sender->complete = framing == RV_H1_NO_BODY;
}

static int move_bytes(
    struct rv_h1_sender *sender, struct rv_pipe *pipe, size_t length) {
  struct rv_slice slice;

  while (length > 0 && rv_pipe_take(pipe, length, &slice)) {
    int r;
    length -= slice.length;
    r = rv_slices_push(&sender->queue, slice);
    if (r < 0)
      return r;
  }
  return 0;
}

static int move_chunk(
    struct rv_h1_sender *sender, struct rv_pipe *pipe, size_t length) {
  int r = rv_h1_write_chunk_line(&sender->queue, sender->pool, length);

  if (r == 0)
    r = move_bytes(sender, pipe, length);
  if (r == 0)
    r = rv_slices_push(
        &sender->queue, (struct rv_slice){ NULL, (const uint8_t *)"\r\n", 2 });
  return r;
}

static int move_some(
    struct rv_h1_sender *sender, struct rv_pipe *pipe, size_t length) {
  if (sender->framing == RV_H1_CHUNKED)
    return move_chunk(sender, pipe, length);
  if (sender->framing == RV_H1_LENGTH) {
    if (length > sender->remaining)
      return REVERST_ERR_PROTOCOL;
    sender->remaining -= length;
  }
  return move_bytes(sender, pipe, length);
}

int rv_h1_sender_settle(struct rv_h1_sender *sender, struct rv_pipe *pipe) {
  int r = 0;

  if (sender->complete)
    return 0;
  if (pipe->state == RV_PIPE_ABORTED || pipe->state == RV_PIPE_STOPPED)
    return REVERST_ERR_CLOSED;
  if (!rv_pipe_finished(pipe))
    return 0;
  if (sender->framing == RV_H1_LENGTH && sender->remaining > 0)
    return REVERST_ERR_PROTOCOL;
  if (sender->framing == RV_H1_CHUNKED)
    r = rv_h1_write_last_chunk(&sender->queue, sender->pool,
        pipe->has_trailers ? &pipe->trailers : NULL);
  sender->complete = r == 0;
  return r;
}

int rv_h1_sender_pull(struct rv_h1_sender *sender, struct rv_pipe *pipe) {
  size_t available;

  if (sender->complete)
    return 0;
  while ((available = rv_pipe_available(pipe)) > 0 &&
         sender->queue.length < RV_H1_READ_AHEAD) {
    size_t room = RV_H1_READ_AHEAD - sender->queue.length;
    int r = move_some(sender, pipe, available < room ? available : room);
    if (r < 0)
      return r;
  }
  return rv_h1_sender_settle(sender, pipe);
}
