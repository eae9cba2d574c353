/* SPDX-License-Identifier: MIT */
/* The client object: made of its options, closed. */
#include "client/client.h"

#include "base/explanation.h"
#include "base/log.h"
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { DEFAULT_PORT = 7171, DEFAULT_STREAMS = 1000 };

/* ---- closing ---- */

static void on_loop_freed(void *user_data) {
  struct reverst_client *client = user_data;
  void (*closed)(void *) = client->on_closed;
  void *closed_data = client->on_closed_data;

  free(client);
  if (closed != NULL)
    closed(closed_data);
}

static void free_parts(struct reverst_client *client) {
  rv_client_stop_dialling(client);
  rv_turn_remove(&client->close_job);
  rv_turn_remove(&client->origin_job);
  if (client->origin != NULL)
    rv_origin_close(client->origin);
  if (client->resolver != NULL)
    rv_resolver_free(client->resolver);
  rv_tls_context_unref(client->tls);
  rv_qpack_free(client->qpack);
  rv_client_registration_deinit(&client->registration);
  free(client->server_name);
  free(client->host);
}

static void run_close_job(struct rv_job *job) {
  struct reverst_client *client =
      rv_container_of(job, struct reverst_client, close_job);

  if (client->state != RV_CLIENT_CLOSING || !rv_list_empty(&client->dials))
    return;
  client->state = RV_CLIENT_CLOSED;
  free_parts(client);
  rv_loop_free_later(client->loop, on_loop_freed, client);
}

void rv_client_check_closing(struct reverst_client *client) {
  if (client->state == RV_CLIENT_CLOSING)
    rv_turn_add(&client->engine->turn, &client->close_job, RV_PHASE_FREE);
}

void reverst_client_close(reverst_client *client,
    void (*on_closed)(void *user_data), void *user_data) {
  if (client->state != RV_CLIENT_RUNNING)
    return;
  rv_engine_refresh(client->engine);
  client->state = RV_CLIENT_CLOSING;
  client->application.closed = true;
  client->on_closed = on_closed;
  client->on_closed_data = user_data;
  rv_client_stop_dialling(client);
  rv_client_check_closing(client);
}

/* ---- making ---- */

static int fault(struct reverst_client *client, int error, const char *option,
    const char *value) {
  rv_log(client->engine, REVERST_LOG_ERROR, "client_not_started",
      rv_log_text("option", option), rv_log_text("value", value ? value : ""),
      rv_log_text("error", reverst_strerror(error)));
  return error;
}

static int set_address(
    struct reverst_client *client, const reverst_client_options *options) {
  const char *address = options->address ? options->address : "127.0.0.1:7171";
  const char *name = options->server_name;
  struct rv_span host;
  int r =
      rv_address_split(rv_span_of(address), DEFAULT_PORT, &host, &client->port);

  if (r < 0 || host.length == 0)
    return fault(client, REVERST_ERR_ADDRESS, "address", address);
  client->host = strndup(host.data, host.length);
  if (client->host == NULL)
    return REVERST_ERR_NO_MEMORY;
  client->server_name = strdup(name ? name : client->host);
  return client->server_name ? 0 : REVERST_ERR_NO_MEMORY;
}

static int registration_fault(struct reverst_client *client, int error,
    const struct rv_registration_fault *at) {
  rv_log(client->engine, REVERST_LOG_ERROR, "client_not_started",
      rv_log_text("option", at->option), rv_log_text("value", at->value),
      rv_log_text("error", reverst_strerror(error)),
      rv_log_text("detail", at->why ? at->why : ""));
  return error;
}

/* Composes it once, to find now what is wrong with it. */
static int set_registration(
    struct reverst_client *client, const reverst_client_options *options) {
  struct rv_registration_fault at;
  struct rv_message message;
  int r = rv_client_registration_init(
      &client->registration, client->engine, options, client->server_name);

  if (r < 0)
    return r;
  rv_message_init(&message);
  r = rv_client_registration_compose(&client->registration, &message, &at);
  rv_message_deinit(&message);
  return r < 0 ? registration_fault(client, r, &at) : 0;
}

static void count_request(
    struct rv_handler *handler, struct rv_exchange *exchange) {
  struct reverst_client *client =
      rv_container_of(handler, struct reverst_client, counter);
  struct rv_handler *next = client->origin ? rv_origin_handler(client->origin)
                                           : &client->application.handler;

  client->requests++;
  rv_backoff_served(&client->backoff);
  next->handle(next, exchange);
}

/* Apart from the pool, which the application may close. */
static void run_origin_job(struct rv_job *job) {
  struct reverst_client *client =
      rv_container_of(job, struct reverst_client, origin_job);

  if (client->state != RV_CLIENT_RUNNING)
    return;
  if (client->origin_error < 0 && client->on_origin_unreachable != NULL)
    client->on_origin_unreachable(
        client, client->origin_error, client->origin_reason, client->user_data);
  else if (client->origin_error == 0 && client->on_origin_reachable != NULL)
    client->on_origin_reachable(client, client->user_data);
}

