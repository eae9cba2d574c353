/* SPDX-License-Identifier: MIT */
/* Tunnels of a server: from the first packet through registration and
   membership of a group to the end. */
#include "server/server.h"

#include "base/log.h"
#include <stdlib.h>
#include <time.h>

struct entry {
  struct rv_list node; /* of server->tunnels */
  struct reverst_server *server;
  struct rv_server_tunnel *carrier;
  reverst_registration *registration; /* while undecided */
  struct rv_group *applied;           /* the group that it wants to join */
  reverst_tunnel tunnel;              /* tunnel.group != NULL: it is one */
  bool refused;                       /* and counted */
  struct rv_instance instance;
  char peer[RV_ADDRESS_TEXT_SIZE];
};

static void log_refusal(struct entry *entry, struct rv_span group,
    enum rv_refusal refusal, const char *detail) {
  entry->server->refused_count++;
  entry->refused = true;
  rv_log(entry->server->engine, REVERST_LOG_WARN, "registration_refused",
      rv_log_span("group", group), rv_log_text("peer", entry->peer),
      rv_log_span("reason", rv_refusal_reason(refusal)),
      rv_log_text("detail", detail ? detail : ""));
}

static void refuse(struct entry *entry, struct rv_span group,
    enum rv_refusal refusal, const char *detail) {
  log_refusal(entry, group, refusal, detail);
  rv_server_tunnel_refuse(entry->carrier, refusal);
}

/* ---- deciding ---- */

static uint64_t wall_clock(void) {
  struct timespec time;

  (void)clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * RV_SECOND + (uint64_t)time.tv_nsec;
}

static void join(struct entry *entry, struct rv_group *group,
    const reverst_tunnel_options *options) {
  bool is_new;
  struct reverst_server *server = entry->server;
  const struct rv_message *message =
      rv_server_tunnel_registration(entry->carrier);

  if (rv_tunnel_describe(&entry->tunnel, server->engine, &message->metadata,
          options, &is_new) < 0) {
    refuse(entry, rv_span_of(group->name), RV_REFUSAL_SERVER_ERROR,
        "out of memory");
    return;
  }
  entry->instance.tunnel = &entry->tunnel;
  rv_instances_take_over(&server->instances, &entry->instance, group, message);
  rv_log(server->engine, REVERST_LOG_INFO, "tunnel_up",
      rv_log_text("group", group->name), rv_log_text("peer", entry->peer),
      rv_log_text("name", entry->tunnel.facts->name),
      rv_log_number("tunnels", (int64_t)group->tunnel_count + 1));
  rv_server_tunnel_accept(entry->carrier);
  entry->tunnel.carrier = entry->carrier;
  entry->tunnel.id = ++server->last_id;
  entry->tunnel.registered_at = wall_clock();
  rv_group_add_tunnel(group, &entry->tunnel);
  server->tunnel_count++;
  server->accepted_count++;
  rv_router_serve_waiting(group);
}

static void on_decided(struct rv_registration_owner *owner,
    reverst_registration *registration, enum rv_decision decision,
    const char *reason, const reverst_tunnel_options *options) {
  struct reverst_server *server =
      rv_container_of(owner, struct reverst_server, registration_owner);
  struct entry *entry = rv_registration_context(registration);
  struct rv_span name = rv_span_of(entry->applied->name);

  server->pending_count--;
  entry->registration = NULL;
  if (!rv_server_tunnel_is_undecided(entry->carrier))
    return; /* it timed out or broke off: it is about to close */
  if (decision == RV_DECISION_REJECTED)
    refuse(entry, name, RV_REFUSAL_UNAUTHORIZED, reason);
  else if (decision == RV_DECISION_FAILED)
    refuse(entry, name, RV_REFUSAL_SERVER_ERROR, reason);
  else if (server->state != RV_SERVER_RUNNING)
    refuse(entry, name, RV_REFUSAL_DRAINING, NULL);
  else
    join(entry, entry->applied, options);
}

static void ask(struct entry *entry, struct rv_group *group) {
  struct reverst_server *server = entry->server;

  entry->applied = group;
  entry->registration =
      rv_registration_new(&server->registration_owner, entry->carrier, entry);
  if (entry->registration == NULL) {
    refuse(entry, rv_span_of(group->name), RV_REFUSAL_SERVER_ERROR,
        "out of memory");
    return;
  }
  server->pending_count++;
  group->options.authenticate(entry->registration, group->options.user_data);
}

static void on_registration(struct rv_server_tunnel *tunnel, void *user_data) {
  struct entry *entry = user_data;
  struct reverst_server *server = entry->server;
  struct rv_span name = rv_server_tunnel_registration(tunnel)->group;
  struct rv_group *group = rv_groups_find(&server->groups, name);

  if (group == NULL)
    refuse(entry, name, RV_REFUSAL_NOT_FOUND, "there is no such group");
  else if (server->state != RV_SERVER_RUNNING)
    refuse(entry, name, RV_REFUSAL_DRAINING, NULL);
  else if (group->tunnel_count >= RV_GROUP_MAX_TUNNELS)
    refuse(entry, name, RV_REFUSAL_BUSY, "the group is full");
  else if (group->options.insecure)
    join(entry, group, NULL);
  else
    ask(entry, group);
}

