/* SPDX-License-Identifier: MIT */
/* What a parsed head means. */
#include "h1/message.h"
#include <reverst/error.h>

/* ---- target ---- */

/* Cuts "http://" or "https://" off; the scheme itself says nothing about how
   the visitor came. */
static bool cut_scheme(struct rv_span *target) {
  static const struct rv_span schemes[] = { { "http://", 7 },
    { "https://", 8 } };

  for (size_t i = 0; i < 2; i++) {
    size_t n = schemes[i].length;
    struct rv_span start = { target->data, n };
    if (target->length >= n && rv_span_equal_nocase(start, schemes[i])) {
      *target = (struct rv_span){ target->data + n, target->length - n };
      return true;
    }
  }
  return false;
}

/* "host[:port]" and what follows it; a path that is not there is "/", or "*"
   for OPTIONS (RFC 9112 section 3.2.4). */
static bool read_absolute_target(struct rv_head *head, struct rv_span target) {
  size_t n = 0;

  if (!cut_scheme(&target))
    return false;
  while (n < target.length && target.data[n] != '/' && target.data[n] != '?')
    n++;
  head->authority = (struct rv_span){ target.data, n };
  head->path = (struct rv_span){ target.data + n, target.length - n };
  if (head->path.length == 0) {
    bool any = rv_span_equal(head->method, RV_SPAN("OPTIONS"));
    head->path = any ? RV_SPAN("*") : RV_SPAN("/");
  } else if (head->path.data[0] == '?') {
    char *path = rv_arena_allocate(&head->arena, head->path.length + 1);
    if (path == NULL)
      return false;
    path[0] = '/';
    memcpy(path + 1, head->path.data, head->path.length);
    head->path = (struct rv_span){ path, head->path.length + 1 };
  }
  return rv_is_authority(head->authority);
}

static bool read_target(struct rv_head *head, struct rv_span target) {
  head->path = target;
  if (target.length > 0 && target.data[0] != '/' &&
      !rv_span_equal(target, RV_SPAN("*")) &&
      !read_absolute_target(head, target))
    return false;
  if (rv_span_equal(head->path, RV_SPAN("*")) &&
      !rv_span_equal(head->method, RV_SPAN("OPTIONS")))
    return false;
  return rv_is_path(head->path);
}

/* RFC 9112 section 3.2 */
static bool read_host(
    struct rv_head *head, unsigned minor, struct rv_span default_host) {
  size_t count = rv_fields_count_of(&head->fields, RV_SPAN("host"));
  struct rv_span host = default_host;

  if (count > 1 || (count == 0 && minor > 0))
    return false;
  if (count == 1) {
    host = *rv_fields_find(&head->fields, RV_SPAN("host"));
    rv_fields_remove(&head->fields, RV_SPAN("host"));
    if (!rv_is_authority(host))
      return false;
  }
  if (head->authority.length == 0)
    head->authority = host;
  return head->authority.length > 0;
}

enum rv_failure rv_h1_read_target(struct rv_head *head, struct rv_span target,
    unsigned minor, struct rv_span default_host) {
  if (rv_span_equal(head->method, RV_SPAN("CONNECT")) ||
      rv_span_equal(head->method, RV_SPAN("TRACE")))
    return RV_FAILURE_METHOD;
  if (!read_target(head, target) || !read_host(head, minor, default_host))
    return RV_FAILURE_REQUEST_MALFORMED;
  return RV_FAILURE_NONE;
}

/* ---- framing ---- */

static const struct rv_span transfer_encoding = { "transfer-encoding", 17 };

/* The transfer codings that are named: `*chunked` how often it is chunked,
   `*last` whether that is what stands last. Returns how many there are. */
static size_t count_codings(
    const struct rv_fields *fields, size_t *chunked, bool *last) {
  size_t count = 0;

  *chunked = 0;
  *last = false;
  for (size_t i = 0; i < fields->count; i++) {
    struct rv_span rest = fields->items[i].value, coding;
    if (!rv_span_equal(fields->items[i].name, transfer_encoding))
      continue;
    while (rv_span_next_element(&rest, &coding)) {
      *last = rv_span_equal_nocase(coding, RV_SPAN("chunked"));
      *chunked += *last;
      count++;
    }
  }
  return count;
}

/* The one form that is served: a single field with nothing but "chunked". */
static bool is_plainly_chunked(const struct rv_fields *fields) {
  const struct rv_span *value = rv_fields_find(fields, transfer_encoding);

  return rv_fields_count_of(fields, transfer_encoding) == 1 &&
         rv_span_equal_nocase(*value, RV_SPAN("chunked"));
}

static enum rv_failure check_codings(
    const struct rv_head *head, unsigned minor) {
  size_t chunked, count;
  bool last;

  if (minor == 0 || head->content_length != RV_NO_LENGTH)
    return RV_FAILURE_REQUEST_MALFORMED;
  if (is_plainly_chunked(&head->fields))
    return RV_FAILURE_NONE;
  count = count_codings(&head->fields, &chunked, &last);
  if (count == 0 || chunked == count || (chunked > 0 && !last) || chunked > 1)
    return RV_FAILURE_REQUEST_MALFORMED;
  return RV_FAILURE_UNSUPPORTED;
}

enum rv_failure rv_h1_request_framing(
    struct rv_head *head, unsigned minor, enum rv_h1_framing *framing) {
  if (rv_fields_find(&head->fields, transfer_encoding) != NULL) {
    *framing = RV_H1_CHUNKED;
    return check_codings(head, minor);
  }
  *framing = head->content_length > 0 ? RV_H1_LENGTH : RV_H1_NO_BODY;
  head->no_body = *framing == RV_H1_NO_BODY;
  return RV_FAILURE_NONE;
}

enum rv_failure rv_h1_response_framing(struct rv_head *head,
    struct rv_span method, unsigned minor, enum rv_h1_framing *framing) {
  bool has_coding = rv_fields_find(&head->fields, transfer_encoding) != NULL;

  if (has_coding && check_codings(head, minor) != RV_FAILURE_NONE)
    return RV_FAILURE_ORIGIN_MALFORMED;
  if (rv_is_bodyless(method, head->status) || head->content_length == 0)
    *framing = RV_H1_NO_BODY;
  else if (has_coding)
    *framing = RV_H1_CHUNKED;
  else if (head->content_length != RV_NO_LENGTH)
    *framing = RV_H1_LENGTH;
  else
    *framing = RV_H1_UNTIL_CLOSE;
  head->no_body = *framing == RV_H1_NO_BODY;
  return RV_FAILURE_NONE;
}

/* ---- persistence ---- */

bool rv_h1_has_connection_option(
    const struct rv_fields *fields, struct rv_span option) {
  for (size_t i = 0; i < fields->count; i++) {
    struct rv_span rest = fields->items[i].value, element;
    if (!rv_span_equal(fields->items[i].name, RV_SPAN("connection")))
      continue;
    while (rv_span_next_element(&rest, &element))
      if (rv_span_equal_nocase(element, option))
        return true;
  }
  return false;
}

bool rv_h1_keeps(const struct rv_fields *fields, unsigned minor) {
  if (rv_h1_has_connection_option(fields, RV_SPAN("close")))
    return false;
  return minor > 0 ||
         rv_h1_has_connection_option(fields, RV_SPAN("keep-alive"));
}
