/* SPDX-License-Identifier: MIT */
/* The server object: made of its parts, drained, closed. */
#include "server/server.h"

#include "base/explanation.h"
#include "base/log.h"
#include "server/options.h"
#include <reverst/error.h>
#include <stdlib.h>

#define DRAIN_TIMEOUT (30 * RV_SECOND)

static void close_now(reverst_server *server,
    void (*on_closed)(void *user_data), void *user_data);

/* Strangers may send a registration and begin a control stream. What they send
   out of order is kept, so it is no more than that. */
enum { STRANGER_WINDOW = RV_MESSAGE_MAX_BYTES + 8 * 1024 };

/* ---- closing: everything ends in its own time, then the memory goes ---- */

static void on_loop_freed(void *user_data) {
  struct reverst_server *server = user_data;
  void (*closed)(void *) = server->on_closed;
  void *closed_data = server->on_closed_data;

  free(server);
  if (closed != NULL)
    closed(closed_data);
}

static void free_parts(struct reverst_server *server) {
  rv_timer_stop(&server->engine->timers, &server->drain_timer);
  rv_turn_remove(&server->drain_job);
  rv_turn_remove(&server->close_job);
  rv_udp_close(server->udp);
  rv_front_free(server->front);
  server->front = NULL; /* the statistics may still be asked for */
  rv_server_deinit_tunnels(server);
  rv_server_deinit_routing(server);
  rv_qpack_free(server->qpack);
  free(server->certificate_path);
  free(server->private_key_path);
  free(server->default_host);
  explicit_bzero(&server->application, sizeof(server->application));
}

static bool everything_has_ended(const struct reverst_server *server) {
  return server->endpoint_is_closed && server->front_is_empty &&
         rv_list_empty(&server->tunnels) && server->engine->live.visits == 0;
}

static void run_close_job(struct rv_job *job) {
  struct reverst_server *server =
      rv_container_of(job, struct reverst_server, close_job);

  if (server->state == RV_SERVER_DRAINING &&
      rv_front_connections(server->front) == 0)
    close_now(server, server->on_closed, server->on_closed_data);
  if (server->state != RV_SERVER_CLOSING || !everything_has_ended(server))
    return;
  server->state = RV_SERVER_CLOSED;
  free_parts(server);
  rv_loop_free_later(server->loop, on_loop_freed, server);
}

void rv_server_check_closing(struct reverst_server *server) {
  if (server->state != RV_SERVER_RUNNING)
    rv_turn_add(&server->engine->turn, &server->close_job, RV_PHASE_FREE);
}

static void on_endpoint_freed(void *user_data) {
  struct reverst_server *server = user_data;

  server->endpoint_is_closed = true;
  server->endpoint = NULL;
  rv_server_check_closing(server);
}

static void on_front_empty(void *user_data) {
  struct reverst_server *server = user_data;

  server->front_is_empty = true;
  rv_server_check_closing(server);
}

static void log_what_is_under_way(struct reverst_server *server,
    enum reverst_log_level level, const char *event) {
  rv_log(server->engine, level, event,
      rv_log_number("exchanges", (int64_t)server->engine->live.exchanges),
      rv_log_number("tunnels", (int64_t)server->tunnel_count));
}

static void close_now(reverst_server *server,
    void (*on_closed)(void *user_data), void *user_data) {
  server->on_closed = on_closed;
  server->on_closed_data = user_data;
  server->state = RV_SERVER_CLOSING;
  server->router.draining = true;
  server->front_is_empty = false;
  rv_timer_set(&server->engine->timers, &server->drain_timer, RV_NEVER);
  rv_front_abort(server->front);
  rv_server_close_tunnels(server);
  rv_quic_endpoint_close(server->endpoint, on_endpoint_freed, server);
}

void reverst_server_close(reverst_server *server,
    void (*on_closed)(void *user_data), void *user_data) {
  if (server->state == RV_SERVER_CLOSING || server->state == RV_SERVER_CLOSED)
    return;
  rv_engine_refresh(server->engine);
  if (server->engine->live.exchanges > 0)
    log_what_is_under_way(server, REVERST_LOG_WARN, "exchanges_aborted");
  close_now(server, on_closed, user_data);
}

static void on_drain_timeout(struct rv_timer *timer) {
  struct reverst_server *server =
      rv_container_of(timer, struct reverst_server, drain_timer);

  log_what_is_under_way(server, REVERST_LOG_WARN, "drain_timeout");
  close_now(server, server->on_closed, server->on_closed_data);
}

/* Clients that are told to leave have soon gone: not before what is in a hook
   or a queue has its tunnel. */
static void run_drain_job(struct rv_job *job) {
  struct reverst_server *server =
      rv_container_of(job, struct reverst_server, drain_job);

  if (server->state == RV_SERVER_DRAINING && server->router.unsent == 0)
    rv_server_drain_tunnels(server);
}

