/* SPDX-License-Identifier: MIT */
/* One group, and the built-in policy. */
#include "server/group.h"

#include "server/health.h"
#include <assert.h>
#include <stdlib.h>

/* ---- life ---- */

static uint64_t or_default(uint64_t given, uint64_t otherwise) {
  return given ? given : otherwise;
}

static unsigned count_or_default(unsigned given, unsigned otherwise) {
  if (given == REVERST_NONE)
    return 0;
  return given ? given : otherwise;
}

static reverst_group_options normal_options(
    const reverst_group_options *options) {
  reverst_group_options normal = *options;

  normal.name = NULL;
  normal.hosts = NULL;
  normal.insecure = options->insecure && options->authenticate == NULL;
  normal.retries = count_or_default(options->retries, 2);
  if (normal.retries > RV_GROUP_MAX_RETRIES)
    normal.retries = RV_GROUP_MAX_RETRIES;
  normal.response_timeout = or_default(options->response_timeout, RV_NEVER);
  normal.queue_timeout = or_default(options->queue_timeout, 30 * RV_SECOND);
  normal.max_fails = count_or_default(options->max_fails, 3);
  normal.fail_duration = or_default(options->fail_duration, 10 * RV_SECOND);
  return normal;
}

struct rv_group *rv_group_new(
    struct rv_engine *engine, const reverst_group_options *options) {
  struct rv_group *group = calloc(1, sizeof(*group));

  if (group == NULL)
    return NULL;
  group->name = strdup(options->name ? options->name : "");
  if (group->name == NULL) {
    free(group);
    return NULL;
  }
  group->engine = engine;
  group->references = 1;
  group->options = normal_options(options);
  rv_list_init(&group->tunnels);
  rv_list_init(&group->waiting);
  rv_review_init(&group->review, engine->now);
  return group;
}

static void free_group(struct rv_group *group) {
  for (size_t i = 0; i < group->host_count; i++)
    rv_host_deinit(&group->hosts[i]);
  free(group->hosts);
  rv_candidates_deinit(&group->candidates);
  rv_review_deinit(&group->review, group->engine);
  free(group->name);
  free(group);
}

static void forget_credentials(const struct rv_group *group) {
  rv_list_each(node, &group->tunnels)
      rv_tunnel_forget_credentials(rv_container_of(node, reverst_tunnel, node));
}

void rv_group_exchange_options(
    struct rv_group *group, const struct rv_group *fresh) {
  group->options = fresh->options;
  if (group->options.forget_credentials)
    forget_credentials(group);
  if (group->options.forget_credentials || group->options.insecure)
    rv_review_stop(group);
}

void rv_group_hold(struct rv_group *group) {
  group->references++;
}

void rv_group_release(struct rv_group *group) {
  assert(group->references > 0);
  if (--group->references == 0)
    free_group(group);
}

/* ---- tunnels ---- */

void rv_group_add_tunnel(struct rv_group *group, reverst_tunnel *tunnel) {
  tunnel->group = group;
  rv_group_hold(group);
  rv_list_init(&tunnel->visits);
  rv_health_init(tunnel);
  rv_list_push(&group->tunnels, &tunnel->node);
  group->tunnel_count++;
  rv_candidates_note(tunnel);
}

void rv_group_remove_tunnel(reverst_tunnel *tunnel) {
  while (rv_list_pop(&tunnel->visits) != NULL)
    continue;
  rv_candidates_forget(&tunnel->group->candidates);
  rv_health_deinit(tunnel);
  rv_review_leave(tunnel);
  rv_list_remove(&tunnel->node);
  tunnel->group->tunnel_count--;
}

reverst_tunnel *rv_group_find_tunnel(
    const struct rv_group *group, struct rv_tried tried, bool *may_wait) {
  reverst_tunnel *doubtful = NULL;

  *may_wait = false;
  rv_list_each(node, &group->tunnels) {
    reverst_tunnel *tunnel = rv_container_of(node, reverst_tunnel, node);
    enum rv_fitness fitness = rv_tunnel_fitness(tunnel);

    if (rv_tunnel_was_tried(tunnel, tried))
      continue;
    if (fitness == RV_FIT)
      return tunnel;
    if (fitness == RV_FULL)
      *may_wait = true;
    else if (fitness == RV_DOUBTFUL && doubtful == NULL)
      doubtful = tunnel;
  }
  /* Better to wait for one that answers than to be lost with one that does not.
   */
  return *may_wait ? NULL : doubtful;
}

void rv_group_rotate(reverst_tunnel *tunnel) {
  rv_list_remove(&tunnel->node);
  rv_list_push(&tunnel->group->tunnels, &tunnel->node);
}
