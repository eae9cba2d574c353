/* SPDX-License-Identifier: MIT */
/* Looks now and then whether those that retire have done their work. */
#include "server/retirement.h"

#include "base/log.h"
#include "server/group.h"

#define PATROL (250 * RV_MILLISECOND)

static void break_off(struct rv_engine *engine, reverst_tunnel *tunnel) {
  rv_log(engine, REVERST_LOG_WARN, "drain_timeout",
      rv_log_text("group", tunnel->group->name),
      rv_log_text("peer", tunnel->peer),
      rv_log_number(
          "exchanges", (int64_t)rv_server_tunnel_active(tunnel->carrier)));
  rv_tunnel_close(tunnel, tunnel->retires_for);
}

static void close_if_done(struct rv_engine *engine, reverst_tunnel *tunnel) {
  if (rv_server_tunnel_active(tunnel->carrier) == 0 ||
      (engine->now >= tunnel->judged_from &&
          rv_server_tunnel_is_suspect(tunnel->carrier)))
    rv_tunnel_close(tunnel, tunnel->retires_for);
  else if (engine->now >= tunnel->retires_by)
    break_off(engine, tunnel);
}

static void patrol_later(struct rv_retirement *retirement) {
  rv_timer_set(&retirement->engine->timers, &retirement->timer,
      retirement->engine->now + PATROL);
}

static void on_timer(struct rv_timer *timer) {
  struct rv_retirement *retirement =
      rv_container_of(timer, struct rv_retirement, timer);

  rv_list_each(node, &retirement->tunnels) close_if_done(
      retirement->engine, rv_container_of(node, reverst_tunnel, retired_node));
  if (!rv_list_empty(&retirement->tunnels))
    patrol_later(retirement);
}

/* The ping tells soon whether its answers can still come; it has a second to be
   answered, however long the tunnel had been silent before. */
void rv_retirement_begin(struct rv_retirement *retirement,
    reverst_tunnel *tunnel, enum rv_refusal why, uint64_t timeout) {
  uint64_t deadline = rv_deadline(retirement->engine->now, timeout);

  tunnel->retires_for = why;
  if (!tunnel->retired || deadline < tunnel->retires_by)
    tunnel->retires_by = deadline;
  if (!tunnel->retired) {
    tunnel->retired = true;
    rv_candidates_note(tunnel);
    rv_list_push(&retirement->tunnels, &tunnel->retired_node);
    tunnel->judged_from = retirement->engine->now + RV_SECOND;
    rv_server_tunnel_ping(tunnel->carrier);
  }
  close_if_done(retirement->engine, tunnel);
  patrol_later(retirement);
}

void rv_retirement_end(reverst_tunnel *tunnel) {
  rv_list_remove(&tunnel->retired_node);
}

void rv_retirement_init(
    struct rv_retirement *retirement, struct rv_engine *engine) {
  *retirement = (struct rv_retirement){ .engine = engine };
  rv_list_init(&retirement->tunnels);
  rv_timer_init(&retirement->timer, on_timer);
}

void rv_retirement_deinit(struct rv_retirement *retirement) {
  rv_timer_stop(&retirement->engine->timers, &retirement->timer);
}