static void on_all_sent(struct rv_router *router) {
  struct reverst_server *server =
      rv_container_of(router, struct reverst_server, router);

  if (server->state == RV_SERVER_DRAINING)
    rv_turn_add(&server->engine->turn, &server->drain_job, RV_PHASE_PROCESS);
}

void reverst_server_drain(reverst_server *server,
    void (*on_closed)(void *user_data), void *user_data) {
  if (server->state != RV_SERVER_RUNNING)
    return;
  rv_engine_refresh(server->engine);
  server->on_closed = on_closed;
  server->on_closed_data = user_data;
  server->state = RV_SERVER_DRAINING;
  log_what_is_under_way(server, REVERST_LOG_INFO, "draining");
  server->router.draining = true;
  rv_front_drain(server->front);
  run_drain_job(&server->drain_job);
  if (server->drain_timeout != RV_NEVER)
    rv_timer_set(&server->engine->timers, &server->drain_timer,
        rv_deadline(server->engine->now, server->drain_timeout));
  rv_server_check_closing(server);
}

/* ---- making ---- */

static void on_datagram(const struct rv_datagram *datagram, void *user_data) {
  struct reverst_server *server = user_data;

  if (server->endpoint != NULL)
    rv_quic_endpoint_receive(server->endpoint, datagram);
}

static void on_writable(void *user_data) {
  struct reverst_server *server = user_data;

  if (server->endpoint != NULL)
    rv_quic_endpoint_writable(server->endpoint);
}

static int open_udp(
    struct reverst_server *server, const reverst_server_options *options) {
  struct rv_address address;
  struct rv_udp_options udp = {
    .loop = server->loop,
    .address = &address,
    .on_datagram = on_datagram,
    .on_writable = on_writable,
    .user_data = server,
  };
  int r = rv_server_options_tunnel_address(server->engine, options, &address);

  if (r == 0)
    r = rv_udp_open(&server->udp, &udp);
  if (r == 0)
    rv_address_print(rv_udp_address(server->udp), server->tunnel_address);
  return r;
}

static int keep_texts(
    struct reverst_server *server, const reverst_server_options *options) {
  server->certificate_path = strdup(options->tunnel.certificate_path);
  server->private_key_path = strdup(options->tunnel.private_key_path);
  if (options->http.default_host != NULL)
    server->default_host = strdup(options->http.default_host);
  return server->certificate_path && server->private_key_path &&
                 (server->default_host || !options->http.default_host)
             ? 0
             : REVERST_ERR_NO_MEMORY;
}

static int open_endpoint(
    struct reverst_server *server, const reverst_server_options *options) {
  struct rv_quic_secrets secrets;
  struct rv_quic_endpoint_options endpoint = {
    .engine = server->engine,
    .sink = rv_udp_sink(server->udp),
    .settings = {
      .max_idle_timeout = options->tunnel.max_idle_timeout,
      .keep_alive_period = options->tunnel.keep_alive_period,
      .connection_window = STRANGER_WINDOW,
    },
    .alpn = RV_TUNNEL_ALPN,
    .max_pending = options->tunnel.max_pending,
    .max_pending_per_address = options->tunnel.max_pending_per_address,
    .retry_threshold = options->tunnel.retry_threshold == REVERST_NONE
                           ? RV_QUIC_ALWAYS
                           : options->tunnel.retry_threshold,
    .secrets = &secrets,
    .on_accept = rv_server_on_accept,
    .user_data = server,
  };
  int r = rv_server_options_tls(server->engine, options, &endpoint.server_tls);

  if (r == 0)
    r = rv_server_options_secrets(
        server->engine, options, &secrets, &server->application);
  if (r == 0)
    r = rv_quic_endpoint_new(&server->endpoint, &endpoint);
  rv_tls_context_unref(endpoint.server_tls);
  explicit_bzero(&secrets, sizeof(secrets));
  return r;
}

static void print_addresses(struct reverst_server *server) {
  for (size_t i = 0; i < RV_SERVER_MAX_ADDRESSES; i++) {
    const struct rv_address *address = rv_front_address(server->front, i);

    server->http_addresses[i][0] = '\0';
    if (address != NULL)
      rv_address_print(address, server->http_addresses[i]);
  }
}

static int open_front(
    struct reverst_server *server, const reverst_server_options *options) {
  struct rv_http_addresses addresses;
  struct rv_front_options front = {
    .loop = server->loop,
    .addresses = addresses.items,
    .handler = &server->router.handler,
    .default_host =
        rv_span_of(server->default_host ? server->default_host : ""),
    .max_connections = options->max_connections,
    .max_connections_per_address = options->max_connections_per_address,
    .on_empty = on_front_empty,
    .user_data = server,
  };
  int r = rv_server_options_http_addresses(server->engine,
      options->http.address, options->http.addresses, &addresses);

  front.address_count = addresses.count;
  if (r == 0)
    r = rv_front_open(&server->front, &front);
  if (r == 0)
    print_addresses(server);
  return r;
}

