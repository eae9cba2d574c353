/* SPDX-License-Identifier: MIT */
/* What a connection has to send: a bounded queue of slices, fed by a pipe. */
#ifndef RV_H1_SENDER_H
#define RV_H1_SENDER_H

#include "h1/writer.h"
#include "http/pipe.h"

/* So much of a body is taken from its pipe ahead of what the kernel takes. */
enum { RV_H1_READ_AHEAD = 65536 };

struct rv_h1_sender {
  struct rv_chunk_pool *pool;
  struct rv_slices queue;
  enum rv_h1_framing framing;
  uint64_t remaining; /* of RV_H1_LENGTH */
  uint64_t sent;      /* bytes of this message that were sent, with its head */
  bool complete;      /* all of the message is in the queue, or was sent */
};

void rv_h1_sender_init(struct rv_h1_sender *sender, struct rv_chunk_pool *pool);
void rv_h1_sender_deinit(struct rv_h1_sender *sender);

/* A head was written to the queue; its body follows. RV_H1_NO_BODY: complete
   at once. */
void rv_h1_sender_begin(
    struct rv_h1_sender *sender, enum rv_h1_framing framing, uint64_t length);

/* Takes what is in the pipe, by reference, up to the read-ahead, and notices
   its end. REVERST_ERR_PROTOCOL: more or less than was declared;
   REVERST_ERR_CLOSED: the pipe was broken off; REVERST_ERR_MALFORMED: its
   trailers are not valid; REVERST_ERR_NO_MEMORY. After each the connection must
   be closed so that the message is seen to be incomplete. */
int rv_h1_sender_pull(struct rv_h1_sender *sender, struct rv_pipe *pipe);

/* Only notices the end, or that it was broken off; takes nothing. */
int rv_h1_sender_settle(struct rv_h1_sender *sender, struct rv_pipe *pipe);

static inline size_t rv_h1_sender_gather(
    const struct rv_h1_sender *sender, struct iovec *vectors, size_t max) {
  return rv_slices_peek(&sender->queue, 0, vectors, max);
}

static inline void rv_h1_sender_sent(
    struct rv_h1_sender *sender, size_t length) {
  rv_slices_consume(&sender->queue, length);
  sender->sent += length;
}

/* The message was sent whole. */
static inline bool rv_h1_sender_done(const struct rv_h1_sender *sender) {
  return sender->complete && sender->queue.length == 0;
}

#endif
