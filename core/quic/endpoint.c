/* SPDX-License-Identifier: MIT */
/* The life of an endpoint. */
#include "quic/internal.h"

#include <reverst/error.h>
#include <stdlib.h>

enum { DEFAULT_RETRY_THRESHOLD = 1024 };

static void free_endpoint(struct rv_quic_endpoint *endpoint) {
  rv_quic_newcomers_clear(endpoint);
  rv_quic_linger_stop_all(endpoint);
  rv_map_deinit(&endpoint->ids);
  rv_map_deinit(&endpoint->resets);
  rv_quic_pending_deinit(&endpoint->pending);
  rv_tls_context_unref(endpoint->server_tls);
  ngtcp2_secure_clear(&endpoint->secrets, sizeof(endpoint->secrets));
  free(endpoint->backlog.data);
  free(endpoint->send_buffer);
  free(endpoint->alpn);
  free(endpoint);
}

static void on_free(struct rv_job *job) {
  struct rv_quic_endpoint *endpoint =
      rv_container_of(job, struct rv_quic_endpoint, free_job);
  void (*on_freed)(void *user_data) = endpoint->on_freed;
  void *user_data = endpoint->on_freed_user_data;

  free_endpoint(endpoint);
  if (on_freed)
    on_freed(user_data);
}

static void set_secrets(
    struct rv_quic_endpoint *endpoint, const struct rv_quic_secrets *secrets) {
  if (secrets)
    endpoint->secrets = *secrets;
  else
    rv_random(endpoint->engine, &endpoint->secrets, sizeof(endpoint->secrets));
}

static size_t retry_threshold_of(
    const struct rv_quic_endpoint_options *options) {
  if (options->retry_threshold == RV_QUIC_ALWAYS)
    return 0;
  return options->retry_threshold ? options->retry_threshold
                                  : DEFAULT_RETRY_THRESHOLD;
}

int rv_quic_endpoint_new(struct rv_quic_endpoint **endpoint,
    const struct rv_quic_endpoint_options *options) {
  struct rv_engine *engine = options->engine;
  struct rv_quic_endpoint *made = calloc(1, sizeof(*made));
  int r = 0;

  if (!made)
    return REVERST_ERR_NO_MEMORY;
  made->engine = engine;
  made->sink = options->sink;
  made->settings = rv_quic_settings_complete(&options->settings);
  made->on_accept = options->on_accept;
  made->user_data = options->user_data;
  made->free_job.run = on_free;
  rv_map_init(&made->ids, engine->hash_secret);
  rv_map_init(&made->resets, engine->hash_secret);
  rv_list_init(&made->connections);
  rv_list_init(&made->lingerers.list);
  rv_list_init(&made->waiting);
  rv_quic_newcomers_init(made);
  rv_quic_pending_init(&made->pending, engine->hash_secret,
      options->max_pending, options->max_pending_per_address);
  set_secrets(made, options->secrets);
  made->retry_threshold = retry_threshold_of(options);
  if (options->server_tls) {
    made->server_tls = rv_tls_context_ref(options->server_tls);
    r = rv_quic_tls_prepare(options->server_tls, true);
  }
  made->send_buffer = malloc(RV_QUIC_MAX_BURST);
  made->alpn = options->alpn ? strdup(options->alpn) : NULL;
  if (r == 0 && (!made->send_buffer || (options->alpn && !made->alpn)))
    r = REVERST_ERR_NO_MEMORY;
  if (r < 0) {
    free_endpoint(made);
    return r;
  }
  *endpoint = made;
  return 0;
}

void rv_quic_endpoint_close(struct rv_quic_endpoint *endpoint,
    void (*on_freed)(void *user_data), void *user_data) {
  if (endpoint->closing)
    return;
  endpoint->closing = true;
  rv_quic_newcomers_clear(endpoint);
  endpoint->on_freed = on_freed;
  endpoint->on_freed_user_data = user_data;
  rv_list_each(node, &endpoint->connections) {
    struct rv_quic_connection *connection =
        rv_container_of(node, struct rv_quic_connection, node);

    rv_quic_connection_close(
        connection, RV_QUIC_CLOSE_APPLICATION, 0, RV_SPAN(""));
    rv_quic_connection_touch(connection);
  }
  if (rv_list_empty(&endpoint->connections))
    rv_turn_add(&endpoint->engine->turn, &endpoint->free_job, RV_PHASE_FREE);
}

void *rv_quic_endpoint_user_data(const struct rv_quic_endpoint *endpoint) {
  return endpoint->user_data;
}

void rv_quic_endpoint_set_server_tls(
    struct rv_quic_endpoint *endpoint, struct rv_tls_context *tls) {
  rv_tls_context_ref(tls);
  rv_tls_context_unref(endpoint->server_tls);
  endpoint->server_tls = tls;
  /* it sets a pointer and two numbers; nothing in it can fail */
  (void)rv_quic_tls_prepare(tls, true);
}

const struct rv_quic_stats *rv_quic_endpoint_stats(
    const struct rv_quic_endpoint *endpoint) {
  return &endpoint->stats;
}
