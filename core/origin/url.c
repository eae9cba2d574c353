/* SPDX-License-Identifier: MIT */
/* Taking URLs apart. */
#include "origin/url.h"

#include "base/address.h"
#include "http/filter.h"
#include <reverst/error.h>
#include <stdio.h>

/* Cuts off `text` all before the first of `stops`. */
static struct rv_span cut_until(struct rv_span *text, struct rv_span stops) {
  struct rv_span head = { text->data, 0 };
  while (head.length < text->length &&
         memchr(stops.data, text->data[head.length], stops.length) == NULL)
    head.length++;
  text->data += head.length;
  text->length -= head.length;
  return head;
}

static struct rv_span join(struct rv_arena *arena, struct rv_span a,
    struct rv_span b, struct rv_span c) {
  struct rv_span joined = { NULL, a.length + b.length + c.length };
  char *to = rv_arena_allocate(arena, joined.length + 1);
  if (to == NULL)
    return (struct rv_span){ 0 };
  joined.data = to;
  memcpy(to, a.data, a.length);
  memcpy(to + a.length, b.data, b.length);
  memcpy(to + a.length + b.length, c.data, c.length);
  to[joined.length] = '\0';
  return joined;
}

/* What follows the authority; "?query" alone belongs to "/". */
static int set_target(
    struct rv_url *url, struct rv_arena *arena, struct rv_span rest) {
  bool no_path = rest.length == 0 || rest.data[0] == '?';
  url->target =
      join(arena, no_path ? RV_SPAN("/") : RV_SPAN(""), rest, RV_SPAN(""));
  if (url->target.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  return url->target.length <= RV_URL_MAX_TARGET && rv_is_path(url->target)
             ? 0
             : REVERST_ERR_ADDRESS;
}

static int parse_unix(
    struct rv_url *url, struct rv_arena *arena, struct rv_span rest) {
  struct rv_address address;
  struct rv_span path = cut_until(&rest, RV_SPAN(":"));
  if (rest.length > 0) { /* the colon */
    rest.data++;
    rest.length--;
  }
  url->authority = RV_SPAN("localhost");
  url->origin = url->label = join(arena, RV_SPAN("unix:"), path, RV_SPAN(""));
  if (url->origin.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  if (!rv_is_path(path) || rv_address_parse(&address, url->origin) < 0 ||
      (rest.length > 0 && rest.data[0] != '/' && rest.data[0] != '?'))
    return REVERST_ERR_ADDRESS;
  return set_target(url, arena, rest);
}

/* In lower case, and with its brackets. */
static struct rv_span host_of(
    struct rv_arena *arena, struct rv_span authority, struct rv_span name) {
  bool bracketed = authority.data[0] == '[';
  struct rv_span host = join(arena, bracketed ? RV_SPAN("[") : RV_SPAN(""),
      name, bracketed ? RV_SPAN("]") : RV_SPAN(""));
  return host.data != NULL ? rv_host_of_authority(arena, host) : host;
}

static int parse_authority(
    struct rv_url *url, struct rv_arena *arena, struct rv_span authority) {
  uint16_t usual = url->secure ? 443 : 80, port;
  struct rv_span name, host;
  char text[8];
  if (authority.length > 0 && authority.data[authority.length - 1] == ':')
    authority.length--; /* RFC 3986 section 3.2.3: an empty port is none */
  if (!rv_is_authority(authority) ||
      rv_address_split(authority, usual, &name, &port) < 0 || port == 0)
    return REVERST_ERR_ADDRESS;
  (void)snprintf(text, sizeof(text), ":%u", (unsigned)port);
  host = host_of(arena, authority, name);
  if (host.data == NULL)
    return REVERST_ERR_NO_MEMORY;
  url->label = join(arena, host, rv_span_of(text), RV_SPAN(""));
  url->origin =
      join(arena, url->secure ? RV_SPAN("https://") : RV_SPAN("http://"), host,
          rv_span_of(text));
  url->authority = port == usual ? host : url->label;
  return url->label.data != NULL && url->origin.data != NULL
             ? 0
             : REVERST_ERR_NO_MEMORY;
}

int rv_url_parse(
    struct rv_url *url, struct rv_arena *arena, struct rv_span text) {
  struct rv_span unix_path;
  *url = (struct rv_url){ 0 };
  text = cut_until(&text, RV_SPAN("#"));
  url->secure = rv_span_cut_prefix(&text, RV_SPAN("https://"));
  if (!url->secure && !rv_span_cut_prefix(&text, RV_SPAN("http://")))
    return REVERST_ERR_ADDRESS;
  unix_path = text;
  if (rv_span_cut_prefix(&unix_path, RV_SPAN("unix:")) &&
      unix_path.length > 0 &&
      unix_path.data[0] == '/') /* a name to check would be missing for TLS */
    return url->secure ? REVERST_ERR_ADDRESS
                       : parse_unix(url, arena, unix_path);
  int r = parse_authority(url, arena, cut_until(&text, RV_SPAN("/?")));
  return r < 0 ? r : set_target(url, arena, text);
}
