/* SPDX-License-Identifier: MIT */
/* The fetcher: its life, and the origins that it keeps. */
#include "origin/fetcher.h"

#include <inttypes.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  DEFAULT_MAX_CONNECTIONS = 64,
  DEFAULT_MAX_WAITING = 16384,
  DEFAULT_MAX_ORIGINS = 256
};
#define DEFAULT_IDLE_TIMEOUT (60 * RV_SECOND)

/* ---- origins ---- */

static void remove_origin(
    struct reverst_fetcher *fetcher, struct rv_fetch_origin *origin) {
  rv_map_remove(&fetcher->origins, &origin->node);
  rv_list_remove(&origin->unused_node);
  rv_origin_close(origin->origin);
  free(origin);
}

static struct rv_fetch_origin *longest_unused(
    const struct reverst_fetcher *fetcher) {
  if (rv_list_empty(&fetcher->unused))
    return NULL;
  return rv_container_of(
      fetcher->unused.next, struct rv_fetch_origin, unused_node);
}

/* Those whose connections are gone anyway, and one that must make room. */
static bool make_room(struct reverst_fetcher *fetcher) {
  struct rv_fetch_origin *oldest;
  while ((oldest = longest_unused(fetcher)) != NULL &&
         (fetcher->origins.count >= fetcher->max_origins ||
             rv_deadline(oldest->unused_since, fetcher->idle_timeout) <=
                 fetcher->engine->now))
    remove_origin(fetcher, oldest);
  return fetcher->origins.count < fetcher->max_origins;
}

static int read_roots(struct reverst_fetcher *fetcher,
    struct rv_tls_context **context, const char *ca_path) {
  struct rv_tls_client_options options = {
    .ca_path = ca_path,
    .for_streams = true,
  };
  return rv_tls_client_context_new(context, fetcher->engine, &options);
}

/* The fetcher's roots are read once, at first need, those of one origin with
   it; what is wrong with them is logged. */
static int use_tls(struct reverst_fetcher *fetcher,
    struct rv_tls_context **context, const char *ca_path) {
  int r = 0;
  if (ca_path != NULL)
    return read_roots(fetcher, context, ca_path);
  if (fetcher->tls == NULL)
    r = read_roots(fetcher, &fetcher->tls, fetcher->ca_path);
  if (r == 0)
    *context = rv_tls_context_ref(fetcher->tls);
  return r;
}

static int open_origin(struct reverst_fetcher *fetcher,
    struct rv_fetch_origin *origin, const struct rv_url *url,
    const char *ca_path, uint64_t connect_timeout) {
  struct rv_origin_options options = {
    .loop = fetcher->loop,
    .resolver = fetcher->resolver,
    .address = url->origin,
    .connect_timeout = connect_timeout,
    .idle_timeout = fetcher->idle_timeout,
    .max_connections = fetcher->max_connections,
    .max_queue = fetcher->max_waiting,
    .on_unreachable = rv_fetch_note_unreachable,
  };
  int r = url->secure ? use_tls(fetcher, &options.tls, ca_path) : 0;
  if (r == 0)
    r = rv_origin_new(&origin->origin, &options);
  rv_tls_context_unref(options.tls);
  return r;
}

/* In the map, and without its rv_origin so far. */
static int new_entry(struct reverst_fetcher *fetcher,
    struct rv_fetch_origin **origin, struct rv_span key) {
  struct rv_fetch_origin *made;
  int r;
  if (!make_room(fetcher))
    return REVERST_ERR_LIMIT;
  made = calloc(1, sizeof(*made) + key.length);
  if (made == NULL)
    return REVERST_ERR_NO_MEMORY;
  memcpy(made->key, key.data, key.length);
  key.data = made->key;
  r = rv_map_insert(&fetcher->origins, &made->node, key);
  if (r < 0)
    free(made);
  else
    *origin = made;
  return r;
}

static int find_or_make(struct reverst_fetcher *fetcher,
    struct rv_fetch_origin **origin, const struct rv_url *url,
    const char *ca_path, uint64_t connect_timeout, struct rv_span key) {
  struct rv_map_node *node = rv_map_find(&fetcher->origins, key);
  int r;
  if (node != NULL) {
    *origin = rv_container_of(node, struct rv_fetch_origin, node);
    return 0;
  }
  r = new_entry(fetcher, origin, key);
  if (r < 0)
    return r;
  r = open_origin(fetcher, *origin, url, ca_path, connect_timeout);
  if (r < 0) {
    rv_map_remove(&fetcher->origins, &(*origin)->node);
    free(*origin);
    *origin = NULL;
  }
  return r;
}