static void on_origin_state(int error, const char *reason, void *user_data) {
  struct reverst_client *client = user_data;

  client->origin_error = error;
  (void)snprintf(client->origin_reason, sizeof(client->origin_reason), "%s",
      reason ? reason : "");
  rv_turn_add(&client->engine->turn, &client->origin_job, RV_PHASE_SCRIPT);
}

static int set_origin(
    struct reverst_client *client, const reverst_client_options *options) {
  struct rv_tls_client_options tls = {
    .ca_path = options->origin_ca_path,
    .for_streams = true,
  };
  struct rv_origin_options origin = {
    .loop = client->loop,
    .resolver = client->resolver,
    .address = rv_span_of(options->origin),
    .on_state = on_origin_state,
    .user_data = client,
  };
  int r = 0;

  if (strncasecmp(options->origin, "https://", 8) == 0)
    r = rv_tls_client_context_new(&origin.tls, client->engine, &tls);
  if (r == 0)
    r = rv_origin_new(&client->origin, &origin);
  rv_tls_context_unref(origin.tls);
  return r < 0 ? fault(client, r, "origin", options->origin) : 0;
}

static int set_handler(
    struct reverst_client *client, const reverst_client_options *options) {
  client->counter.handle = count_request;
  if ((options->origin == NULL) == (options->on_request == NULL))
    return fault(client, REVERST_ERR_INVALID, "origin or on_request",
        "exactly one of the two is wanted");
  rv_application_init(&client->application, client->engine, options->on_request,
      options->user_data);
  return options->origin != NULL ? set_origin(client, options) : 0;
}

static int set_transport(
    struct reverst_client *client, const reverst_client_options *options) {
  struct rv_tls_client_options tls = {
    .ca_path = options->ca_path,
    .insecure = options->insecure,
  };
  int r = rv_tls_client_context_new(&client->tls, client->engine, &tls);

  client->settings = (struct rv_quic_settings){
    .max_idle_timeout = options->max_idle_timeout,
    .keep_alive_period = options->keep_alive_period ? options->keep_alive_period
                                                    : 10 * RV_SECOND,
    .max_streams_bidi =
        options->max_streams ? options->max_streams : DEFAULT_STREAMS,
    .connection_window = 1024 * 1024, /* the server is no stranger */
  };
  client->registration_timeout = options->registration_timeout;
  return r;
}

static int prepare(
    struct reverst_client *client, const reverst_client_options *options) {
  int r = set_address(client, options);

  if (r == 0)
    r = set_registration(client, options);
  if (r == 0)
    r = rv_resolver_new(&client->resolver, client->loop);
  if (r == 0)
    r = rv_qpack_new(&client->qpack);
  if (r == 0)
    r = set_transport(client, options);
  if (r == 0)
    r = rv_client_start_dialling(client);
  if (r == 0) /* the last, since it cannot be undone without a turn */
    r = set_handler(client, options);
  return r;
}

static int new_loop(struct reverst_client *client, struct event_base *base,
    const reverst_client_options *options) {
  struct rv_loop_options loop = {
    .log_level = options->log_level,
    .log = options->log,
    .log_user_data = options->log_user_data,
  };
  int r = rv_loop_new(&client->loop, base, &loop);

  if (r < 0)
    return r;
  client->engine = rv_loop_engine(client->loop);
  client->close_job.run = run_close_job;
  client->origin_job.run = run_origin_job;
  client->on_connected = options->on_connected;
  client->on_disconnected = options->on_disconnected;
  client->on_draining = options->on_draining;
  client->on_origin_unreachable = options->on_origin_unreachable;
  client->on_origin_reachable = options->on_origin_reachable;
  client->user_data = options->user_data;
  rv_client_init_dialling(client);
  return 0;
}

int reverst_client_new(reverst_client **client, struct event_base *base,
    const reverst_client_options *options) {
  struct reverst_client *new = calloc(1, sizeof(*new));
  struct rv_explanation explanation;
  int r;

  if (new == NULL)
    return REVERST_ERR_NO_MEMORY;
  r = new_loop(new, base, options);
  if (r < 0) {
    free(new);
    return r;
  }
  rv_explanation_begin(&explanation, new->engine, options->explanation,
      options->explanation_size);
  r = rv_explanation_end(&explanation, new->engine, prepare(new, options));
  if (r < 0) {
    free_parts(new);
    rv_loop_free(new->loop);
    free(new);
    return r;
  }
  *client = new;
  return 0;
}

bool reverst_client_is_connected(const reverst_client *client) {
  return client->current != NULL;
}

void reverst_client_get_stats(
    const reverst_client *client, reverst_client_stats *stats) {
  const struct rv_counters *live = &client->engine->live;

  *stats = (reverst_client_stats){
    .exchanges = live->exchanges,
    .requests = client->requests,
    .connects = client->connects,
    .live_objects = rv_counters_sum(live),
  };
}
