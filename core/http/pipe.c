/* SPDX-License-Identifier: MIT */
/* The pipe: a queue of slices, and a second one of what may be replayed. */
#include "http/pipe.h"

#include <assert.h>

#include <reverst/error.h>

void rv_pipe_init(struct rv_pipe *pipe, size_t mark) {
  *pipe = (struct rv_pipe){ .mark = mark };
  rv_slices_init(&pipe->queue);
  rv_slices_init(&pipe->replay);
  rv_arena_init(&pipe->trailer_arena);
  rv_fields_init(&pipe->trailers, &pipe->trailer_arena);
}

void rv_pipe_deinit(struct rv_pipe *pipe) {
  rv_slices_deinit(&pipe->queue);
  rv_slices_deinit(&pipe->replay);
  rv_arena_deinit(&pipe->trailer_arena);
}

static bool is_stopped(const struct rv_pipe *pipe) {
  return pipe->state == RV_PIPE_STOPPED;
}

/* Nothing of what was pushed will be wanted again: all of it may be credited.
 */
static void drop_all(struct rv_pipe *pipe) {
  rv_slices_clear(&pipe->queue);
  rv_slices_clear(&pipe->replay);
  pipe->replaying = false;
  pipe->released = pipe->pushed;
}

/* ---- producer ---- */

/* A stopped pipe wants nothing even while a rewind may come: what is not read
   now cannot overflow the window. */
bool rv_pipe_wants(const struct rv_pipe *pipe) {
  return pipe->state == RV_PIPE_OPEN && pipe->queue.length < pipe->mark;
}

/* What a push to a pipe in this state comes to: negative, or may it be queued?
 */
static int accepts(const struct rv_pipe *pipe) {
  if (pipe->state == RV_PIPE_ABORTED || pipe->ended)
    return REVERST_ERR_CLOSED;
  return !rv_pipe_is_unwanted(pipe);
}

/* A producer that may not credit what it pushed sees it in `released`. */
static void after_push(struct rv_pipe *pipe) {
  if (rv_pipe_is_unwanted(pipe) ||
      (is_stopped(pipe) && pipe->pushed > RV_REPLAY_WINDOW)) {
    drop_all(pipe);
    rv_wake(pipe->producer);
  } else {
    rv_wake(pipe->consumer);
  }
}

int rv_pipe_push(struct rv_pipe *pipe, struct rv_slice slice) {
  size_t length = slice.length;
  int r = accepts(pipe);

  if (r == 1)
    r = rv_slices_push(&pipe->queue, slice);
  else
    rv_slice_release(&slice);
  if (r < 0 || length == 0)
    return r;
  pipe->pushed += length;
  after_push(pipe);
  return 0;
}

int rv_pipe_push_copy(struct rv_pipe *pipe, struct rv_chunk_pool *pool,
    const void *data, size_t length) {
  int r = accepts(pipe);

  if (r == 1)
    r = rv_slices_copy(&pipe->queue, pool, data, length);
  if (r < 0 || length == 0)
    return r;
  pipe->pushed += length;
  after_push(pipe);
  return 0;
}

int rv_pipe_set_trailers(
    struct rv_pipe *pipe, const struct rv_fields *trailers) {
  int r = 0;

  if (accepts(pipe) != 1 || trailers->count == 0)
    return 0;
  r = rv_fields_copy(&pipe->trailers, trailers);
  if (r == 0)
    pipe->has_trailers = true;
  return r;
}

int rv_pipe_end(struct rv_pipe *pipe, const struct rv_fields *trailers) {
  int r;

  if (accepts(pipe) != 1)
    return 0;
  if (trailers != NULL && (r = rv_pipe_set_trailers(pipe, trailers)) < 0)
    return r;
  pipe->ended = true;
  if (!is_stopped(pipe))
    pipe->state = RV_PIPE_ENDED;
  rv_wake(pipe->consumer);
  return 0;
}

void rv_pipe_abort(struct rv_pipe *pipe, enum rv_failure cause) {
  if (pipe->state == RV_PIPE_ABORTED || rv_pipe_finished(pipe) ||
      rv_pipe_is_unwanted(pipe))
    return;
  pipe->state = RV_PIPE_ABORTED;
  pipe->cause = cause;
  drop_all(pipe);
  rv_wake(pipe->consumer);
}

/* ---- consumer ---- */

/* Keeps a reference to a slice that is taken, while the window lasts. */
static void keep_for_replay(
    struct rv_pipe *pipe, const struct rv_slice *slice) {
  if (!pipe->replaying)
    return;
  if (slice->length > RV_REPLAY_WINDOW - pipe->replay.length ||
      rv_slices_push(&pipe->replay, rv_slice_sub(slice, 0, slice->length)) < 0)
    rv_pipe_drop_replay(pipe);
}

bool rv_pipe_take(struct rv_pipe *pipe, size_t max, struct rv_slice *out) {
  if (is_stopped(pipe) || !rv_slices_take(&pipe->queue, max, out))
    return false;
  keep_for_replay(pipe, out);
  pipe->taken += out->length;
  if (pipe->taken > pipe->released)
    pipe->released = pipe->taken;
  rv_wake(pipe->producer);
  return true;
}

bool rv_pipe_finished(const struct rv_pipe *pipe) {
  return pipe->state == RV_PIPE_ENDED && pipe->queue.length == 0;
}

void rv_pipe_stop(struct rv_pipe *pipe) {
  if (is_stopped(pipe) || pipe->state == RV_PIPE_ABORTED ||
      rv_pipe_finished(pipe))
    return;
  pipe->state = RV_PIPE_STOPPED;
  if (!pipe->replaying)
    drop_all(pipe);
  rv_wake(pipe->producer);
}

/* ---- replay ---- */

void rv_pipe_keep_replay(struct rv_pipe *pipe) {
  if (pipe->taken == 0 && pipe->state != RV_PIPE_ABORTED && !is_stopped(pipe))
    pipe->replaying = true;
}

void rv_pipe_drop_replay(struct rv_pipe *pipe) {
  if (!pipe->replaying)
    return;
  pipe->replaying = false;
  rv_slices_clear(&pipe->replay);
  if (is_stopped(pipe)) {
    drop_all(pipe);
    rv_wake(pipe->producer);
  }
}

bool rv_pipe_can_rewind(const struct rv_pipe *pipe) {
  return pipe->replaying;
}

bool rv_pipe_rewind(struct rv_pipe *pipe) {
  struct rv_slices whole;

  if (!pipe->replaying || rv_slices_append(&pipe->replay, &pipe->queue) < 0)
    return false;
  whole = pipe->replay;
  pipe->replay = pipe->queue;
  pipe->queue = whole;
  pipe->taken = 0;
  if (is_stopped(pipe))
    pipe->state = pipe->ended ? RV_PIPE_ENDED : RV_PIPE_OPEN;
  rv_wake(pipe->producer);
  rv_wake(pipe->consumer);
  return true;
}
