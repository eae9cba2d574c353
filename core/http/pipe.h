/* SPDX-License-Identifier: MIT */
/* A pipe: one direction of a body, bounded, with back-pressure. */
#ifndef RV_HTTP_PIPE_H
#define RV_HTTP_PIPE_H

#include "base/failure.h"
#include "base/slices.h"
#include "http/head.h"
#include "http/waker.h"

enum { RV_PIPE_MARK = 65536, RV_REPLAY_WINDOW = 65536 };

enum rv_pipe_state {
  RV_PIPE_OPEN,
  RV_PIPE_ENDED,   /* by the producer, with or without trailers: QUIC FIN */
  RV_PIPE_ABORTED, /* by the producer: RESET_STREAM */
  RV_PIPE_STOPPED  /* by the consumer, who wants no more: STOP_SENDING, but
                      only if rv_pipe_is_unwanted: a rewind may undo it */
};

/* One producer, one consumer, one thread. Bytes that were pushed and not yet
   taken are what the mark counts; the pipe never refuses bytes, since a
   producer may have granted them (QUIC) before the mark was reached. */
struct rv_pipe {
  enum rv_pipe_state state;
  enum rv_failure cause;   /* of RV_PIPE_ABORTED */
  struct rv_slices queue;  /* pushed, not taken */
  struct rv_slices replay; /* taken, kept for rewind */
  bool replaying;          /* the replay window is still whole */
  bool ended;              /* by the producer; outlasts a stop and a rewind */
  bool has_trailers;
  struct rv_arena trailer_arena;
  struct rv_fields trailers;
  size_t mark;            /* bytes */
  uint64_t pushed, taken; /* totals; taken shrinks on rewind */
  uint64_t released; /* highest `taken` there was: what a producer may credit;
                        bytes dropped after a stop count */
  struct rv_waker *producer, *consumer; /* NULL: nobody to be told */
};

void rv_pipe_init(struct rv_pipe *pipe, size_t mark);
void rv_pipe_deinit(struct rv_pipe *pipe);

/* Stopped for good: whatever is pushed is dropped. While the replay window is
   whole a stop is not final: the producer then waits, as above the mark. */
static inline bool rv_pipe_is_unwanted(const struct rv_pipe *pipe) {
  return pipe->state == RV_PIPE_STOPPED && !pipe->replaying;
}

/* ---- producer ---- */

/* Should more be read for it? false above the mark, stopped, and once closed.
 */
bool rv_pipe_wants(const struct rv_pipe *pipe);

/* Owns `slice` in any case. Wakes the consumer. REVERST_ERR_CLOSED after end or
   abort; REVERST_ERR_NO_MEMORY (then abort). Stopped: 0 is returned, and the
   bytes are dropped, or kept for a rewind as long as all that was ever pushed
   is within RV_REPLAY_WINDOW; beyond it the window is dropped. */
int rv_pipe_push(struct rv_pipe *pipe, struct rv_slice slice);
int rv_pipe_push_copy(struct rv_pipe *pipe, struct rv_chunk_pool *pool,
    const void *data, size_t length);

/* Trailers that have come before it is known that nothing follows them: copied,
   and seen once the pipe is ended. REVERST_ERR_NO_MEMORY. */
int rv_pipe_set_trailers(
    struct rv_pipe *pipe, const struct rv_fields *trailers);

/* No more will come. `trailers` (may be NULL) are copied. Harmless when closed.
   REVERST_ERR_NO_MEMORY (then abort). */
int rv_pipe_end(struct rv_pipe *pipe, const struct rv_fields *trailers);

/* Broken off: what is queued is dropped, the consumer must not pretend that the
   body is whole. Harmless when ended and fully taken, or closed. */
void rv_pipe_abort(struct rv_pipe *pipe, enum rv_failure cause);

/* ---- consumer ---- */

static inline size_t rv_pipe_available(const struct rv_pipe *pipe) {
  return pipe->state == RV_PIPE_STOPPED ? 0 : pipe->queue.length;
}

/* Takes at most `max` bytes, from one chunk; the caller owns the slice. false:
   nothing there now. Wakes the producer. */
bool rv_pipe_take(struct rv_pipe *pipe, size_t max, struct rv_slice *out);

/* Ended, and all was taken. */
bool rv_pipe_finished(const struct rv_pipe *pipe);

/* Wants no more: drops what is queued and what will come, unless it may be
   replayed: then both are kept for a rewind. Wakes the producer. Harmless when
   finished or aborted. */
void rv_pipe_stop(struct rv_pipe *pipe);

/* ---- replay (request bodies: see rv_exchange) ---- */

/* From now on taken slices stay referenced, up to RV_REPLAY_WINDOW bytes. Does
   nothing once bytes were taken, or stopped, or aborted. */
void rv_pipe_keep_replay(struct rv_pipe *pipe);

/* No rewind any more. A stop becomes final: what is queued is dropped. */
void rv_pipe_drop_replay(struct rv_pipe *pipe);

/* Makes all taken bytes available again, in front of the queue; false when the
   window has overflowed or was dropped, when aborted, or out of memory. A stop
   by the previous consumer is undone: the pipe is open again, or ended if the
   producer has ended it before or since. */
bool rv_pipe_can_rewind(const struct rv_pipe *pipe);
bool rv_pipe_rewind(struct rv_pipe *pipe);

#endif
