/* SPDX-License-Identifier: MIT */
/* The fetcher: what its parts share. */
#ifndef RV_ORIGIN_FETCHER_H
#define RV_ORIGIN_FETCHER_H

#include "base/map.h"
#include "event/resolver.h"
#include "origin/origin.h"
#include "origin/url.h"
#include "tls/context.h"
#include <reverst/fetch.h>

struct reverst_fetcher {
  struct rv_loop *loop;
  struct rv_engine *engine;
  struct rv_resolver *resolver;
  char *ca_path;              /* NULL: the system's roots */
  struct rv_tls_context *tls; /* NULL: not needed so far */
  size_t max_connections, max_waiting, max_origins;
  uint64_t idle_timeout;
  struct rv_map origins;
  struct rv_list unused;  /* origins without a fetch, longest first */
  struct rv_list fetches; /* under way */
  bool closed;
  void (*on_closed)(void *user_data);
  void *user_data;
};

/* One origin: what its connections are made with is part of the key. */
struct rv_fetch_origin {
  struct rv_map_node node;
  struct rv_list unused_node;
  struct rv_origin *origin;
  size_t fetches;
  uint64_t unused_since;
  char key[];
};

/* Finds or makes it, and counts one more fetch: REVERST_ERR_LIMIT (all origins
   are in use), REVERST_ERR_NO_MEMORY, REVERST_ERR_ADDRESS (too long a path of a
   socket), REVERST_ERR_CERTIFICATE (the roots), REVERST_ERR_TLS. */
int rv_fetcher_use_origin(struct reverst_fetcher *fetcher,
    struct rv_fetch_origin **origin, const struct rv_url *url,
    const char *ca_path, uint64_t connect_timeout);
void rv_fetcher_leave_origin(
    struct reverst_fetcher *fetcher, struct rv_fetch_origin *origin);

/* fetch.c */
void rv_fetch_cancel_all(struct reverst_fetcher *fetcher);

/* Why the exchange's connection cannot be made. */
void rv_fetch_note_unreachable(struct rv_exchange *exchange, int error,
    const char *reason, void *user_data);

#endif
