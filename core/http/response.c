/* SPDX-License-Identifier: MIT */
/* Heads and bodies of responses that the application wrote. */
#include "http/response.h"

#include "http/filter.h"
#include <reverst/error.h>
#include <stdio.h>

int rv_response_fields(
    struct rv_fields *fields, const reverst_field *from, bool with_length) {
  int r = 0;

  for (; r == 0 && from != NULL && from->name != NULL; from++) {
    struct rv_span name = rv_span_of(from->name);

    if (!with_length && rv_span_equal_nocase(name, RV_SPAN("content-length")))
      continue;
    r = rv_fields_add_copy(fields, name, rv_span_of(from->value));
  }
  return r;
}

static int add_length(struct rv_head *head, size_t length) {
  char digits[24];
  int written = snprintf(digits, sizeof(digits), "%zu", length);

  return rv_fields_add_copy(&head->fields, RV_SPAN("content-length"),
      (struct rv_span){ digits, (size_t)written });
}

static int fill_head(const reverst_response *response, struct rv_span method,
    bool whole, struct rv_head *head) {
  int status = response->status ? response->status : 200;
  bool bodyless = rv_is_bodyless(method, status);
  int r;

  if (status < 200 || status > 599)
    return REVERST_ERR_INVALID;
  head->status = status;
  r = rv_response_fields(&head->fields, response->headers, !whole);
  if (r == 0 && whole && (response->body_length > 0 || !bodyless))
    r = add_length(head, response->body_length);
  if (r < 0)
    return r;
  rv_filter_hop_by_hop(&head->fields);
  if (rv_filter_check_head(head, &rv_limits_default) != RV_FAILURE_NONE)
    return REVERST_ERR_INVALID;
  head->no_body = bodyless || (whole && response->body_length == 0);
  return 0;
}

int rv_response_head(const reverst_response *response, struct rv_span method,
    bool whole, struct rv_head *head) {
  int r;

  rv_head_init(head);
  r = fill_head(response, method, whole, head);
  if (r < 0)
    rv_head_deinit(head);
  return r;
}

static int send_body(
    struct rv_exchange *exchange, const reverst_response *response) {
  struct rv_pipe *body = &exchange->response_body;
  int r = rv_pipe_push_copy(
      body, &exchange->engine->chunks, response->body, response->body_length);

  if (r == 0)
    r = rv_pipe_end(body, NULL);
  if (r < 0)
    rv_exchange_fail(exchange, RV_FAILURE_INTERNAL);
  return r;
}

int rv_exchange_answer(
    struct rv_exchange *exchange, const reverst_response *response) {
  struct rv_head head;
  int r;

  if (rv_exchange_has_head(exchange))
    return REVERST_ERR_CLOSED;
  r = rv_response_head(response, exchange->request.method, true, &head);
  if (r == 0)
    r = rv_exchange_respond(exchange, &head);
  if (r == 0 && !exchange->response.no_body)
    r = send_body(exchange, response);
  return r;
}
