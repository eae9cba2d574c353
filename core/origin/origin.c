/* SPDX-License-Identifier: MIT */
/* The origin object: options and life. */
#include "origin/pool.h"

#include <reverst/error.h>
#include <stdlib.h>

#define DEFAULT_CONNECT_TIMEOUT (10 * RV_SECOND)
#define DEFAULT_IDLE_TIMEOUT (60 * RV_SECOND)
enum { DEFAULT_MAX_CONNECTIONS = 1024, DEFAULT_MAX_QUEUE = 1024 };

static int set_host(struct rv_origin *origin, struct rv_exchange *exchange) {
  struct rv_head *request = &exchange->request;
  if (origin->host == NULL)
    return 0;
  request->authority = rv_arena_copy(&request->arena, rv_span_of(origin->host));
  return request->authority.data == NULL ? REVERST_ERR_NO_MEMORY : 0;
}

static void handle(struct rv_handler *handler, struct rv_exchange *exchange) {
  struct rv_origin *origin =
      rv_container_of(handler, struct rv_origin, handler);
  if (set_host(origin, exchange) < 0)
    rv_exchange_fail(exchange, RV_FAILURE_INTERNAL);
  else
    rv_origin_assign(origin, exchange);
}

static void set_defaults(struct rv_origin_options *options) {
  if (options->connect_timeout == 0)
    options->connect_timeout = DEFAULT_CONNECT_TIMEOUT;
  if (options->idle_timeout == 0)
    options->idle_timeout = DEFAULT_IDLE_TIMEOUT;
  if (options->max_connections == 0)
    options->max_connections = DEFAULT_MAX_CONNECTIONS;
  if (options->max_queue == 0)
    options->max_queue = DEFAULT_MAX_QUEUE;
}

static char *copy(struct rv_span span) {
  return strndup(span.length > 0 ? span.data : "", span.length);
}

/* What the options point to becomes ours. */
static int copy_options(
    struct rv_origin *origin, const struct rv_origin_options *options) {
  char *address = copy(options->address);
  if (address == NULL)
    return REVERST_ERR_NO_MEMORY;
  origin->options = *options;
  if (options->tls != NULL)
    rv_tls_context_ref(options->tls);
  origin->options.address =
      (struct rv_span){ address, options->address.length };
  origin->limits =
      options->limits != NULL ? *options->limits : rv_limits_default;
  set_defaults(&origin->options);
  if (options->host.length == 0)
    return 0;
  if (!rv_is_authority(options->host))
    return REVERST_ERR_ADDRESS;
  origin->host = copy(options->host);
  return origin->host == NULL ? REVERST_ERR_NO_MEMORY : 0;
}

static void destroy(struct rv_origin *origin) {
  union {
    const char *from;
    void *to;
  } address = { .from = origin->options.address.data };
  free(address.to);
  free(origin->host);
  rv_origin_place_deinit(&origin->place);
  rv_tls_context_unref(origin->options.tls);
  free(origin);
}

int rv_origin_new(
    struct rv_origin **origin, const struct rv_origin_options *options) {
  struct rv_origin *new_origin = calloc(1, sizeof(*new_origin));
  if (new_origin == NULL)
    return REVERST_ERR_NO_MEMORY;
  new_origin->handler.handle = handle;
  new_origin->loop = options->loop;
  new_origin->engine = rv_loop_engine(options->loop);
  rv_origin_pool_init(new_origin);
  int r = copy_options(new_origin, options);
  if (r == 0)
    r = rv_origin_place_init(&new_origin->place, options->address);
  if (r == 0 && new_origin->place.secure && options->tls == NULL)
    r = REVERST_ERR_ADDRESS;
  if (r < 0) {
    destroy(new_origin);
    return r;
  }
  rv_loop_hold(new_origin->loop);
  *origin = new_origin;
  return 0;
}

void rv_origin_free(struct rv_origin *origin) {
  rv_loop_release(origin->loop);
  destroy(origin);
}

struct rv_handler *rv_origin_handler(struct rv_origin *origin) {
  return &origin->handler;
}

void rv_origin_close(struct rv_origin *origin) {
  if (origin != NULL && !origin->closed)
    rv_origin_shut(origin);
}
