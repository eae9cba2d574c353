/* SPDX-License-Identifier: MIT */
/* Heads and trailers, written into chunks. */
#include "h1/writer.h"
#include <reverst/error.h>
#include <stdio.h>

enum { USUAL_HEAD_BYTES = 2048 };

/* ---- bytes into chunks ---- */

struct writer {
  struct rv_slices *out;
  struct rv_chunk_pool *pool;
  uint8_t *space;
  size_t room, used;
  int result;
};

static void flush(struct writer *writer) {
  if (writer->used > 0 && writer->result == 0)
    writer->result = rv_slices_push(
        writer->out, rv_chunk_pool_commit(writer->pool, writer->used));
  writer->space = NULL;
  writer->room = writer->used = 0;
}

static void find_space(struct writer *writer, size_t minimum) {
  flush(writer);
  if (writer->result < 0)
    return;
  writer->space = rv_chunk_pool_space(writer->pool, minimum, &writer->room);
  if (writer->space == NULL)
    writer->result = REVERST_ERR_NO_MEMORY;
}

static struct writer begin(
    struct rv_slices *out, struct rv_chunk_pool *pool, size_t minimum) {
  struct writer writer = { .out = out, .pool = pool };

  find_space(&writer, minimum);
  return writer;
}

static int finish(struct writer *writer) {
  flush(writer);
  return writer->result;
}

static void put(struct writer *writer, struct rv_span span) {
  while (span.length > 0 && writer->result == 0) {
    size_t left = writer->room - writer->used;
    size_t n = span.length < left ? span.length : left;
    memcpy(writer->space + writer->used, span.data, n);
    writer->used += n;
    span.data += n;
    span.length -= n;
    if (span.length > 0)
      find_space(writer, USUAL_HEAD_BYTES);
  }
}

static void put_number(struct writer *writer, uint64_t number) {
  char digits[20];
  size_t at = sizeof(digits);

  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  put(writer, (struct rv_span){ digits + at, sizeof(digits) - at });
}

static void put_field(
    struct writer *writer, struct rv_span name, struct rv_span value) {
  put(writer, name);
  put(writer, RV_SPAN(": "));
  put(writer, value);
  put(writer, RV_SPAN("\r\n"));
}

/* ---- fields ---- */

static bool are_valid(const struct rv_fields *fields) {
  for (size_t i = 0; i < fields->count; i++)
    if (!rv_is_field_name(fields->items[i].name) ||
        !rv_is_field_value(fields->items[i].value))
      return false;
  return true;
}

/* Fields that are written from elsewhere, or concern one connection only. */
static bool is_left_out(const struct rv_field *field) {
  return rv_span_equal_nocase(field->name, RV_SPAN("content-length")) ||
         rv_span_equal_nocase(field->name, RV_SPAN("host")) ||
         rv_is_connection_specific(field->name, field->value);
}

static void put_fields(struct writer *writer, const struct rv_fields *fields,
    struct rv_span except) {
  for (size_t i = 0; i < fields->count; i++) {
    const struct rv_field *field = &fields->items[i];
    if (!is_left_out(field) && !rv_span_equal(field->name, except))
      put_field(writer, field->name, field->value);
  }
}

static void put_cookies(struct writer *writer, const struct rv_fields *fields) {
  bool any = false;

  for (size_t i = 0; i < fields->count; i++) {
    const struct rv_field *field = &fields->items[i];
    if (!rv_span_equal(field->name, RV_SPAN("cookie")))
      continue;
    put(writer, any ? RV_SPAN("; ") : RV_SPAN("cookie: "));
    put(writer, field->value);
    any = true;
  }
  if (any)
    put(writer, RV_SPAN("\r\n"));
}

static void put_shape(struct writer *writer, const struct rv_h1_shape *shape) {
  if (shape->framing == RV_H1_CHUNKED)
    put(writer, RV_SPAN("transfer-encoding: chunked\r\n"));
  else if (shape->length != RV_NO_LENGTH) {
    put(writer, RV_SPAN("content-length: "));
    put_number(writer, (uint64_t)shape->length);
    put(writer, RV_SPAN("\r\n"));
  }
  if (shape->close)
    put(writer, RV_SPAN("connection: close\r\n"));
  put(writer, RV_SPAN("\r\n"));
}

/* ---- status ---- */

struct reason {
  int status;
  struct rv_span text;
};

#define REASON(status, text)                                                   \
  {                                                                            \
    status, {                                                                  \
      text, sizeof(text) - 1                                                   \
    }                                                                          \
  }

