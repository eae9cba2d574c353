/* SPDX-License-Identifier: MIT */
/* Groups added, exchanged and looked at while the server runs. */
#include "base/log.h"
#include "server/server.h"
#include "server/tunnels.h"
#include <reverst/error.h>

static struct rv_group *group_of(struct rv_list *node) {
  return rv_container_of(node, struct rv_group, leaving);
}

static bool is_over(const struct reverst_server *server) {
  return server->state == RV_SERVER_CLOSING ||
         server->state == RV_SERVER_CLOSED;
}

static int add_group(struct reverst_server *server, struct rv_groups *groups,
    const reverst_group_options *options) {
  struct rv_group_fault fault;
  int r = rv_groups_add(groups, options, &fault);

  if (r < 0)
    rv_log(server->engine, REVERST_LOG_ERROR, "group_not_added",
        rv_log_text("group", options->name ? options->name : ""),
        rv_log_text("value", fault.value),
        rv_log_text("other_group", fault.other),
        rv_log_text("error", fault.what[0] ? fault.what : reverst_strerror(r)));
  return r;
}

int reverst_server_add_group(
    reverst_server *server, const reverst_group_options *options) {
  return is_over(server) ? REVERST_ERR_CLOSED
                         : add_group(server, &server->groups, options);
}

/* ---- groups that were removed ---- */

static void silence(reverst_group_options *options) {
  options->authenticate = NULL;
  options->choose = NULL;
  options->on_request = NULL;
  options->on_response = NULL;
  options->on_cancelled = NULL;
  options->on_tunnel_up = NULL;
  options->on_tunnel_down = NULL;
  options->user_data = NULL;
}

/* Their owners hear now that they have no tunnel any more, and nothing later:
   what finishes, finishes without them. */
static void announce_removal(
    struct reverst_server *server, struct rv_list *removed) {
  struct rv_list *node;

  rv_list_each(entry_node, &server->tunnels) {
    struct rv_entry *entry = rv_container_of(entry_node, struct rv_entry, node);

    if (entry->tunnel.group != NULL && entry->tunnel.group->removed)
      rv_entry_announce_end(
          entry, entry->cause ? entry->cause
                              : rv_refusal_reason(RV_REFUSAL_NOT_FOUND).data);
  }
  while ((node = rv_list_pop(removed)) != NULL) {
    rv_review_stop(group_of(node));
    silence(&group_of(node)->options);
    rv_list_push(&server->removed, node);
  }
}

static void retire_tunnels(
    struct reverst_server *server, const struct rv_group *group) {
  rv_list_each(node, &group->tunnels) {
    reverst_tunnel *tunnel = rv_container_of(node, reverst_tunnel, node);

    if (rv_server_tunnel_active(tunnel->carrier) > 0)
      rv_server_tunnel_drain(tunnel->carrier);
    rv_retirement_begin(&server->retirement, tunnel, RV_REFUSAL_NOT_FOUND,
        server->drain_timeout);
  }
}

/* Apart from the call that removed them, which may come from a policy. */
static void run_removal_job(struct rv_job *job) {
  struct reverst_server *server =
      rv_container_of(job, struct reverst_server, removal_job);
  struct rv_list *node;

  while ((node = rv_list_pop(&server->removed)) != NULL) {
    struct rv_group *group = group_of(node);

    retire_tunnels(server, group);
    rv_router_serve_waiting(group);
    rv_group_release(group);
  }
}

void rv_server_init_routing(struct reverst_server *server) {
  rv_groups_init(&server->groups, server->engine);
  rv_list_init(&server->removed);
  server->removal_job.run = run_removal_job;
}

void rv_server_deinit_routing(struct reverst_server *server) {
  struct rv_list *node;

  rv_turn_remove(&server->removal_job);
  while ((node = rv_list_pop(&server->removed)) != NULL)
    rv_group_release(group_of(node));
  rv_groups_deinit(&server->groups);
}

/* ---- exchanging ---- */

static int fill(struct reverst_server *server, struct rv_groups *fresh,
    const reverst_routing *routing) {
  int r = 0;

  fresh->on_route = routing->on_route;
  fresh->on_cancelled = routing->on_cancelled;
  fresh->user_data = routing->user_data;
  for (size_t i = 0; i < routing->group_count && r == 0; i++)
    r = add_group(server, fresh, &routing->groups[i]);
  return r;
}

int reverst_server_set_routing(
    reverst_server *server, const reverst_routing *routing) {
  struct rv_groups fresh;
  struct rv_list removed;
  int r;

  if (is_over(server))
    return REVERST_ERR_CLOSED;
  rv_engine_refresh(server->engine);
  rv_groups_init(&fresh, server->engine);
  r = fill(server, &fresh, routing);
  if (r == 0) {
    rv_list_init(&removed);
    rv_groups_exchange(&server->groups, &fresh, &removed);
    rv_log(server->engine, REVERST_LOG_INFO, "routing_changed",
        rv_log_number("groups", (int64_t)server->groups.names.count));
    announce_removal(server, &removed);
    if (!rv_list_empty(&server->removed))
      rv_turn_add(
          &server->engine->turn, &server->removal_job, RV_PHASE_PROCESS);
  }
  rv_groups_deinit(&fresh);
  return r;
}

/* ---- asking again ---- */

int reverst_server_reauthenticate(
    reverst_server *server, const char *group_name, uint64_t spread) {
  struct rv_group *group =
      rv_groups_find(&server->groups, rv_span_of(group_name));

  if (is_over(server))
    return REVERST_ERR_CLOSED;
  if (group == NULL)
    return REVERST_ERR_INVALID;
  if (group->options.insecure || group->options.forget_credentials)
    return 0;
  rv_engine_refresh(server->engine);
  rv_log(server->engine, REVERST_LOG_INFO, "reauthenticating",
      rv_log_text("group", group->name),
      rv_log_number("tunnels", (int64_t)group->tunnel_count));
  return rv_review_start(group, spread, server->registration_timeout);
}

/* ---- looking ---- */

void reverst_server_each_tunnel(const reverst_server *server, const char *group,
    void (*on_tunnel)(
        reverst_tunnel *tunnel, const char *group, void *user_data),
    void *user_data) {
  rv_list_each(node, &server->tunnels) {
    struct rv_entry *entry = rv_container_of(node, struct rv_entry, node);
    reverst_tunnel *tunnel = &entry->tunnel;

    if (tunnel->group == NULL || tunnel->carrier == NULL ||
        (group != NULL && strcmp(tunnel->group->name, group) != 0))
      continue;
    on_tunnel(tunnel, tunnel->group->name, user_data);
  }
}
