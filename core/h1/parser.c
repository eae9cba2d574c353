/* SPDX-License-Identifier: MIT */
/* The request line is read here: llhttp knows a fixed list of methods only. It
   then sees a stand-in for it, and reads fields, chunks and trailers. */
#include "h1/parser.h"
#include <reverst/error.h>

enum {
  MAX_CHUNK_LINE = 1024,       /* size and extensions, with what is around */
  MAX_BESIDES_TARGET = 64 + 12 /* method, blanks, version, CR LF */
};

/* ---- what llhttp calls: only notes ---- */

static int fail(struct rv_h1_parser *parser, enum rv_failure failure) {
  if (parser->failure == RV_FAILURE_NONE)
    parser->failure = failure;
  parser->phase = RV_H1_PHASE_FAILED;
  return HPE_USER;
}

static struct rv_arena *arena_of(struct rv_h1_parser *parser) {
  return parser->in_trailers ? &parser->trailer_arena : &parser->head.arena;
}

static int piece_append(struct rv_h1_parser *parser, struct rv_h1_piece *piece,
    const char *data, size_t length) {
  struct rv_arena *arena = arena_of(parser);
  size_t total = piece->length + length;
  char *grown;

  if (length == 0)
    return 0;
  grown = piece->data != NULL
              ? rv_arena_grow(arena, piece->data, piece->length, total)
              : rv_arena_allocate(arena, total);
  if (grown == NULL)
    return fail(parser, RV_FAILURE_INTERNAL);
  memcpy(grown + piece->length, data, length);
  piece->data = grown;
  piece->length = total;
  return 0;
}

static void lower(char *data, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (data[i] >= 'A' && data[i] <= 'Z')
      data[i] = (char)(data[i] | 0x20);
}

static int on_field_name(llhttp_t *llhttp, const char *data, size_t length) {
  struct rv_h1_parser *parser = llhttp->data;
  size_t before = parser->name.length;

  if (before + length > parser->limits->name_bytes)
    return fail(parser, RV_FAILURE_HEAD_TOO_LARGE);
  if (piece_append(parser, &parser->name, data, length) != 0)
    return HPE_USER;
  lower(parser->name.data + before, length);
  return 0;
}

static int on_field_value(llhttp_t *llhttp, const char *data, size_t length) {
  struct rv_h1_parser *parser = llhttp->data;

  if (parser->value.length + length > parser->limits->value_bytes)
    return fail(parser, RV_FAILURE_HEAD_TOO_LARGE);
  return piece_append(parser, &parser->value, data, length);
}

static int on_field_complete(llhttp_t *llhttp) {
  struct rv_h1_parser *parser = llhttp->data;
  struct rv_fields *fields =
      parser->in_trailers ? &parser->trailers : &parser->head.fields;
  struct rv_span name = { parser->name.data, parser->name.length };
  struct rv_span value = { parser->value.data, parser->value.length };

  if (fields->count >= parser->limits->field_count)
    return fail(parser, RV_FAILURE_HEAD_TOO_LARGE);
  parser->name = parser->value = (struct rv_h1_piece){ 0 };
  if (rv_fields_add(fields, name, rv_span_trim(value)) < 0)
    return fail(parser, RV_FAILURE_INTERNAL);
  return 0;
}

static int on_head_complete(llhttp_t *llhttp) {
  struct rv_h1_parser *parser = llhttp->data;

  /* Whoever asks for another protocol is answered in this one. */
  llhttp->upgrade = 0;
  parser->head_done = true;
  return HPE_PAUSED;
}

static int on_chunk_header(llhttp_t *llhttp) {
  struct rv_h1_parser *parser = llhttp->data;

  if (llhttp->content_length > INT64_MAX)
    return fail(parser, RV_FAILURE_REQUEST_MALFORMED);
  parser->chunk_begun = true;
  return HPE_PAUSED;
}

static int on_body(llhttp_t *llhttp, const char *data, size_t length) {
  struct rv_h1_parser *parser = llhttp->data;

  parser->body = data;
  parser->body_length = length;
  return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *llhttp) {
  struct rv_h1_parser *parser = llhttp->data;

  parser->message_done = true;
  return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
  .on_header_field = on_field_name,
  .on_header_value = on_field_value,
  .on_header_value_complete = on_field_complete,
  .on_headers_complete = on_head_complete,
  .on_chunk_header = on_chunk_header,
  .on_body = on_body,
  .on_message_complete = on_message_complete,
};

/* ---- life ---- */

