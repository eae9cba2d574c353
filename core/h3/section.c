/* SPDX-License-Identifier: MIT */
/* Reading and writing of field sections as messages. */
#include "h3/section.h"
#include "base/list.h"
#include "h3/frame.h"
#include <reverst/error.h>
#include <stdio.h>

/* ---- reading ---- */

struct reader {
  struct rv_qpack_sink sink;
  const struct rv_h3_section_rules *rules;
  struct rv_head *head;
  struct rv_span status;
  bool has_fields; /* a regular field was there: no pseudo-field may follow */
  size_t count, bytes;
};

/* RFC 9110 token, without upper case (RFC 9114 section 4.2). */
static bool is_name(struct rv_span name) {
  for (size_t i = 0; i < name.length; i++) {
    if (name.data[i] >= 'A' && name.data[i] <= 'Z')
      return false;
  }
  return rv_is_token(name);
}

/* Where a pseudo-field's value goes; NULL: not in this kind of section. */
static struct rv_span *pseudo_place(
    struct reader *reader, struct rv_span name) {
  struct rv_head *head = reader->head;
  if (reader->rules->kind == RV_H3_RESPONSE_HEAD)
    return rv_span_equal(name, RV_SPAN(":status")) ? &reader->status : NULL;
  if (reader->rules->kind == RV_H3_TRAILERS)
    return NULL;
  if (rv_span_equal(name, RV_SPAN(":method")))
    return &head->method;
  if (rv_span_equal(name, RV_SPAN(":scheme")))
    return &head->scheme;
  if (rv_span_equal(name, RV_SPAN(":authority")))
    return &head->authority;
  if (rv_span_equal(name, RV_SPAN(":path")))
    return &head->path;
  if (rv_span_equal(name, RV_SPAN(":protocol")))
    return &head->protocol;
  return NULL;
}

static int read_pseudo(
    struct reader *reader, struct rv_span name, struct rv_span value) {
  struct rv_span *place = pseudo_place(reader, name);
  if (place == NULL || place->data != NULL || reader->has_fields ||
      !rv_is_field_value(value))
    return REVERST_ERR_MALFORMED;
  *place = rv_arena_copy(&reader->head->arena, value);
  return place->data == NULL ? REVERST_ERR_NO_MEMORY : 0;
}

/* Bounds while decoding, so that a small section cannot unfold into a large
   one. */
static bool is_within_limits(
    struct reader *reader, struct rv_span name, struct rv_span value) {
  const struct rv_limits *limits = reader->rules->limits;
  reader->bytes += name.length + value.length;
  return ++reader->count <= limits->field_count + 5 &&
         reader->bytes <= limits->head_bytes &&
         value.length <= limits->value_bytes;
}

static int on_field(
    struct rv_qpack_sink *sink, struct rv_span name, struct rv_span value) {
  struct reader *reader = rv_container_of(sink, struct reader, sink);
  value = rv_span_trim(value);
  if (!is_within_limits(reader, name, value))
    return REVERST_ERR_MALFORMED;
  if (name.length > 0 && name.data[0] == ':')
    return read_pseudo(reader, name, value);
  reader->has_fields = true;
  if (!is_name(name))
    return REVERST_ERR_MALFORMED;
  if (rv_is_connection_specific(name, value) && reader->rules->strict)
    return REVERST_ERR_MALFORMED;
  return rv_fields_add_copy(&reader->head->fields, name, value);
}

/* Host and :authority must agree; only the latter is kept (RFC 9114 section
   4.3.1). */
static bool settle_authority(struct rv_head *head) {
  struct rv_span host_name = RV_SPAN("host");
  const struct rv_span *host = rv_fields_find(&head->fields, host_name);
  if (host != NULL) {
    if (rv_fields_count_of(&head->fields, host_name) > 1)
      return false;
    if (head->authority.data == NULL)
      head->authority = *host;
    if (!rv_span_equal_nocase(*host, head->authority))
      return false;
    rv_fields_remove(&head->fields, host_name);
  }
  return rv_is_authority(head->authority);
}

static bool is_scheme(struct rv_span scheme) {
  return rv_span_equal_nocase(scheme, RV_SPAN("https")) ||
         rv_span_equal_nocase(scheme, RV_SPAN("http"));
}

static bool is_request(struct rv_head *head) {
  bool connect = rv_span_equal(head->method, RV_SPAN("CONNECT"));
  if (!rv_is_token(head->method) || !settle_authority(head))
    return false;
  if (head->protocol.data != NULL && (!connect || !rv_is_token(head->protocol)))
    return false;
  if (connect && head->protocol.data == NULL)
    return head->scheme.data == NULL && head->path.data == NULL;
  return is_scheme(head->scheme) && rv_is_path(head->path);
}

/* 101 does not exist in HTTP/3 (RFC 9114 section 4.5). */
static bool is_response(struct rv_head *head, struct rv_span status) {
  uint64_t number;
  if (status.length != 3 || !rv_span_to_uint(status, &number) || number < 100 ||
      number == 101)
    return false;
  head->status = (int)number;
  return true;
}

