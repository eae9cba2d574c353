/* SPDX-License-Identifier: MIT */
/* Socket addresses as text and back. */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include <reverst/error.h>

static const struct rv_span unix_prefix = { "unix:", 5 };

static int parse_path(struct rv_address *address, struct rv_span path) {
  if (path.length == 0 || path.length >= sizeof(address->path.sun_path) ||
      memchr(path.data, '\0', path.length) != NULL)
    return REVERST_ERR_ADDRESS;
  address->path.sun_family = AF_UNIX;
  memcpy(address->path.sun_path, path.data, path.length);
  address->length = sizeof(address->path);
  return 0;
}

static int parse_host(struct rv_address *address, struct rv_span host,
    uint16_t port, bool is_v6) {
  char text[INET6_ADDRSTRLEN];

  if (host.length >= sizeof(text) || memchr(host.data, '\0', host.length))
    return REVERST_ERR_ADDRESS;
  memcpy(text, host.data, host.length);
  text[host.length] = '\0';
  if (is_v6) {
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(port);
    address->length = sizeof(address->v6);
    return inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1
               ? 0
               : REVERST_ERR_ADDRESS;
  }
  address->v4.sin_family = AF_INET;
  address->v4.sin_port = htons(port);
  address->length = sizeof(address->v4);
  return inet_pton(AF_INET, text, &address->v4.sin_addr) == 1
             ? 0
             : REVERST_ERR_ADDRESS;
}

static bool begins_with(struct rv_span text, struct rv_span prefix) {
  return text.length >= prefix.length &&
         memcmp(text.data, prefix.data, prefix.length) == 0;
}

int rv_address_parse(struct rv_address *address, struct rv_span text) {
  struct rv_span host;
  uint16_t port;
  int r;

  *address = (struct rv_address){ 0 };
  if (begins_with(text, unix_prefix)) {
    text.data += unix_prefix.length;
    text.length -= unix_prefix.length;
    r = parse_path(address, text);
  } else {
    r = rv_address_split(text, 0, &host, &port);
    if (r == 0 && host.length == 0)
      r = parse_host(address, RV_SPAN("::"), port, true);
    else if (r == 0)
      r = parse_host(address, host, port, text.data[0] == '[');
  }
  if (r < 0)
    *address = (struct rv_address){ 0 };
  return r;
}

/* Cuts the host off `rest`, which is then empty or begins behind it. */
static bool split_host(struct rv_span *rest, struct rv_span *host) {
  const char *end = rest->data + rest->length;
  bool bracketed = rest->data[0] == '[';
  const char *stop = memchr(rest->data, bracketed ? ']' : ':', rest->length);

  if (bracketed) {
    if (stop == NULL || stop == rest->data + 1)
      return false;
    *host = (struct rv_span){ rest->data + 1, (size_t)(stop - rest->data) - 1 };
    stop++;
  } else {
    if (stop == NULL)
      stop = end;
    *host = (struct rv_span){ rest->data, (size_t)(stop - rest->data) };
  }
  *rest = (struct rv_span){ stop, (size_t)(end - stop) };
  return true;
}

int rv_address_split(struct rv_span text, uint16_t default_port,
    struct rv_span *host, uint16_t *port) {
  uint64_t value = default_port;

  if (text.length == 0 || !split_host(&text, host))
    return REVERST_ERR_ADDRESS;
  if (text.length == 0) {
    if (default_port == 0)
      return REVERST_ERR_ADDRESS;
  } else if (text.data[0] != ':' || text.length > 6 ||
             !rv_span_to_uint(
                 (struct rv_span){ text.data + 1, text.length - 1 }, &value) ||
             value > UINT16_MAX) {
    return REVERST_ERR_ADDRESS;
  }
  *port = (uint16_t)value;
  return 0;
}

static const char *print_v6(const struct in6_addr *address, char *text) {
  return inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

const char *rv_address_print(
    const struct rv_address *address, char text[static RV_ADDRESS_TEXT_SIZE]) {
  char host[INET6_ADDRSTRLEN] = "";

  text[0] = '\0';
  switch (address->any.sa_family) {
  case AF_INET:
    (void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
    (void)snprintf(text, RV_ADDRESS_TEXT_SIZE, "%s:%u", host,
        (unsigned)ntohs(address->v4.sin_port));
    break;
  case AF_INET6:
    (void)snprintf(text, RV_ADDRESS_TEXT_SIZE, "[%s]:%u",
        print_v6(&address->v6.sin6_addr, host),
        (unsigned)ntohs(address->v6.sin6_port));
    break;
  case AF_UNIX:
    (void)snprintf(text, RV_ADDRESS_TEXT_SIZE, "unix:%.*s",
        (int)sizeof(address->path.sun_path), address->path.sun_path);
    break;
  default:
    break;
  }
  return text;
}

static const uint8_t *mapped_v4(const struct rv_address *address) {
  const struct in6_addr *v6 = &address->v6.sin6_addr;
  return IN6_IS_ADDR_V4MAPPED(v6) ? v6->s6_addr + 12 : NULL;
}

const char *rv_address_print_host(
    const struct rv_address *address, char text[static RV_ADDRESS_TEXT_SIZE]) {
  text[0] = '\0';
  switch (address->any.sa_family) {
  case AF_INET:
    (void)inet_ntop(AF_INET, &address->v4.sin_addr, text, RV_ADDRESS_TEXT_SIZE);
    break;
  case AF_INET6:
    if (mapped_v4(address) != NULL)
      (void)inet_ntop(AF_INET, mapped_v4(address), text, RV_ADDRESS_TEXT_SIZE);
    else
      (void)print_v6(&address->v6.sin6_addr, text);
    break;
  case AF_UNIX:
    (void)snprintf(text, RV_ADDRESS_TEXT_SIZE, "unix:");
    break;
  default:
    break;
  }
  return text;
}

bool rv_address_equal(const struct rv_address *a, const struct rv_address *b) {
  if (a->any.sa_family != b->any.sa_family)
    return false;
  switch (a->any.sa_family) {
  case AF_INET:
    return a->v4.sin_port == b->v4.sin_port &&
           a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
  case AF_INET6:
    return a->v6.sin6_port == b->v6.sin6_port &&
           a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
               sizeof(a->v6.sin6_addr)) == 0;
  case AF_UNIX:
    return strncmp(a->path.sun_path, b->path.sun_path,
               sizeof(a->path.sun_path)) == 0;
  default:
    return true;
  }
}

struct rv_address_key rv_address_limit_key(const struct rv_address *address) {
  struct rv_address_key key = { 0 };

  if (address->any.sa_family == AF_INET) {
    key.bytes[0] = 4;
    memcpy(key.bytes + 1, &address->v4.sin_addr, 4);
  } else if (address->any.sa_family == AF_INET6) {
    const uint8_t *v4 = mapped_v4(address);
    key.bytes[0] = v4 != NULL ? 4 : 6;
    memcpy(key.bytes + 1, v4 ? v4 : address->v6.sin6_addr.s6_addr,
        v4 != NULL ? 4 : 8);
  }
  return key;
}