/* RFC 9110 section 15 and the registry; sorted by how often they are met. */
static const struct reason reasons[] = {
  REASON(200, "OK"),
  REASON(304, "Not Modified"),
  REASON(204, "No Content"),
  REASON(206, "Partial Content"),
  REASON(301, "Moved Permanently"),
  REASON(302, "Found"),
  REASON(404, "Not Found"),
  REASON(201, "Created"),
  REASON(400, "Bad Request"),
  REASON(401, "Unauthorized"),
  REASON(403, "Forbidden"),
  REASON(500, "Internal Server Error"),
  REASON(502, "Bad Gateway"),
  REASON(503, "Service Unavailable"),
  REASON(504, "Gateway Timeout"),
  REASON(100, "Continue"),
  REASON(102, "Processing"),
  REASON(103, "Early Hints"),
  REASON(202, "Accepted"),
  REASON(203, "Non-Authoritative Information"),
  REASON(205, "Reset Content"),
  REASON(207, "Multi-Status"),
  REASON(208, "Already Reported"),
  REASON(226, "IM Used"),
  REASON(300, "Multiple Choices"),
  REASON(303, "See Other"),
  REASON(305, "Use Proxy"),
  REASON(307, "Temporary Redirect"),
  REASON(308, "Permanent Redirect"),
  REASON(402, "Payment Required"),
  REASON(405, "Method Not Allowed"),
  REASON(406, "Not Acceptable"),
  REASON(407, "Proxy Authentication Required"),
  REASON(408, "Request Timeout"),
  REASON(409, "Conflict"),
  REASON(410, "Gone"),
  REASON(411, "Length Required"),
  REASON(412, "Precondition Failed"),
  REASON(413, "Content Too Large"),
  REASON(414, "URI Too Long"),
  REASON(415, "Unsupported Media Type"),
  REASON(416, "Range Not Satisfiable"),
  REASON(417, "Expectation Failed"),
  REASON(418, "I'm a teapot"),
  REASON(421, "Misdirected Request"),
  REASON(422, "Unprocessable Content"),
  REASON(423, "Locked"),
  REASON(424, "Failed Dependency"),
  REASON(425, "Too Early"),
  REASON(426, "Upgrade Required"),
  REASON(428, "Precondition Required"),
  REASON(429, "Too Many Requests"),
  REASON(431, "Request Header Fields Too Large"),
  REASON(451, "Unavailable For Legal Reasons"),
  REASON(501, "Not Implemented"),
  REASON(505, "HTTP Version Not Supported"),
  REASON(506, "Variant Also Negotiates"),
  REASON(507, "Insufficient Storage"),
  REASON(508, "Loop Detected"),
  REASON(511, "Network Authentication Required"),
};

static struct rv_span reason_of(int status) {
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
    if (reasons[i].status == status)
      return reasons[i].text;
  return (struct rv_span){ 0 };
}

static void put_status_line(struct writer *writer, int status) {
  put(writer, RV_SPAN("HTTP/1.1 "));
  put_number(writer, (uint64_t)status);
  put(writer, RV_SPAN(" "));
  put(writer, reason_of(status));
  put(writer, RV_SPAN("\r\n"));
}

/* ---- heads ---- */

int rv_h1_write_response(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_head *head, const struct rv_h1_shape *shape) {
  struct writer writer;

  if (head->status < 100 || head->status > 999 || !are_valid(&head->fields))
    return REVERST_ERR_MALFORMED;
  writer = begin(out, pool, USUAL_HEAD_BYTES);
  put_status_line(&writer, head->status);
  put_fields(&writer, &head->fields, (struct rv_span){ 0 });
  put_shape(&writer, shape);
  return finish(&writer);
}

int rv_h1_write_request(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_head *head, const struct rv_h1_shape *shape) {
  struct writer writer;

  if (!rv_is_token(head->method) || !rv_is_path(head->path) ||
      !rv_is_authority(head->authority) || !are_valid(&head->fields))
    return REVERST_ERR_MALFORMED;
  writer = begin(out, pool, USUAL_HEAD_BYTES);
  put(&writer, head->method);
  put(&writer, RV_SPAN(" "));
  put(&writer, head->path);
  put(&writer, RV_SPAN(" HTTP/1.1\r\n"));
  put_field(&writer, RV_SPAN("host"), head->authority);
  put_fields(&writer, &head->fields, RV_SPAN("cookie"));
  put_cookies(&writer, &head->fields);
  put_shape(&writer, shape);
  return finish(&writer);
}

/* ---- chunks ---- */

int rv_h1_write_chunk_line(
    struct rv_slices *out, struct rv_chunk_pool *pool, size_t length) {
  char line[24];
  int n = snprintf(line, sizeof(line), "%zx\r\n", length);

  return rv_slices_copy(out, pool, line, (size_t)n);
}

int rv_h1_write_last_chunk(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_fields *trailers) {
  struct writer writer;

  if (trailers == NULL || trailers->count == 0)
    return rv_slices_push(
        out, (struct rv_slice){ NULL, (const uint8_t *)"0\r\n\r\n", 5 });
  if (!are_valid(trailers))
    return REVERST_ERR_MALFORMED;
  writer = begin(out, pool, USUAL_HEAD_BYTES);
  put(&writer, RV_SPAN("0\r\n"));
  put_fields(&writer, trailers, (struct rv_span){ 0 });
  put(&writer, RV_SPAN("\r\n"));
  return finish(&writer);
}

/* ---- failures ---- */

static void put_failure_fields(
    struct writer *writer, const struct rv_h1_failure *failure, int status) {
  put_field(
      writer, RV_SPAN("content-type"), RV_SPAN("text/plain; charset=utf-8"));
  if (status == 503)
    put_field(writer, RV_SPAN("retry-after"), RV_SPAN("5"));
  if (failure->failure == RV_FAILURE_METHOD)
    put_field(writer, RV_SPAN("allow"),
        RV_SPAN("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
  if (failure->fields != NULL)
    put_fields(writer, failure->fields, (struct rv_span){ 0 });
}

int rv_h1_write_failure(struct rv_slices *out, struct rv_chunk_pool *pool,
    const struct rv_h1_failure *failure) {
  const struct rv_failure_row *row = rv_failure_row(failure->failure);
  const char *id = failure->request_id;
  char line[256];
  int n = snprintf(line, sizeof(line), "%s%s%s%s\n", row->text,
      id ? " (request " : "", id ? id : "", id ? ")" : "");
  struct rv_h1_shape shape = { RV_H1_LENGTH, n, failure->close };
  struct writer writer = begin(out, pool, USUAL_HEAD_BYTES);

  put_status_line(&writer, row->status);
  put_failure_fields(&writer, failure, row->status);
  put_shape(&writer, &shape);
  if (!failure->head_only)
    put(&writer, (struct rv_span){ line, (size_t)n });
  return finish(&writer);
}
