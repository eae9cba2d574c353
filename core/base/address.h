/* SPDX-License-Identifier: MIT */
/* Socket addresses: parsing, printing, comparing. No names are resolved. */
#ifndef RV_BASE_ADDRESS_H
#define RV_BASE_ADDRESS_H

#include "base/span.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct rv_address {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
  };
  socklen_t length;
};

enum { RV_ADDRESS_TEXT_SIZE = 128 };

/* "192.0.2.1:80", "[2001:db8::1]:80", ":80" (all IPv4 and IPv6: "::"),
   "unix:/path". REVERST_ERR_ADDRESS: not understood (a name, a bad port). */
int rv_address_parse(struct rv_address *address, struct rv_span text);

/* Splits "host:port"; the host without brackets, empty for ":80". A missing
   port is `default_port`, or REVERST_ERR_ADDRESS when that is 0. */
int rv_address_split(struct rv_span text, uint16_t default_port,
    struct rv_span *host, uint16_t *port);

/* The same form as parsed, NUL terminated; returns `text`. */
const char *rv_address_print(
    const struct rv_address *address, char text[static RV_ADDRESS_TEXT_SIZE]);

/* Only the host, without port and brackets, IPv4 mapped into IPv6 as IPv4:
   for X-Forwarded-For. "unix:" for a path. */
const char *rv_address_print_host(
    const struct rv_address *address, char text[static RV_ADDRESS_TEXT_SIZE]);

bool rv_address_equal(const struct rv_address *a, const struct rv_address *b);

/* What per-address limits count by: an IPv4 address (also when mapped into
   IPv6), the /64 of an IPv6 address. Same key, same span. */
struct rv_address_key {
  uint8_t bytes[9];
};
struct rv_address_key rv_address_limit_key(const struct rv_address *address);

#endif