int rv_fetcher_use_origin(struct reverst_fetcher *fetcher,
    struct rv_fetch_origin **origin, const struct rv_url *url,
    const char *ca_path, uint64_t connect_timeout) {
  char *key = NULL;
  int r = asprintf(&key, "%" PRIu64 " %s %s", connect_timeout, url->origin.data,
      url->secure && ca_path != NULL ? ca_path : "");
  if (r < 0)
    return REVERST_ERR_NO_MEMORY;
  r = find_or_make(
      fetcher, origin, url, ca_path, connect_timeout, rv_span_of(key));
  free(key);
  if (r < 0)
    return r;
  rv_list_remove(&(*origin)->unused_node);
  (*origin)->fetches++;
  return 0;
}

void rv_fetcher_leave_origin(
    struct reverst_fetcher *fetcher, struct rv_fetch_origin *origin) {
  if (--origin->fetches > 0)
    return;
  origin->unused_since = fetcher->engine->now;
  rv_list_push(&fetcher->unused, &origin->unused_node);
}

/* ---- life ---- */

static void on_loop_freed(void *user_data) {
  struct reverst_fetcher *fetcher = user_data;
  void (*on_closed)(void *) = fetcher->on_closed;
  void *closed_data = fetcher->user_data;
  free(fetcher);
  if (on_closed != NULL)
    on_closed(closed_data);
}

static void close_origins(struct reverst_fetcher *fetcher) {
  struct rv_map_node *node;
  while ((node = rv_map_any(&fetcher->origins)) != NULL)
    remove_origin(fetcher, rv_container_of(node, struct rv_fetch_origin, node));
  rv_map_deinit(&fetcher->origins);
}

void reverst_fetcher_close(reverst_fetcher *fetcher,
    void (*on_closed)(void *user_data), void *user_data) {
  if (fetcher->closed)
    return;
  rv_engine_refresh(fetcher->engine);
  fetcher->closed = true;
  fetcher->on_closed = on_closed;
  fetcher->user_data = user_data;
  rv_fetch_cancel_all(fetcher);
  close_origins(fetcher);
  rv_resolver_free(fetcher->resolver);
  rv_tls_context_unref(fetcher->tls);
  free(fetcher->ca_path);
  rv_loop_free_later(fetcher->loop, on_loop_freed, fetcher);
}

static size_t or_default(size_t value, size_t usual) {
  return value > 0 ? value : usual;
}

static int set_options(
    struct reverst_fetcher *fetcher, const reverst_fetcher_options *options) {
  fetcher->max_connections =
      or_default(options->max_connections, DEFAULT_MAX_CONNECTIONS);
  fetcher->max_waiting = or_default(options->max_waiting, DEFAULT_MAX_WAITING);
  fetcher->max_origins = or_default(options->max_origins, DEFAULT_MAX_ORIGINS);
  fetcher->idle_timeout =
      options->idle_timeout > 0 ? options->idle_timeout : DEFAULT_IDLE_TIMEOUT;
  if (options->ca_path == NULL)
    return 0;
  fetcher->ca_path = strdup(options->ca_path);
  return fetcher->ca_path != NULL ? 0 : REVERST_ERR_NO_MEMORY;
}

static int prepare(struct reverst_fetcher *fetcher, struct event_base *base,
    const reverst_fetcher_options *options) {
  struct rv_loop_options loop = {
    .log_level = options->log_level,
    .log = options->log,
    .log_user_data = options->log_user_data,
  };
  int r = set_options(fetcher, options);
  if (r == 0)
    r = rv_loop_new(&fetcher->loop, base, &loop);
  if (r < 0)
    return r;
  fetcher->engine = rv_loop_engine(fetcher->loop);
  rv_map_init(&fetcher->origins, fetcher->engine->hash_secret);
  rv_list_init(&fetcher->unused);
  rv_list_init(&fetcher->fetches);
  return rv_resolver_new(&fetcher->resolver, fetcher->loop);
}

int reverst_fetcher_new(reverst_fetcher **fetcher, struct event_base *base,
    const reverst_fetcher_options *options) {
  struct reverst_fetcher *made = calloc(1, sizeof(*made));
  int r;
  if (made == NULL)
    return REVERST_ERR_NO_MEMORY;
  r = prepare(made, base, options);
  if (r < 0) {
    rv_loop_free(made->loop);
    free(made->ca_path);
    free(made);
    return r;
  }
  *fetcher = made;
  return 0;
}
