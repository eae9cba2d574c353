/* SPDX-License-Identifier: MIT */
/* Looks now and then whether those that retire have done their work. */
#include "server/retirement.h"

#include "server/group.h"

#define PATROL (250 * RV_MILLISECOND)

static void close_if_done(reverst_tunnel *tunnel, uint64_t now) {
  if (rv_server_tunnel_active(tunnel->carrier) == 0 ||
      (now >= tunnel->judged_from &&
          rv_server_tunnel_is_suspect(tunnel->carrier)))
    rv_tunnel_close(tunnel, tunnel->retires_for);
}

static void patrol_later(struct rv_retirement *retirement) {
  rv_timer_set(&retirement->engine->timers, &retirement->timer,
      retirement->engine->now + PATROL);
}

static void on_timer(struct rv_timer *timer) {
  struct rv_retirement *retirement =
      rv_container_of(timer, struct rv_retirement, timer);

  rv_list_each(node, &retirement->tunnels)
      close_if_done(rv_container_of(node, reverst_tunnel, retired_node),
          retirement->engine->now);
  if (!rv_list_empty(&retirement->tunnels))
    patrol_later(retirement);
}

/* The ping tells soon whether its answers can still come; it has a second to be
   answered, however long the tunnel had been silent before. */
void rv_retirement_begin(struct rv_retirement *retirement,
    reverst_tunnel *tunnel, enum rv_refusal why) {
  tunnel->retires_for = why;
  if (!tunnel->retired) {
    tunnel->retired = true;
    rv_candidates_note(tunnel);
    rv_list_push(&retirement->tunnels, &tunnel->retired_node);
    tunnel->judged_from = retirement->engine->now + RV_SECOND;
    rv_server_tunnel_ping(tunnel->carrier);
  }
  close_if_done(tunnel, retirement->engine->now);
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
