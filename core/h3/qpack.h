/* SPDX-License-Identifier: MIT */
/* Field sections as bytes (RFC 9204): nghttp3's coders, static table only. */
#ifndef RV_H3_QPACK_H
#define RV_H3_QPACK_H

#include "base/span.h"

/* Declared in h3/session.h too, with rv_qpack_new and rv_qpack_free. */
struct rv_qpack;

/* Gets each decoded field; the spans are valid during the call only. A negative
   result ends the decoding. */
struct rv_qpack_sink {
  int (*on_field)(
      struct rv_qpack_sink *sink, struct rv_span name, struct rv_span value);
};

/* Decodes one whole section. Results: 0; REVERST_ERR_PROTOCOL: it cannot be
   decoded; REVERST_ERR_LIMIT: a name or value that the decoder refuses for its
   length; REVERST_ERR_NO_MEMORY; what on_field returned. No result touches any
   other section. */
int rv_qpack_decode(struct rv_qpack *qpack, const uint8_t *data, size_t length,
    struct rv_qpack_sink *sink);

/* Collects a section: begin, add each field, encode. The spans must stay valid
   until then. A failing add shows in the encode. */
void rv_qpack_begin(struct rv_qpack *qpack);
void rv_qpack_add(
    struct rv_qpack *qpack, struct rv_span name, struct rv_span value);

/* The section is `parts` one after the other, valid until the next begin.
   REVERST_ERR_NO_MEMORY. */
int rv_qpack_encode(struct rv_qpack *qpack, struct rv_span parts[static 2]);

#endif
