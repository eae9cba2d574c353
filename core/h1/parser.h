/* SPDX-License-Identifier: MIT */
/* Reads one HTTP/1.1 message after the other (RFC 9112) on top of llhttp, as a
   pull parser: each call stops at the next event, so that nothing is ever
   called from within llhttp. */
#ifndef RV_H1_PARSER_H
#define RV_H1_PARSER_H

#include "http/filter.h"
#include <llhttp.h>

enum rv_h1_event {
  RV_H1_MORE,  /* all was consumed, or the message is complete */
  RV_H1_HEAD,  /* the head is complete: look at it, then begin the body */
  RV_H1_BODY,  /* bytes of the body */
  RV_H1_FAILED /* not HTTP, or over a limit: see `failure`; final */
};

/* How the end of a body is found (RFC 9112 section 6.3) and shown. */
enum rv_h1_framing {
  RV_H1_NO_BODY,
  RV_H1_LENGTH,
  RV_H1_CHUNKED,
  RV_H1_UNTIL_CLOSE
};

enum rv_h1_phase {
  RV_H1_PHASE_LINE, /* the request line; responses have none of it */
  RV_H1_PHASE_FIELDS,
  RV_H1_PHASE_READY, /* the head is complete, the body not begun */
  RV_H1_PHASE_BODY,
  RV_H1_PHASE_DONE,
  RV_H1_PHASE_FAILED
};

/* Bytes that may come in pieces, contiguous in an arena. */
struct rv_h1_piece {
  char *data;
  size_t length;
};

struct rv_h1_parser {
  llhttp_t llhttp;
  const struct rv_limits *limits;
  bool is_request;
  enum rv_h1_phase phase;
  enum rv_failure failure; /* of RV_H1_FAILED, as for requests */

  struct rv_head head; /* method, status, fields; the owner moves it away */
  struct rv_h1_piece line;
  struct rv_span target; /* of a request; its method is in `head` */
  unsigned minor;        /* HTTP/1.minor */
  size_t section_bytes;  /* of the head, or of the trailers, so far */
  bool skipped_line;     /* one empty line in front was skipped */

  enum rv_h1_framing framing;
  uint64_t remaining; /* of RV_H1_LENGTH */
  size_t line_bytes;  /* of the chunk line under way */
  struct rv_arena trailer_arena;
  struct rv_fields trailers;

  /* What the callbacks noted during one run of llhttp. */
  struct rv_h1_piece name, value;
  const char *body;
  size_t body_length;
  bool head_done, chunk_begun, message_done, in_trailers;
};

/* Offsets count from the bytes that were given. */
struct rv_h1_read {
  enum rv_h1_event event;
  size_t consumed; /* includes the body bytes, which come last */
  size_t body_length;
};

void rv_h1_parser_init(struct rv_h1_parser *parser, bool is_request,
    const struct rv_limits *limits);
void rv_h1_parser_deinit(struct rv_h1_parser *parser);

/* Begins with another message. */
void rv_h1_parser_reset(struct rv_h1_parser *parser);

/* Consumes some of `data` (length > 0). Heads are bounded by the limits as
   their bytes come. */
struct rv_h1_read rv_h1_parser_read(
    struct rv_h1_parser *parser, const uint8_t *data, size_t length);

/* After RV_H1_HEAD: how the body is delimited. With RV_H1_NO_BODY, and with
   RV_H1_LENGTH and 0, the message is complete at once. */
void rv_h1_parser_begin_body(
    struct rv_h1_parser *parser, enum rv_h1_framing framing, uint64_t length);

/* Is the message complete, with its trailers if any? To be asked after each
   read. */
static inline bool rv_h1_parser_done(const struct rv_h1_parser *parser) {
  return parser->phase == RV_H1_PHASE_DONE;
}

#endif
