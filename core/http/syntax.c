/* SPDX-License-Identifier: MIT */
/* The grammar of tokens, values, authorities and paths (declared in filter.h).
   One table of bytes says where each may stand. */
#include "http/filter.h"

#include <arpa/inet.h>

enum {
  TOKEN = 1, /* RFC 9110 section 5.6.2 tchar */
  VALUE = 2, /* RFC 9110 section 5.5: visible, blank, tab, obs-text */
  NAME = 4,  /* RFC 3986 reg-name, but "%" */
  PATH = 8,  /* visible and obs-text, but "#" */
  HEX = 16
};

#define ALNUM (TOKEN | VALUE | NAME | PATH)

static const uint8_t classes[256] = {
  ['\t'] = VALUE,
  [' '] = VALUE,
  ['!'] = TOKEN | VALUE | NAME | PATH,
  ['"'] = VALUE | PATH,
  ['#'] = TOKEN | VALUE,
  ['$'] = TOKEN | VALUE | NAME | PATH,
  ['%'] = TOKEN | VALUE | PATH,
  ['&' ... '\''] = TOKEN | VALUE | NAME | PATH,
  ['(' ... ')'] = VALUE | NAME | PATH,
  ['*' ... '+'] = TOKEN | VALUE | NAME | PATH,
  [','] = VALUE | NAME | PATH,
  ['-' ... '.'] = TOKEN | VALUE | NAME | PATH,
  ['/'] = VALUE | PATH,
  ['0' ... '9'] = ALNUM | HEX,
  [':'] = VALUE | PATH,
  [';'] = VALUE | NAME | PATH,
  ['<'] = VALUE | PATH,
  ['='] = VALUE | NAME | PATH,
  ['>' ... '@'] = VALUE | PATH,
  ['A' ... 'F'] = ALNUM | HEX,
  ['G' ... 'Z'] = ALNUM,
  ['[' ... ']'] = VALUE | PATH,
  ['^'] = TOKEN | VALUE | PATH,
  ['_'] = TOKEN | VALUE | NAME | PATH,
  ['`'] = TOKEN | VALUE | PATH,
  ['a' ... 'f'] = ALNUM | HEX,
  ['g' ... 'z'] = ALNUM,
  ['{'] = VALUE | PATH,
  ['|'] = TOKEN | VALUE | PATH,
  ['}'] = VALUE | PATH,
  ['~'] = TOKEN | VALUE | NAME | PATH,
  [0x80 ... 0xff] = VALUE | PATH,
};

static bool is_of(char c, unsigned class) {
  return (classes[(unsigned char)c] & class) != 0;
}

static bool all_of(struct rv_span span, unsigned class) {
  for (size_t i = 0; i < span.length; i++) {
    if (!is_of(span.data[i], class))
      return false;
  }
  return true;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool rv_is_token(struct rv_span span) {
  return span.length > 0 && all_of(span, TOKEN);
}

bool rv_is_field_name(struct rv_span span) {
  if (!rv_is_token(span))
    return false;
  for (size_t i = 0; i < span.length; i++) {
    if (span.data[i] >= 'A' && span.data[i] <= 'Z')
      return false;
  }
  return true;
}

bool rv_is_field_value(struct rv_span span) {
  if (span.length == 0)
    return true;
  return !is_blank(span.data[0]) && !is_blank(span.data[span.length - 1]) &&
         all_of(span, VALUE);
}

bool rv_is_path(struct rv_span span) {
  if (rv_span_equal(span, RV_SPAN("*")))
    return true;
  return span.length > 0 && span.data[0] == '/' && all_of(span, PATH);
}

/* RFC 3986 section 3.2.2 reg-name (which IPv4 addresses match too), not empty.
 */
static bool is_name(struct rv_span host) {
  for (size_t i = 0; i < host.length; i++) {
    if (host.data[i] != '%') {
      if (!is_of(host.data[i], NAME))
        return false;
    } else if (host.length - i < 3 || !is_of(host.data[i + 1], HEX) ||
               !is_of(host.data[i + 2], HEX)) {
      return false;
    }
  }
  return host.length > 0;
}

static bool is_ipv6(struct rv_span host) {
  char text[INET6_ADDRSTRLEN];
  struct in6_addr address;

  if (host.length >= sizeof(text) ||
      (host.length > 0 && memchr(host.data, '\0', host.length) != NULL))
    return false;
  if (host.length > 0)
    memcpy(text, host.data, host.length);
  text[host.length] = '\0';
  return inet_pton(AF_INET6, text, &address) == 1;
}

/* Empty, or a colon and at most five digits. */
static bool is_port(struct rv_span port) {
  uint64_t value;

  if (port.length <= 1)
    return port.length == 0 || port.data[0] == ':';
  return port.data[0] == ':' && port.length <= 6 &&
         rv_span_to_uint(
             (struct rv_span){ port.data + 1, port.length - 1 }, &value) &&
         value <= UINT16_MAX;
}

/* The length of the host with its brackets; what follows is the port. */
static size_t host_length(struct rv_span authority) {
  char delimiter = ':';
  const char *end;

  if (authority.length > 0 && authority.data[0] == '[')
    delimiter = ']';
  end = authority.length > 0
            ? memchr(authority.data, delimiter, authority.length)
            : NULL;
  if (end == NULL)
    return authority.length;
  return (size_t)(end - authority.data) + (delimiter == ']');
}

bool rv_is_authority(struct rv_span span) {
  struct rv_span host = { span.data, host_length(span) };
  struct rv_span port = { span.data, span.length - host.length };

  if (port.length > 0)
    port.data = span.data + host.length;
  if (!is_port(port))
    return false;
  if (host.length < 2 || host.data[0] != '[')
    return is_name(host);
  return host.data[host.length - 1] == ']' &&
         is_ipv6((struct rv_span){ host.data + 1, host.length - 2 });
}

struct rv_span rv_host_of_authority(
    struct rv_arena *arena, struct rv_span authority) {
  struct rv_span host = { authority.data, host_length(authority) };
  char *copy = NULL;

  if (host.length > 1 && host.data[host.length - 1] == '.')
    host.length--;
  for (size_t i = 0; i < host.length; i++) {
    char c = host.data[i];
    if (c < 'A' || c > 'Z')
      continue;
    if (copy == NULL) {
      copy = rv_arena_allocate(arena, host.length);
      if (copy == NULL)
        return (struct rv_span){ 0 };
      memcpy(copy, host.data, host.length);
    }
    copy[i] = (char)(c + ('a' - 'A'));
  }
  return copy != NULL ? (struct rv_span){ copy, host.length } : host;
}
