/* SPDX-License-Identifier: MIT */
/* The URL of a fetch (RFC 3986, RFC 9110 section 4.2), taken apart. */
#ifndef RV_ORIGIN_URL_H
#define RV_ORIGIN_URL_H

#include "base/arena.h"

enum { RV_URL_MAX_TARGET = 16384 };

/* All in the arena, NUL terminated. */
struct rv_url {
  struct rv_span origin; /* what rv_origin_options.address takes, host in lower
                            case: "https://example.com:443", "unix:/path" */
  struct rv_span label;  /* the same without a scheme, for people */
  struct rv_span authority; /* for Host: without the scheme's own port */
  struct rv_span target;    /* path and query */
  bool secure;              /* https */
};

/* "http://" or "https://", then host[:port][/path][?query][#fragment], or
   "http://unix:" and the absolute path of a socket, which has no colon, and
   then possibly ":/path". The fragment is dropped. User information, a port of
   0, blanks and control bytes are refused: REVERST_ERR_ADDRESS.
   REVERST_ERR_NO_MEMORY. */
int rv_url_parse(
    struct rv_url *url, struct rv_arena *arena, struct rv_span text);

#endif
