/* SPDX-License-Identifier: MIT */
/* Connections end: groups, logs and applications are told. */
#include "server/tunnels.h"

#include "base/log.h"
#include "server/server.h"
#include <stdlib.h>

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

static void leave(struct rv_entry *entry, const struct rv_quic_close *close) {
  struct rv_group *group = entry->tunnel.group;

  rv_instances_remove(&entry->server->instances, &entry->instance);
  rv_retirement_end(&entry->tunnel);
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
}

/* Below: malformed, without a group, not decided in time. */
static void note_refusal(
    const struct rv_entry *entry, const struct rv_quic_close *close) {
  const reverst_registration *undecided = entry->registration;

  if (undecided != NULL)
    rv_log(entry->server->engine, REVERST_LOG_WARN, "registration_refused",
        rv_log_text("group", reverst_registration_group(undecided)),
        rv_log_text("peer", entry->peer), rv_log_span("reason", close->reason),
        rv_log_text("detail", "authenticate has not decided in time"));
  else
    rv_log(entry->server->engine, REVERST_LOG_WARN, "registration_refused",
        rv_log_text("peer", entry->peer), rv_log_span("reason", close->reason));
}

/* A connection that never was a tunnel. */
static void note_stranger(
    struct rv_entry *entry, const struct rv_quic_close *close) {
  bool refused = close->kind == RV_QUIC_CLOSE_APPLICATION && !close->by_peer &&
                 close->code != RV_LINK_NORMAL;

  if (refused && !entry->refused) {
    entry->server->refused_count++;
    if (rv_log_quota_take(&entry->server->refusal_quota))
      note_refusal(entry, close);
  }
  rv_log(entry->server->engine, REVERST_LOG_DEBUG, "connection_closed",
      rv_log_text("peer", entry->peer),
      rv_log_text("cause", word_of_close(close)),
      rv_log_number("code", (int64_t)close->code),
      rv_log_span("reason", close->reason));
}

/* The memory stays until on_tunnel_down has returned, which comes later: it may
   do anything. */
void rv_entry_close(struct rv_server_tunnel *carrier,
    const struct rv_quic_close *close, void *user_data) {
  struct rv_entry *entry = user_data;
  struct reverst_server *server = entry->server;

  (void)carrier;
  if (entry->tunnel.group != NULL)
    leave(entry, close);
  else
    note_stranger(entry, close);
  if (entry->registration != NULL) {
    server->pending_count--;
    rv_registration_abandon(entry->registration);
    entry->registration = NULL;
  }
  entry->tunnel.carrier = NULL;
  entry->cause =
      entry->tunnel.goodbye ? entry->tunnel.goodbye : word_of_close(close);
  if (entry->tunnel.announced)
    rv_turn_add(&server->engine->turn, &entry->job, RV_PHASE_SCRIPT);
  else
    rv_entry_free(entry);
}

void rv_entry_announce_end(struct rv_entry *entry, const char *reason) {
  reverst_tunnel *tunnel = &entry->tunnel;
  const reverst_group_options *options;

  if (!tunnel->announced)
    return;
  tunnel->announced = false;
  options = &tunnel->group->options;
  if (options->on_tunnel_down != NULL)
    options->on_tunnel_down(tunnel, reason, options->user_data);
  tunnel->user_data = NULL;
}

void rv_entry_free(struct rv_entry *entry) {
  struct reverst_server *server = entry->server;

  rv_list_remove(&entry->node);
  rv_turn_remove(&entry->job);
  if (entry->tunnel.group != NULL)
    rv_group_release(entry->tunnel.group);
  rv_tunnel_forget(&entry->tunnel);
  free(entry->peer);
  free(entry);
  rv_server_check_closing(server);
}