static int open_all(
    struct reverst_server *server, const reverst_server_options *options) {
  int r = rv_server_options_check(server->engine, options);

  if (r == 0)
    r = keep_texts(server, options);
  if (r == 0)
    r = rv_qpack_new(&server->qpack);
  if (r == 0)
    r = open_udp(server, options);
  if (r == 0)
    r = open_front(server, options);
  if (r == 0) /* the last, since it cannot be undone without a turn */
    r = open_endpoint(server, options);
  return r;
}

/* Nothing has run yet: all can go at once. */
static void undo(struct reverst_server *server) {
  free_parts(server);
  rv_loop_free(server->loop);
  free(server);
}

static void on_short_of_memory(struct rv_router *router) {
  rv_front_relieve(
      rv_container_of(router, struct reverst_server, router)->front);
}

static void on_router_idle(struct rv_router *router) {
  rv_server_check_closing(
      rv_container_of(router, struct reverst_server, router));
}

static int new_loop(struct reverst_server *server, struct event_base *base,
    const reverst_server_options *options) {
  struct rv_loop_options loop = {
    .memory_budget = options->memory_budget,
    .log_level = options->log_level,
    .log = options->log,
    .log_user_data = options->log_user_data,
  };
  int r = rv_loop_new(&server->loop, base, &loop);

  if (r < 0)
    return r;
  server->engine = rv_loop_engine(server->loop);
  server->drain_job.run = run_drain_job;
  server->close_job.run = run_close_job;
  rv_timer_init(&server->drain_timer, on_drain_timeout);
  server->registration_timeout = options->tunnel.registration_timeout
                                     ? options->tunnel.registration_timeout
                                     : 10 * RV_SECOND;
  server->drain_timeout =
      options->drain_timeout ? options->drain_timeout : DRAIN_TIMEOUT;
  rv_server_init_routing(server);
  rv_router_init(&server->router, server->engine, &server->groups);
  server->router.on_short_of_memory = on_short_of_memory;
  server->router.on_all_sent = on_all_sent;
  server->router.on_idle = on_router_idle;
  rv_server_init_tunnels(server);
  return 0;
}

int reverst_server_new(reverst_server **server, struct event_base *base,
    const reverst_server_options *options) {
  struct reverst_server *new = calloc(1, sizeof(*new));
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
  r = open_all(new, options);
  r = rv_explanation_end(&explanation, new->engine, r);
  if (r < 0) {
    undo(new);
    return r;
  }
  *server = new;
  return 0;
}

/* ---- the rest of the public functions ---- */

const char *reverst_server_tunnel_address(const reverst_server *server) {
  return server->tunnel_address;
}

const char *reverst_server_http_address(const reverst_server *server) {
  return server->http_addresses[0];
}

const char *reverst_server_http_address_at(
    const reverst_server *server, size_t index) {
  return index < RV_SERVER_MAX_ADDRESSES && server->http_addresses[index][0]
             ? server->http_addresses[index]
             : NULL;
}

static int set_addresses(
    reverst_server *server, const char *address, const char *const *list) {
  struct rv_http_addresses addresses;
  int r;

  if (server->state != RV_SERVER_RUNNING)
    return REVERST_ERR_CLOSED;
  rv_engine_refresh(server->engine);
  r = rv_server_options_http_addresses(
      server->engine, address, list, &addresses);
  if (r == 0)
    r = rv_front_set_addresses(server->front, addresses.items, addresses.count);
  if (r == 0)
    print_addresses(server);
  return r;
}

int reverst_server_set_http_address(
    reverst_server *server, const char *address) {
  return set_addresses(server, address, NULL);
}

int reverst_server_set_http_addresses(
    reverst_server *server, const char *const *addresses) {
  return set_addresses(server, NULL, addresses);
}

void reverst_server_set_drain_timeout(
    reverst_server *server, uint64_t drain_timeout) {
  server->drain_timeout = drain_timeout ? drain_timeout : DRAIN_TIMEOUT;
}

void reverst_server_set_log_level(
    reverst_server *server, enum reverst_log_level level) {
  server->engine->log_level =
      level == REVERST_LOG_DEFAULT ? REVERST_LOG_INFO : level;
}

int reverst_server_derive_secret(
    const reverst_server *server, const char *label, unsigned char secret[32]) {
  return rv_secret_derive(&server->application, label, secret);
}

void reverst_server_get_stats(
    const reverst_server *server, reverst_server_stats *stats) {
  const struct rv_engine *engine = server->engine;

  *stats = (reverst_server_stats){
    .tunnels = server->tunnel_count,
    .pending_registrations = server->pending_count,
    .connections = server->front ? rv_front_connections(server->front) : 0,
    .exchanges = engine->live.exchanges,
    .registrations_accepted = server->accepted_count,
    .registrations_refused = server->refused_count,
    .requests = server->router.requests,
    .failures = server->router.failures,
    .retries = server->router.retries,
    .buffered_bytes = engine->chunks.live * RV_CHUNK_SIZE,
    .live_objects = rv_counters_sum(&engine->live),
  };
}