/* ---- afterwards ---- */

static void on_news(struct rv_server_tunnel *tunnel, void *user_data) {
  struct entry *entry = user_data;

  (void)tunnel;
  if (entry->tunnel.group != NULL)
    rv_router_serve_waiting(entry->tunnel.group);
}

static const char *word_of_close(const struct rv_quic_close *close) {
  switch (close->kind) {
  case RV_QUIC_CLOSE_IDLE:
    return "idle_timeout";
  case RV_QUIC_CLOSE_HANDSHAKE_TIMEOUT:
    return "handshake_timeout";
  case RV_QUIC_CLOSE_RESET:
    return "stateless_reset";
  case RV_QUIC_CLOSE_TRANSPORT:
    return close->by_peer ? "transport_error_by_peer" : "transport_error";
  case RV_QUIC_CLOSE_APPLICATION:
    break;
  }
  return close->by_peer ? "closed_by_peer" : "closed";
}

static void leave(struct entry *entry, const struct rv_quic_close *close) {
  struct rv_group *group = entry->tunnel.group;

  rv_instances_remove(&entry->server->instances, &entry->instance);
  rv_group_remove_tunnel(&entry->tunnel);
  entry->server->tunnel_count--;
  rv_log(entry->server->engine, REVERST_LOG_INFO, "tunnel_down",
      rv_log_text("group", group->name), rv_log_text("peer", entry->peer),
      rv_log_text("name", entry->tunnel.facts->name),
      rv_log_text("cause", word_of_close(close)),
      rv_log_number("code", (int64_t)close->code),
      rv_log_span("reason", close->reason),
      rv_log_number("tunnels", (int64_t)group->tunnel_count));
  rv_router_serve_waiting(group);
  entry->tunnel.group = NULL;
  rv_group_release(group);
}

/* A connection that never was a tunnel. Its registration may have been refused
   below: malformed, without a group, too slow. */
static void note_stranger(
    struct entry *entry, const struct rv_quic_close *close) {
  bool refused = close->kind == RV_QUIC_CLOSE_APPLICATION && !close->by_peer &&
                 close->code != RV_LINK_NORMAL;

  if (refused && !entry->refused) {
    entry->server->refused_count++;
    rv_log(entry->server->engine, REVERST_LOG_WARN, "registration_refused",
        rv_log_text("peer", entry->peer), rv_log_span("reason", close->reason));
  }
  rv_log(entry->server->engine, REVERST_LOG_DEBUG, "connection_closed",
      rv_log_text("peer", entry->peer),
      rv_log_text("cause", word_of_close(close)),
      rv_log_number("code", (int64_t)close->code),
      rv_log_span("reason", close->reason));
}

static void on_closed(struct rv_server_tunnel *tunnel,
    const struct rv_quic_close *close, void *user_data) {
  struct entry *entry = user_data;
  struct reverst_server *server = entry->server;

  (void)tunnel;
  if (entry->registration != NULL) {
    rv_registration_abandon(entry->registration);
    server->pending_count--;
  }
  if (entry->tunnel.group != NULL)
    leave(entry, close);
  else
    note_stranger(entry, close);
  rv_list_remove(&entry->node);
  rv_tunnel_forget(&entry->tunnel);
  free(entry);
  rv_server_check_closing(server);
}

static const struct rv_server_tunnel_events events = {
  .on_registration = on_registration,
  .on_news = on_news,
  .on_closed = on_closed,
};

void rv_server_on_accept(
    struct rv_quic_endpoint *endpoint, struct rv_quic_connection *connection) {
  struct reverst_server *server = rv_quic_endpoint_user_data(endpoint);
  struct entry *entry = calloc(1, sizeof(*entry));
  struct rv_server_tunnel_options options = {
    .engine = server->engine,
    .connection = connection,
    .qpack = server->qpack,
    .events = &events,
    .user_data = entry,
  };

  if (entry == NULL || rv_server_tunnel_new(&entry->carrier, &options) < 0) {
    free(entry);
    rv_quic_connection_close(connection, RV_QUIC_CLOSE_APPLICATION,
        RV_LINK_SERVER_ERROR, RV_SPAN("busy"));
    return;
  }
  entry->server = server;
  rv_address_print(rv_quic_connection_peer(connection), entry->peer);
  entry->tunnel.peer = entry->peer;
  rv_list_push(&server->tunnels, &entry->node);
}

void rv_server_init_tunnels(struct reverst_server *server) {
  rv_list_init(&server->tunnels);
  rv_instances_init(&server->instances, server->engine);
  server->registration_owner.on_decided = on_decided;
}

void rv_server_deinit_tunnels(struct reverst_server *server) {
  rv_instances_deinit(&server->instances);
}

void rv_server_drain_tunnels(struct reverst_server *server) {
  rv_list_each(node, &server->tunnels) rv_server_tunnel_drain(
      rv_container_of(node, struct entry, node)->carrier);
}

void rv_server_close_tunnels(struct reverst_server *server) {
  rv_list_each(node, &server->tunnels)
      rv_server_tunnel_close(rv_container_of(node, struct entry, node)->carrier,
          RV_LINK_NORMAL, RV_SPAN("server closing down"));
}
