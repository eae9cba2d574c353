/* SPDX-License-Identifier: MIT */
/* What may pass where: one table of field names, and the checks of heads. */
#include "http/filter.h"

#include <stdlib.h>

const struct rv_limits rv_limits_default = {
  .head_bytes = 64 * 1024,
  .target_bytes = 16 * 1024,
  .field_count = 100,
  .name_bytes = 256,
  .value_bytes = 16 * 1024,
  .informational_count = 16,
};

const struct rv_limits rv_limits_forwarded = {
  .head_bytes = 72 * 1024,
  .target_bytes = 16 * 1024,
  .field_count = 120,
  .name_bytes = 256,
  .value_bytes = 17 * 1024,
  .informational_count = 16,
};

/* More are not looked at: a list of many thousands would cost a visitor
   nothing, and us a comparison with each field for each of them. */
enum { MAX_CONNECTION_OPTIONS = 100 };

enum rule {
  CONNECTION = 1, /* RFC 9110 section 7.6.1, RFC 9114 section 4.2 */
  HOP = 2,        /* ends here too, but is no error in HTTP/3 */
  KEPT = 4,       /* whatever Connection says */
  HEAD_ONLY = 8,  /* not in trailers: framing, routing, authentication, control
                     and content format (RFC 9110 section 6.5.1) */
  FRAMING = 16,   /* follows from the message and the connection */
  FORWARDING = 32 /* the proxy tells the origin about the visitor */
};

struct row {
  const char *name;
  unsigned rules;
};

/* In the order of strcmp. */
static const struct row table[] = {
  { "accept", HEAD_ONLY },
  { "accept-charset", HEAD_ONLY },
  { "accept-encoding", HEAD_ONLY },
  { "accept-language", HEAD_ONLY },
  { "age", HEAD_ONLY },
  { "authorization", KEPT | HEAD_ONLY },
  { "cache-control", HEAD_ONLY },
  { "connection", CONNECTION | HEAD_ONLY },
  { "content-encoding", HEAD_ONLY },
  { "content-length", KEPT | HEAD_ONLY | FRAMING },
  { "content-range", HEAD_ONLY },
  { "content-type", HEAD_ONLY },
  { "cookie", KEPT | HEAD_ONLY },
  { "date", HEAD_ONLY },
  { "expect", HEAD_ONLY },
  { "expires", HEAD_ONLY },
  { "forwarded", KEPT | HEAD_ONLY },
  { "from", HEAD_ONLY },
  { "host", KEPT | HEAD_ONLY | FRAMING },
  { "http2-settings", HOP | HEAD_ONLY },
  { "if-match", HEAD_ONLY },
  { "if-modified-since", HEAD_ONLY },
  { "if-none-match", HEAD_ONLY },
  { "if-range", HEAD_ONLY },
  { "if-unmodified-since", HEAD_ONLY },
  { "keep-alive", CONNECTION | HEAD_ONLY },
  { "location", HEAD_ONLY },
  { "max-forwards", HEAD_ONLY },
  { "origin", HEAD_ONLY },
  { "pragma", HEAD_ONLY },
  { "proxy-authenticate", HOP | HEAD_ONLY },
  { "proxy-authentication-info", HOP | HEAD_ONLY },
  { "proxy-authorization", HOP | HEAD_ONLY },
  { "proxy-connection", CONNECTION | HEAD_ONLY },
  { "range", HEAD_ONLY },
  { "referer", HEAD_ONLY },
  { "retry-after", HEAD_ONLY },
  { "set-cookie", HEAD_ONLY },
  /* and see rv_is_connection_specific */
  { "te", KEPT | HEAD_ONLY | FRAMING },
  { "trailer", HEAD_ONLY | FRAMING },
  { "transfer-encoding", CONNECTION | HEAD_ONLY },
  { "upgrade", CONNECTION | HEAD_ONLY },
  { "user-agent", HEAD_ONLY },
  { "vary", HEAD_ONLY },
  { "via", KEPT | HEAD_ONLY | FORWARDING },
  { "warning", HEAD_ONLY },
  { "www-authenticate", HEAD_ONLY },
  { "x-forwarded-for", KEPT | HEAD_ONLY | FORWARDING },
  { "x-forwarded-host", KEPT | HEAD_ONLY | FORWARDING },
  { "x-forwarded-proto", KEPT | HEAD_ONLY | FORWARDING },
  { "x-real-ip", KEPT | HEAD_ONLY },
  { "x-request-id", KEPT | HEAD_ONLY | FORWARDING },
};

