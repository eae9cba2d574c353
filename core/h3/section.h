/* SPDX-License-Identifier: MIT */
/* Field sections as messages (RFC 9114 section 4): heads and trailers, what is
   malformed in them, what is left out of them. */
#ifndef RV_H3_SECTION_H
#define RV_H3_SECTION_H

#include "h3/output.h"
#include "h3/qpack.h"
#include "http/filter.h"

enum rv_h3_section_kind {
  RV_H3_REQUEST_HEAD,
  RV_H3_RESPONSE_HEAD, /* also an informational one */
  RV_H3_TRAILERS
};

struct rv_h3_section_rules {
  enum rv_h3_section_kind kind;
  const struct rv_limits *limits;
  bool strict; /* connection-specific fields are malformed, not dropped */
};

/* Reads a whole section into `head` (initialised, empty); of trailers the
   fields are there. Host becomes the authority. Results: 0;
   REVERST_ERR_MALFORMED: the message is; REVERST_ERR_PROTOCOL: QPACK failed;
   REVERST_ERR_NO_MEMORY. */
int rv_h3_section_read(struct rv_qpack *qpack,
    const struct rv_h3_section_rules *rules, const uint8_t *data, size_t length,
    struct rv_head *head);

/* Appends a HEADERS frame with the head. Connection-specific fields and Host
   are left out. Nothing is appended when a field may not pass
   (REVERST_ERR_MALFORMED); REVERST_ERR_NO_MEMORY: reset the stream. */
int rv_h3_section_write_head(struct rv_qpack *qpack,
    const struct rv_h3_section_rules *rules, const struct rv_head *head,
    struct rv_h3_output *output, struct rv_chunk_pool *pool);

/* The same for trailers; those that must not be there are left out, and
   nothing is appended when none is left. */
int rv_h3_section_write_trailers(struct rv_qpack *qpack,
    const struct rv_h3_section_rules *rules, struct rv_fields *trailers,
    struct rv_h3_output *output, struct rv_chunk_pool *pool);

#endif