static bool is_head(struct reader *reader) {
  switch (reader->rules->kind) {
  case RV_H3_REQUEST_HEAD:
    return is_request(reader->head);
  case RV_H3_RESPONSE_HEAD:
    return is_response(reader->head, reader->status);
  case RV_H3_TRAILERS:
    break;
  }
  return true;
}

int rv_h3_section_read(struct rv_qpack *qpack,
    const struct rv_h3_section_rules *rules, const uint8_t *data, size_t length,
    struct rv_head *head) {
  struct reader reader = {
    .sink = { .on_field = on_field }, .rules = rules, .head = head
  };
  int r = rv_qpack_decode(qpack, data, length, &reader.sink);
  if (r < 0)
    return r == REVERST_ERR_LIMIT ? REVERST_ERR_MALFORMED : r;
  if (!is_head(&reader))
    return REVERST_ERR_MALFORMED;
  rv_filter_hop_by_hop(&head->fields);
  if (rules->kind == RV_H3_TRAILERS)
    rv_filter_trailers(&head->fields);
  return rv_filter_check_head(head, rules->limits) == RV_FAILURE_NONE
             ? 0
             : REVERST_ERR_MALFORMED;
}

/* ---- writing ---- */

static void add_pseudo(
    struct rv_qpack *qpack, struct rv_span name, struct rv_span value) {
  if (value.data != NULL)
    rv_qpack_add(qpack, name, value);
}

static void add_request(struct rv_qpack *qpack, const struct rv_head *head) {
  bool plain_connect = head->protocol.data == NULL &&
                       rv_span_equal(head->method, RV_SPAN("CONNECT"));
  add_pseudo(qpack, RV_SPAN(":method"), head->method);
  if (!plain_connect)
    add_pseudo(qpack, RV_SPAN(":scheme"), head->scheme);
  add_pseudo(qpack, RV_SPAN(":authority"), head->authority);
  if (!plain_connect)
    add_pseudo(qpack, RV_SPAN(":path"), head->path);
  add_pseudo(qpack, RV_SPAN(":protocol"), head->protocol);
}

static void add_fields(
    struct rv_qpack *qpack, const struct rv_fields *fields, bool request) {
  for (size_t i = 0; i < fields->count; i++) {
    const struct rv_field *field = &fields->items[i];
    if (rv_is_connection_specific(field->name, field->value) ||
        (request && rv_span_equal(field->name, RV_SPAN("host"))))
      continue;
    rv_qpack_add(qpack, field->name, field->value);
  }
}

static int write_frame(struct rv_qpack *qpack, struct rv_h3_output *output,
    struct rv_chunk_pool *pool) {
  struct rv_span parts[2];
  uint8_t frame[RV_H3_FRAME_HEAD_MAX];
  int r = rv_qpack_encode(qpack, parts);
  if (r < 0)
    return r;
  size_t n = rv_h3_frame_write_head(
      frame, RV_H3_HEADERS, parts[0].length + parts[1].length);
  r = rv_h3_output_copy(output, pool, frame, n);
  for (size_t i = 0; r == 0 && i < 2; i++)
    r = rv_h3_output_copy(output, pool, parts[i].data, parts[i].length);
  return r;
}

int rv_h3_section_write_head(struct rv_qpack *qpack,
    const struct rv_h3_section_rules *rules, const struct rv_head *head,
    struct rv_h3_output *output, struct rv_chunk_pool *pool) {
  char status[16];
  if (rv_filter_check_fields(&head->fields, rules->limits) != RV_FAILURE_NONE)
    return REVERST_ERR_MALFORMED;
  rv_qpack_begin(qpack);
  if (rules->kind == RV_H3_REQUEST_HEAD) {
    add_request(qpack, head);
  } else {
    if (head->status < 100 || head->status > 999 || head->status == 101)
      return REVERST_ERR_MALFORMED;
    (void)snprintf(status, sizeof(status), "%d", head->status);
    rv_qpack_add(qpack, RV_SPAN(":status"), rv_span_of(status));
  }
  add_fields(qpack, &head->fields, rules->kind == RV_H3_REQUEST_HEAD);
  return write_frame(qpack, output, pool);
}

int rv_h3_section_write_trailers(struct rv_qpack *qpack,
    const struct rv_h3_section_rules *rules, struct rv_fields *trailers,
    struct rv_h3_output *output, struct rv_chunk_pool *pool) {
  rv_filter_hop_by_hop(trailers);
  rv_filter_trailers(trailers);
  if (trailers->count == 0)
    return 0;
  if (rv_filter_check_fields(trailers, rules->limits) != RV_FAILURE_NONE)
    return REVERST_ERR_MALFORMED;
  rv_qpack_begin(qpack);
  add_fields(qpack, trailers, false);
  return write_frame(qpack, output, pool);
}