static int compare(const void *key, const void *member) {
  const struct rv_span *name = key;
  const struct row *row = member;
  size_t length = strlen(row->name);
  size_t shorter = name->length < length ? name->length : length;
  int order = memcmp(name->data, row->name, shorter);

  if (order == 0)
    order = (name->length > length) - (name->length < length);
  return order;
}

static bool begins_with(struct rv_span name, struct rv_span prefix) {
  return name.length >= prefix.length &&
         memcmp(name.data, prefix.data, prefix.length) == 0;
}

static unsigned rules_of(struct rv_span name) {
  const struct row *row;

  if (name.length == 0 || name.data[0] == ':')
    return HEAD_ONLY;
  row = bsearch(&name, table, sizeof(table) / sizeof(table[0]),
      sizeof(table[0]), compare);
  if (row != NULL)
    return row->rules;
  return begins_with(name, RV_SPAN("x-forwarded-")) ? KEPT | HEAD_ONLY : 0;
}

/* ---- validity ---- */

static enum rv_failure check_field(
    const struct rv_field *field, const struct rv_limits *limits) {
  if (field->name.length > limits->name_bytes ||
      field->value.length > limits->value_bytes)
    return RV_FAILURE_HEAD_TOO_LARGE;
  if (!rv_is_field_name(field->name) || !rv_is_field_value(field->value))
    return RV_FAILURE_REQUEST_MALFORMED;
  return RV_FAILURE_NONE;
}

enum rv_failure rv_filter_check_fields(
    const struct rv_fields *fields, const struct rv_limits *limits) {
  size_t bytes = 0;

  if (fields->count > limits->field_count)
    return RV_FAILURE_HEAD_TOO_LARGE;
  for (size_t i = 0; i < fields->count; i++) {
    const struct rv_field *field = &fields->items[i];
    enum rv_failure failure = check_field(field, limits);
    if (failure != RV_FAILURE_NONE)
      return failure;
    bytes += field->name.length + field->value.length;
    if (bytes > limits->head_bytes)
      return RV_FAILURE_HEAD_TOO_LARGE;
  }
  return RV_FAILURE_NONE;
}

static bool is_scheme(struct rv_span scheme) {
  return rv_span_equal_nocase(scheme, RV_SPAN("http")) ||
         rv_span_equal_nocase(scheme, RV_SPAN("https"));
}

/* Absent parts are the codec's matter. */
static bool request_line_is_valid(const struct rv_head *head) {
  return (head->method.length == 0 || rv_is_token(head->method)) &&
         (head->scheme.length == 0 || is_scheme(head->scheme)) &&
         (head->authority.length == 0 || rv_is_authority(head->authority)) &&
         (head->path.length == 0 || rv_is_path(head->path)) &&
         (head->protocol.data == NULL || rv_is_token(head->protocol));
}

static bool host_is_valid(const struct rv_fields *fields) {
  const struct rv_span *host = rv_fields_find(fields, RV_SPAN("host"));

  if (host == NULL)
    return true;
  return rv_fields_count_of(fields, RV_SPAN("host")) == 1 &&
         (host->length == 0 || rv_is_authority(*host));
}

