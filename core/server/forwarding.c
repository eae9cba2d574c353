/* SPDX-License-Identifier: MIT */
/* Forwarding fields. */
#include "server/forwarding.h"

/* "x_forwarded_for" reaches some applications as X-Forwarded-For does: CGI and
   its heirs turn both into one variable. */
static char normal(char byte) {
  return byte == '_' ? '-' : byte;
}

static bool has_prefix(struct rv_span name, struct rv_span prefix) {
  if (name.length < prefix.length)
    return false;
  for (size_t i = 0; i < prefix.length; i++)
    if (normal(name.data[i]) != prefix.data[i])
      return false;
  return true;
}

static bool is_forwarding(struct rv_span name) {
  static const struct rv_span whole[] = {
    { "x-real-ip", 9 },
    { "x-request-id", 12 },
    { "forwarded", 9 },
  };

  if (has_prefix(name, RV_SPAN("x-forwarded-")))
    return true;
  for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
    if (name.length == whole[i].length && has_prefix(name, whole[i]))
      return true;
  return false;
}

static void remove_forwarding(struct rv_fields *fields) {
  size_t kept = 0;

  for (size_t i = 0; i < fields->count; i++)
    if (!is_forwarding(fields->items[i].name))
      fields->items[kept++] = fields->items[i];
  fields->count = kept;
}

static int add_peer(struct rv_exchange *exchange) {
  char text[RV_ADDRESS_TEXT_SIZE];

  if (exchange->peer.length == 0)
    return 0;
  return rv_fields_add_copy(&exchange->request.fields,
      RV_SPAN("x-forwarded-for"),
      rv_span_of(rv_address_print_host(&exchange->peer, text)));
}

int rv_add_forwarding_fields(struct rv_exchange *exchange) {
  struct rv_head *head = &exchange->request;
  int r;

  remove_forwarding(&head->fields);
  r = add_peer(exchange);
  if (r == 0)
    r = rv_fields_add(
        &head->fields, RV_SPAN("x-forwarded-proto"), head->scheme);
  if (r == 0)
    r = rv_fields_add(
        &head->fields, RV_SPAN("x-forwarded-host"), head->authority);
  if (r == 0)
    r = rv_fields_add(&head->fields, RV_SPAN("x-request-id"),
        rv_span_of(exchange->record.request_id));
  if (r == 0)
    r = rv_fields_add(&head->fields, RV_SPAN("via"), RV_SPAN("1.1 reverst"));
  return r;
}
