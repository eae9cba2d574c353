/* SPDX-License-Identifier: MIT */
/* The one place where HTTP/1.1 heads and trailers are written. Every name and
   value is checked here again, whoever made it: nothing can be injected. */
#ifndef RV_H1_WRITER_H
#define RV_H1_WRITER_H

#include "base/slices.h"
#include "h1/parser.h"

/* How a head shows the message it begins. */
struct rv_h1_shape {
  enum rv_h1_framing framing; /* what Content-Length or Transfer-Encoding say */
  int64_t length; /* Content-Length, also where there is no body (HEAD, 304,
                     an empty body); RV_NO_LENGTH: not written */
  bool close;     /* write Connection: close */
};

/* Appends a head to `out`. Framing, Host and Connection fields of the head are
   left out, those of `shape` written instead. REVERST_ERR_MALFORMED: a part of
   the head is not valid, nothing was written. REVERST_ERR_NO_MEMORY: a part may
   have been written. */
int rv_h1_write_response(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_head *head, const struct rv_h1_shape *shape);

/* The same; Host comes from head->authority, several cookie fields become one
   (RFC 9114 section 4.2.1). */
int rv_h1_write_request(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_head *head, const struct rv_h1_shape *shape);

/* The last chunk, trailers (may be NULL), the empty line. */
int rv_h1_write_last_chunk(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_fields *trailers);

/* The line in front of the data of a chunk, without the CR LF of the chunk
   before. */
int rv_h1_write_chunk_line(
    struct rv_slices *out, struct rv_chunk_pool *pool, size_t length);

/* A failure as the visitor is told it. */
struct rv_h1_failure {
  enum rv_failure failure;
  const char *request_id;         /* NUL terminated; NULL: none */
  const struct rv_fields *fields; /* besides our own, valid; NULL: none */
  bool head_only, close;
};

/* A whole answer: one plain-text line. */
int rv_h1_write_failure(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_h1_failure *failure);

#endif