/* All Content-Length fields must say the same; one is kept. */
static bool read_content_length(struct rv_head *head) {
  const struct rv_span name = RV_SPAN("content-length");
  bool seen = false;
  uint64_t length = 0;

  for (size_t i = 0; i < head->fields.count; i++) {
    const struct rv_field *field = &head->fields.items[i];
    uint64_t value;
    if (!rv_span_equal(field->name, name))
      continue;
    if (!rv_span_to_uint(field->value, &value) || (seen && value != length))
      return false;
    length = value;
    seen = true;
  }
  if (!seen)
    return true;
  head->content_length = (int64_t)length;
  /* cannot fail: it is there */
  (void)rv_fields_set(
      &head->fields, name, *rv_fields_find(&head->fields, name));
  return true;
}

enum rv_failure rv_filter_check_head(
    struct rv_head *head, const struct rv_limits *limits) {
  enum rv_failure failure = rv_filter_check_fields(&head->fields, limits);

  if (failure != RV_FAILURE_NONE)
    return failure;
  if (head->path.length > limits->target_bytes ||
      head->authority.length > limits->target_bytes)
    return RV_FAILURE_TARGET_TOO_LONG;
  if (head->status != 0
          ? head->status < 100 || head->status > 999
          : !request_line_is_valid(head) || !host_is_valid(&head->fields))
    return RV_FAILURE_REQUEST_MALFORMED;
  return read_content_length(head) ? RV_FAILURE_NONE
                                   : RV_FAILURE_REQUEST_MALFORMED;
}

/* ---- what passes ---- */

bool rv_is_connection_specific(struct rv_span name, struct rv_span value) {
  if (rv_span_equal(name, RV_SPAN("te")))
    return !rv_span_equal_nocase(value, RV_SPAN("trailers"));
  return (rules_of(name) & CONNECTION) != 0;
}

bool rv_is_proxy_field(struct rv_span name, bool in_request) {
  unsigned owned = CONNECTION | HOP | FRAMING | (in_request ? FORWARDING : 0);

  return (rules_of(name) & owned) != 0;
}

/* Marks all fields of that name, in any case, for removal. */
static void mark(struct rv_fields *fields, struct rv_span name) {
  for (size_t i = 0; i < fields->count; i++) {
    struct rv_field *field = &fields->items[i];
    if (rv_span_equal_nocase(field->name, name) &&
        !(rules_of(field->name) & (KEPT | CONNECTION)))
      field->name = (struct rv_span){ 0 };
  }
}

static void mark_named_by_connection(struct rv_fields *fields) {
  size_t options = 0;

  for (size_t i = 0; i < fields->count; i++) {
    struct rv_span rest = fields->items[i].value, option;
    if (!rv_span_equal(fields->items[i].name, RV_SPAN("connection")))
      continue;
    while (options < MAX_CONNECTION_OPTIONS &&
           rv_span_next_element(&rest, &option)) {
      mark(fields, option);
      options++;
    }
  }
}

void rv_filter_hop_by_hop(struct rv_fields *fields) {
  size_t kept = 0;

  mark_named_by_connection(fields);
  for (size_t i = 0; i < fields->count; i++) {
    const struct rv_field *field = &fields->items[i];
    if (field->name.length > 0 && !(rules_of(field->name) & HOP) &&
        !rv_is_connection_specific(field->name, field->value))
      fields->items[kept++] = *field;
  }
  fields->count = kept;
}

void rv_filter_trailers(struct rv_fields *fields) {
  size_t kept = 0;

  for (size_t i = 0; i < fields->count; i++) {
    if (!(rules_of(fields->items[i].name) & HEAD_ONLY))
      fields->items[kept++] = fields->items[i];
  }
  fields->count = kept;
}

/* ---- semantics ---- */

bool rv_is_idempotent(struct rv_span method) {
  static const struct rv_span methods[] = {
    { "GET", 3 },
    { "HEAD", 4 },
    { "OPTIONS", 7 },
    { "PUT", 3 },
    { "DELETE", 6 },
  };

  for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
    if (rv_span_equal(method, methods[i]))
      return true;
  }
  return false;
}

bool rv_is_bodyless(struct rv_span method, int status) {
  return rv_span_equal(method, RV_SPAN("HEAD")) ||
         (status >= 100 && status < 200) || status == 204 || status == 304;
}
