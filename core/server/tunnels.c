/* SPDX-License-Identifier: MIT */
/* Connections come in, register, are decided upon, and join their groups. */
#include "server/tunnels.h"

#include "base/log.h"
#include "server/server.h"
#include <stdlib.h>
#include <time.h>

static void refuse(
    struct rv_entry *entry, enum rv_refusal refusal, const char *detail) {
  struct rv_server_tunnel *carrier = entry->tunnel.carrier;

  entry->server->refused_count++;
  entry->refused = true;
  if (rv_log_quota_take(&entry->server->refusal_quota))
    rv_log(entry->server->engine, REVERST_LOG_WARN, "registration_refused",
        rv_log_span("group", rv_server_tunnel_registration(carrier)->group),
        rv_log_text("peer", entry->peer),
        rv_log_span("reason", rv_refusal_reason(refusal)),
        rv_log_text("detail", detail ? detail : ""));
  rv_server_tunnel_refuse(carrier, refusal);
}

/* ---- joining ---- */

static uint64_t wall_clock(void) {
  struct timespec time;

  (void)clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * RV_SECOND + (uint64_t)time.tv_nsec;
}

static int describe(
    struct rv_entry *entry, const reverst_tunnel_options *options) {
  const struct rv_message *message =
      rv_server_tunnel_registration(entry->tunnel.carrier);
  bool changed;
  int r = rv_tunnel_describe(&entry->tunnel, entry->server->engine,
      &message->metadata, options, &changed);

  if (r < 0)
    refuse(entry, RV_REFUSAL_SERVER_ERROR, "out of memory");
  return r;
}

static void announce(struct rv_entry *entry) {
  reverst_tunnel *tunnel = &entry->tunnel;
  const reverst_group_options *options = &tunnel->group->options;

  tunnel->announced = true;
  if (options->on_tunnel_up != NULL)
    options->on_tunnel_up(tunnel, options->user_data);
}

static int keep_credentials(
    struct rv_entry *entry, const struct rv_group *group) {
  const struct rv_message *message =
      rv_server_tunnel_registration(entry->tunnel.carrier);
  int r;

  if (group->options.forget_credentials)
    return 0;
  r = rv_tunnel_keep_credentials(&entry->tunnel, &message->metadata);
  if (r < 0)
    refuse(entry, RV_REFUSAL_SERVER_ERROR, "out of memory");
  return r;
}

/* What decided may have been taken away meanwhile, for good reasons. */
static void ask_again(struct rv_entry *entry) {
  if (entry->asked_at != 0)
    rv_review_join(
        &entry->tunnel, entry->asked_at, entry->server->registration_timeout);
}

static void join(struct rv_entry *entry, struct rv_group *group) {
  struct reverst_server *server = entry->server;
  reverst_tunnel *tunnel = &entry->tunnel;

  if (keep_credentials(entry, group) < 0)
    return;
  entry->instance.tunnel = tunnel;
  rv_instances_take_over(&server->instances, &entry->instance, group,
      rv_server_tunnel_registration(tunnel->carrier));
  rv_log(server->engine, REVERST_LOG_INFO, "tunnel_up",
      rv_log_text("group", group->name), rv_log_text("peer", entry->peer),
      rv_log_text("name", tunnel->facts->name),
      rv_log_number("tunnels", (int64_t)group->tunnel_count + 1));
  rv_server_tunnel_accept(tunnel->carrier);
  tunnel->id = ++server->last_id;
  tunnel->registered_at = wall_clock();
  rv_group_add_tunnel(group, tunnel);
  server->tunnel_count++;
  server->accepted_count++;
  ask_again(entry);
  announce(entry);
  rv_router_serve_waiting(tunnel->group);
}

/* Where registrations of that name go now; NULL: it was refused. */
static struct rv_group *find_group(struct rv_entry *entry) {
  struct reverst_server *server = entry->server;
  struct rv_group *group = rv_groups_find(&server->groups,
      rv_server_tunnel_registration(entry->tunnel.carrier)->group);

  if (group == NULL)
    refuse(entry, RV_REFUSAL_NOT_FOUND, "there is no such group");
  else if (server->state != RV_SERVER_RUNNING)
    refuse(entry, RV_REFUSAL_DRAINING, NULL);
  else if (group->tunnel_count >= RV_GROUP_MAX_TUNNELS)
    refuse(entry, RV_REFUSAL_BUSY, "the group is full");
  else
    return group;
  return NULL;
}

static void join_decided(struct rv_entry *entry) {
  struct rv_group *group;

  if (!rv_server_tunnel_is_undecided(entry->tunnel.carrier))
    return; /* it timed out or broke off: it is about to close */
  group = find_group(entry);
  if (group != NULL)
    join(entry, group);
}

static void run_job(struct rv_job *job) {
  struct rv_entry *entry = rv_container_of(job, struct rv_entry, job);

  if (entry->tunnel.carrier != NULL) {
    join_decided(entry);
    return;
  }
  rv_entry_announce_end(entry, entry->cause);
  rv_entry_free(entry);
}

/* ---- deciding ---- */

/* Whoever decides may be in the middle of anything: the tunnel joins when he is
   done. */