static void start_llhttp(struct rv_h1_parser *parser) {
  llhttp_init(&parser->llhttp,
      parser->is_request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
  parser->llhttp.data = parser;
}

void rv_h1_parser_init(struct rv_h1_parser *parser, bool is_request,
    const struct rv_limits *limits) {
  *parser = (struct rv_h1_parser){
    .limits = limits,
    .is_request = is_request,
    .phase = is_request ? RV_H1_PHASE_LINE : RV_H1_PHASE_FIELDS,
  };
  rv_head_init(&parser->head);
  rv_arena_init(&parser->trailer_arena);
  rv_fields_init(&parser->trailers, &parser->trailer_arena);
  if (!is_request)
    start_llhttp(parser);
}

void rv_h1_parser_deinit(struct rv_h1_parser *parser) {
  rv_head_deinit(&parser->head);
  rv_arena_deinit(&parser->trailer_arena);
}

void rv_h1_parser_reset(struct rv_h1_parser *parser) {
  rv_h1_parser_deinit(parser);
  rv_h1_parser_init(parser, parser->is_request, parser->limits);
}

/* ---- reading ---- */

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Counts bytes of a head or of trailers before they are looked at. false: over
   the limit. */
static bool count_section(struct rv_h1_parser *parser, size_t length) {
  parser->section_bytes += length;
  if (parser->section_bytes <= parser->limits->head_bytes)
    return true;
  fail(parser, RV_FAILURE_HEAD_TOO_LARGE);
  return false;
}

/* How much may be looked at to find out that a section is too large. */
static size_t section_room(const struct rv_h1_parser *parser, size_t length) {
  return smaller(
      length, parser->limits->head_bytes + 1 - parser->section_bytes);
}

/* Runs llhttp until it pauses; returns how much it consumed. */
static size_t run(
    struct rv_h1_parser *parser, const char *data, size_t length) {
  llhttp_errno_t r;

  llhttp_resume(&parser->llhttp);
  r = llhttp_execute(&parser->llhttp, data, length);
  if (r == HPE_OK)
    return length;
  if (r == HPE_PAUSED)
    return (size_t)(llhttp_get_error_pos(&parser->llhttp) - data);
  fail(parser, RV_FAILURE_REQUEST_MALFORMED);
  return length;
}

static bool has_control_bytes(const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (data[i] < 0x20 && data[i] != '\r' && data[i] != '\n')
      return true;
  return false;
}

/* What is too long about a request line that is over the limit? */
static enum rv_failure line_failure(const struct rv_h1_parser *parser) {
  size_t begin = smaller(parser->line.length, 64);
  bool has_method = memchr(parser->line.data, ' ', begin) != NULL;

  return has_method ? RV_FAILURE_TARGET_TOO_LONG : RV_FAILURE_REQUEST_MALFORMED;
}

/* Cuts what is in front of the first blank off `rest`. */
static bool cut_word(struct rv_span *rest, struct rv_span *word) {
  const char *blank =
      rest->length > 0 ? memchr(rest->data, ' ', rest->length) : NULL;
  size_t n;

  if (blank == NULL)
    return false;
  n = (size_t)(blank - rest->data);
  *word = (struct rv_span){ rest->data, n };
  *rest = (struct rv_span){ blank + 1, rest->length - n - 1 };
  return true;
}

/* RFC 9112 section 3: three words with one blank between them. What a target
   may be is looked at later. */
static bool split_line(struct rv_h1_parser *parser) {
  struct rv_span rest = { parser->line.data, parser->line.length };

  if (!cut_word(&rest, &parser->head.method) ||
      !cut_word(&rest, &parser->target) || !rv_is_token(parser->head.method) ||
      parser->target.length == 0)
    return false;
  parser->minor = rv_span_equal(rest, RV_SPAN("HTTP/1.1"));
  return parser->minor > 0 || rv_span_equal(rest, RV_SPAN("HTTP/1.0"));
}

/* The line is whole: takes CR LF off and lets llhttp see a stand-in. */
static void end_line(struct rv_h1_parser *parser) {
  static const char stand_in[2][18] = { "POST / HTTP/1.0\r\n",
    "POST / HTTP/1.1\r\n" };
  struct rv_h1_piece *line = &parser->line;

  if (line->length < 2 || line->data[line->length - 2] != '\r') {
    fail(parser, RV_FAILURE_REQUEST_MALFORMED);
    return;
  }
  line->length -= 2;
  if (line->length == 0 && !parser->skipped_line) {
    parser->skipped_line = true;
    *line = (struct rv_h1_piece){ 0 };
    return;
  }
  if (!split_line(parser)) {
    fail(parser, RV_FAILURE_REQUEST_MALFORMED);
    return;
  }
  if (parser->target.length > parser->limits->target_bytes) {
    fail(parser, RV_FAILURE_TARGET_TOO_LONG);
    return;
  }
  start_llhttp(parser);
  run(parser, stand_in[parser->minor], sizeof(stand_in[0]) - 1);
  if (parser->phase == RV_H1_PHASE_LINE)
    parser->phase = RV_H1_PHASE_FIELDS;
}

static size_t read_line(
    struct rv_h1_parser *parser, const uint8_t *data, size_t length) {
  size_t most = parser->limits->target_bytes + MAX_BESIDES_TARGET;
  size_t n = smaller(length, most + 1 - parser->line.length);
  const uint8_t *end = memchr(data, '\n', n);

  if (end != NULL)
    n = (size_t)(end - data) + 1;
  n = section_room(parser, n);
  if (has_control_bytes(data, n)) {
    fail(parser, RV_FAILURE_REQUEST_MALFORMED);
    return n;
  }
  if (piece_append(parser, &parser->line, (const char *)data, n) != 0)
    return n;
  if (parser->line.length > most)
    fail(parser, line_failure(parser));
  else if (count_section(parser, n) && end != NULL)
    end_line(parser);
  return n;
}

/* To llhttp a tab behind the coding is a part of it, and the body not chunked:
   chunk lines would be taken for body. */
static bool is_chunked_to_us_only(const struct rv_h1_parser *parser) {
  const struct rv_span *coding =
      rv_fields_find(&parser->head.fields, RV_SPAN("transfer-encoding"));

  return coding != NULL && rv_span_equal_nocase(*coding, RV_SPAN("chunked")) &&
         !(parser->llhttp.flags & F_CHUNKED);
}

static size_t read_fields(
    struct rv_h1_parser *parser, const uint8_t *data, size_t length) {
  size_t n = run(parser, (const char *)data, section_room(parser, length));

  if (parser->phase != RV_H1_PHASE_FIELDS || !count_section(parser, n))
    return n;
  if (!parser->head_done)
    return n;
  parser->phase = RV_H1_PHASE_READY;
  if (is_chunked_to_us_only(parser))
    fail(parser, RV_FAILURE_REQUEST_MALFORMED);
  if (!parser->is_request) {
    parser->head.status = llhttp_get_status_code(&parser->llhttp);
    parser->minor = llhttp_get_http_minor(&parser->llhttp);
    if (llhttp_get_http_major(&parser->llhttp) != 1 || parser->minor > 1)
      fail(parser, RV_FAILURE_REQUEST_MALFORMED);
  }
  return n;
}

/* Bytes that are no body: chunk lines, trailers. */
static void count_chunk_line(struct rv_h1_parser *parser, size_t length) {
  if (parser->in_trailers) {
    count_section(parser, length);
    return;
  }
  parser->line_bytes += length;
  if (parser->line_bytes > MAX_CHUNK_LINE) {
    fail(parser, RV_FAILURE_REQUEST_MALFORMED);
    return;
  }
  if (!parser->chunk_begun)
    return;
  parser->chunk_begun = false;
  parser->line_bytes = 0;
  if (parser->llhttp.content_length == 0) {
    parser->in_trailers = true;
    parser->section_bytes = 0;
  }
}

static size_t read_chunked(
    struct rv_h1_parser *parser, const uint8_t *data, size_t length) {
  size_t n = parser->in_trailers ? section_room(parser, length) : length;

  parser->body_length = 0;
  n = run(parser, (const char *)data, n);
  if (parser->phase == RV_H1_PHASE_FAILED)
    return n;
  count_chunk_line(parser, n - parser->body_length);
  if (parser->message_done && parser->phase != RV_H1_PHASE_FAILED)
    parser->phase = RV_H1_PHASE_DONE;
  return n;
}

static size_t read_plain(struct rv_h1_parser *parser, size_t length) {
  if (parser->framing == RV_H1_LENGTH) {
    if (length >= parser->remaining) {
      length = (size_t)parser->remaining;
      parser->phase = RV_H1_PHASE_DONE;
    }
    parser->remaining -= length;
  }
  parser->body_length = length;
  return length;
}

static size_t read_phase(
    struct rv_h1_parser *parser, const uint8_t *data, size_t length) {
  switch (parser->phase) {
  case RV_H1_PHASE_LINE:
    return read_line(parser, data, length);
  case RV_H1_PHASE_FIELDS:
    return read_fields(parser, data, length);
  case RV_H1_PHASE_BODY:
    return parser->framing == RV_H1_CHUNKED ? read_chunked(parser, data, length)
                                            : read_plain(parser, length);
  default:
    return 0;
  }
}

struct rv_h1_read rv_h1_parser_read(
    struct rv_h1_parser *parser, const uint8_t *data, size_t length) {
  struct rv_h1_read result = { RV_H1_MORE, 0, 0 };

  parser->body_length = 0;
  while (result.consumed < length) {
    result.consumed +=
        read_phase(parser, data + result.consumed, length - result.consumed);
    if (parser->phase == RV_H1_PHASE_FAILED) {
      result.event = RV_H1_FAILED;
      return result;
    }
    if (parser->body_length > 0) {
      result.event = RV_H1_BODY;
      result.body_length = parser->body_length;
      return result;
    }
    if (parser->phase == RV_H1_PHASE_READY) {
      result.event = RV_H1_HEAD;
      return result;
    }
    if (parser->phase == RV_H1_PHASE_DONE)
      return result;
  }
  return result;
}

void rv_h1_parser_begin_body(
    struct rv_h1_parser *parser, enum rv_h1_framing framing, uint64_t length) {
  parser->framing = framing;
  parser->remaining = length;
  parser->phase = RV_H1_PHASE_BODY;
  if (framing == RV_H1_NO_BODY || (framing == RV_H1_LENGTH && length == 0))
    parser->phase = RV_H1_PHASE_DONE;
}