static void on_decided(struct rv_registration_owner *owner,
    reverst_registration *registration, enum rv_decision decision,
    const char *reason, const reverst_tunnel_options *options) {
  struct reverst_server *server =
      rv_container_of(owner, struct reverst_server, registration_owner);
  struct rv_entry *entry = rv_registration_context(registration);

  server->pending_count--;
  entry->registration = NULL;
  if (!rv_server_tunnel_is_undecided(entry->tunnel.carrier))
    return;
  if (decision == RV_DECISION_REJECTED)
    refuse(entry, RV_REFUSAL_UNAUTHORIZED, reason);
  else if (decision == RV_DECISION_FAILED)
    refuse(entry, RV_REFUSAL_SERVER_ERROR, reason);
  else if (describe(entry, options) == 0)
    rv_turn_add(&server->engine->turn, &entry->job, RV_PHASE_SCRIPT);
}

static void ask(struct rv_entry *entry, const struct rv_group *group) {
  struct reverst_server *server = entry->server;

  entry->registration = rv_registration_new(
      &server->registration_owner, entry->tunnel.carrier, entry);
  if (entry->registration == NULL) {
    refuse(entry, RV_REFUSAL_SERVER_ERROR, "out of memory");
    return;
  }
  server->pending_count++;
  entry->asked_at = server->engine->now;
  group->options.authenticate(entry->registration, group->options.user_data);
}

static void on_registration(struct rv_server_tunnel *carrier, void *user_data) {
  struct rv_entry *entry = user_data;
  struct rv_group *group = find_group(entry);

  (void)carrier;
  if (group == NULL)
    return;
  if (!group->options.insecure)
    ask(entry, group);
  else if (describe(entry, NULL) == 0)
    join(entry, group);
}

/* ---- connections ---- */

static void on_news(struct rv_server_tunnel *carrier, void *user_data) {
  struct rv_entry *entry = user_data;

  (void)carrier;
  if (entry->tunnel.group == NULL)
    return;
  rv_candidates_note(&entry->tunnel);
  rv_router_serve_waiting(entry->tunnel.group);
}

static const struct rv_server_tunnel_events events = {
  .on_registration = on_registration,
  .on_news = on_news,
  .on_closed = rv_entry_close,
};

static struct rv_entry *new_entry(
    struct reverst_server *server, struct rv_quic_connection *connection) {
  struct rv_entry *entry = calloc(1, sizeof(*entry));
  char peer[RV_ADDRESS_TEXT_SIZE];

  if (entry == NULL)
    return NULL;
  rv_address_print(rv_quic_connection_peer(connection), peer);
  entry->peer = strdup(peer);
  if (entry->peer == NULL) {
    free(entry);
    return NULL;
  }
  entry->server = server;
  entry->job.run = run_job;
  entry->tunnel.peer = entry->peer;
  return entry;
}

void rv_server_on_accept(
    struct rv_quic_endpoint *endpoint, struct rv_quic_connection *connection) {
  struct reverst_server *server = rv_quic_endpoint_user_data(endpoint);
  struct rv_entry *entry = new_entry(server, connection);
  struct rv_server_tunnel_options options = {
    .engine = server->engine,
    .connection = connection,
    .qpack = server->qpack,
    .registration_timeout = server->registration_timeout,
    .events = &events,
    .user_data = entry,
  };

  if (entry != NULL &&
      rv_server_tunnel_new(&entry->tunnel.carrier, &options) == 0) {
    rv_list_push(&server->tunnels, &entry->node);
    return;
  }
  if (entry != NULL)
    rv_entry_free(entry);
  rv_quic_connection_close(connection, RV_QUIC_CLOSE_APPLICATION,
      RV_LINK_SERVER_ERROR, RV_SPAN("busy"));
}

/* ---- all of them ---- */

void rv_server_init_tunnels(struct reverst_server *server) {
  rv_list_init(&server->tunnels);
  rv_retirement_init(&server->retirement, server->engine);
  rv_instances_init(&server->instances, server->engine, &server->retirement);
  server->registration_owner.on_decided = on_decided;
  rv_log_quota_init(
      &server->refusal_quota, server->engine, "registration_refused");
}

void rv_server_deinit_tunnels(struct reverst_server *server) {
  rv_instances_deinit(&server->instances);
  rv_retirement_deinit(&server->retirement);
  rv_log_quota_deinit(&server->refusal_quota);
}

void rv_server_drain_tunnels(struct reverst_server *server) {
  rv_list_each(node, &server->tunnels) {
    const struct rv_entry *entry = rv_container_of(node, struct rv_entry, node);

    if (entry->tunnel.carrier != NULL)
      rv_server_tunnel_drain(entry->tunnel.carrier);
  }
}

void rv_server_close_tunnels(struct reverst_server *server) {
  static const char goodbye[] = "server closing down";

  rv_list_each(node, &server->tunnels) {
    struct rv_entry *entry = rv_container_of(node, struct rv_entry, node);

    entry->tunnel.goodbye = goodbye;
    if (entry->tunnel.carrier != NULL)
      rv_server_tunnel_close(
          entry->tunnel.carrier, RV_LINK_NORMAL, rv_span_of(goodbye));
  }
}
