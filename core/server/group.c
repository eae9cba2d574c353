/* SPDX-License-Identifier: MIT */
/* The tables of groups and hosts, and the built-in policy. */
#include "server/group.h"

#include "base/utf8.h"
#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

void rv_groups_init(struct rv_groups *groups, struct rv_engine *engine) {
  *groups = (struct rv_groups){ .engine = engine };
  rv_map_init(&groups->names, engine->hash_secret);
  rv_hosts_init(&groups->hosts, engine->hash_secret);
}

static struct rv_group *group_of_name(struct rv_map_node *node) {
  return node ? rv_container_of(node, struct rv_group, node) : NULL;
}

static void free_group(struct rv_group *group) {
  for (size_t i = 0; i < group->host_count; i++)
    rv_host_deinit(&group->hosts[i]);
  free(group->hosts);
  free(group->name);
  free(group);
}

void rv_group_hold(struct rv_group *group) {
  group->references++;
}

void rv_group_release(struct rv_group *group) {
  assert(group->references > 0);
  if (--group->references == 0)
    free_group(group);
}

static void take_out(struct rv_groups *groups, struct rv_group *group) {
  rv_map_remove(&groups->names, &group->node);
  for (size_t i = 0; i < group->host_count; i++)
    rv_hosts_remove(&groups->hosts, &group->hosts[i]);
}

void rv_groups_deinit(struct rv_groups *groups) {
  struct rv_group *group;

  while ((group = group_of_name(rv_map_any(&groups->names))) != NULL) {
    take_out(groups, group);
    rv_group_release(group);
  }
  rv_map_deinit(&groups->names);
  rv_hosts_deinit(&groups->hosts);
}

struct rv_group *rv_groups_find(
    const struct rv_groups *groups, struct rv_span name) {
  return group_of_name(rv_map_find(&groups->names, name));
}

struct rv_group *rv_groups_route(
    const struct rv_groups *groups, struct rv_span host) {
  struct rv_host *found = rv_hosts_find(&groups->hosts, host);

  return found ? found->group : NULL;
}

/* ---- adding ---- */

static int add_host(struct rv_groups *groups, struct rv_group *group,
    const char *pattern, struct rv_group_fault *fault) {
  struct rv_host *host = &group->hosts[group->host_count];
  const struct rv_host *other;
  int r;

  fault->value = pattern;
  r = rv_host_init(host, group, pattern, &fault->what);
  if (r < 0)
    return r;
  group->host_count++;
  r = rv_hosts_add(&groups->hosts, host, &other);
  if (r != REVERST_ERR_EXISTS)
    return r;
  fault->what = other->group == group ? "the group names this host twice"
                                      : "two groups claim this host";
  fault->other = other->group == group ? "" : other->group->name;
  return r;
}

static int add_hosts(struct rv_groups *groups, struct rv_group *group,
    const char *const *hosts, struct rv_group_fault *fault) {
  size_t count = 0;
  int r = 0;

  while (hosts != NULL && hosts[count] != NULL)
    count++;
  group->hosts = calloc(count + 1, sizeof(*group->hosts));
  if (group->hosts == NULL)
    return REVERST_ERR_NO_MEMORY;
  for (size_t i = 0; i < count && r == 0; i++)
    r = add_host(groups, group, hosts[i], fault);
  return r;
}

static int add_name(struct rv_groups *groups, struct rv_group *group,
    struct rv_group_fault *fault) {
  struct rv_span name = rv_span_of(group->name);
  int r;

  fault->what = "a group's name is 1 to 255 bytes of UTF-8 text";
  if (name.length == 0 || name.length > RV_MESSAGE_MAX_GROUP ||
      !rv_utf8_is_text(name))
    return REVERST_ERR_INVALID;
  r = rv_map_insert(&groups->names, &group->node, name);
  if (r == REVERST_ERR_EXISTS)
    fault->what = "there is a group of this name already";
  return r;
}

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

static struct rv_group *new_group(const reverst_group_options *options) {
  struct rv_group *group = calloc(1, sizeof(*group));

  if (group == NULL)
    return NULL;
  group->name = strdup(options->name ? options->name : "");
  if (group->name == NULL) {
    free(group);
    return NULL;
  }
  group->references = 1;
  group->options = normal_options(options);
  rv_list_init(&group->tunnels);
  rv_list_init(&group->waiting);
  return group;
}

int rv_groups_add(struct rv_groups *groups,
    const reverst_group_options *options, struct rv_group_fault *fault) {
  struct rv_group *group;
  int r;

  *fault =
      (struct rv_group_fault){ "", options->name ? options->name : "", "" };
  if (options->authenticate == NULL && !options->insecure) {
    fault->what = "the group has neither authenticate nor insecure";
    return REVERST_ERR_NO_GROUP_AUTHENTICATION;
  }
  group = new_group(options);
  if (group == NULL)
    return REVERST_ERR_NO_MEMORY;
  group->engine = groups->engine;
  r = add_name(groups, group, fault);
  if (r == 0)
    r = add_hosts(groups, group, options->hosts, fault);
  if (r < 0) {
    take_out(groups, group);
    rv_group_release(group);
  }
  return r;
}

/* ---- tunnels ---- */

void rv_group_add_tunnel(struct rv_group *group, reverst_tunnel *tunnel) {
  tunnel->group = group;
  rv_group_hold(group);
  rv_list_init(&tunnel->routes);
  rv_list_push(&group->tunnels, &tunnel->node);
  group->tunnel_count++;
}

void rv_group_remove_tunnel(reverst_tunnel *tunnel) {
  while (rv_list_pop(&tunnel->routes) != NULL)
    continue;
  rv_list_remove(&tunnel->node);
  tunnel->group->tunnel_count--;
}

static bool was_tried(
    const reverst_tunnel *tunnel, const uint64_t *tried, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (tried[i] == tunnel->id)
      return true;
  return false;
}

reverst_tunnel *rv_group_find_tunnel(const struct rv_group *group,
    const uint64_t *tried, size_t tried_count, bool *may_wait) {
  reverst_tunnel *suspect = NULL;

  *may_wait = false;
  rv_list_each(node, &group->tunnels) {
    reverst_tunnel *tunnel = rv_container_of(node, reverst_tunnel, node);

    if (!rv_tunnel_is_open(tunnel) || was_tried(tunnel, tried, tried_count))
      continue;
    if (rv_server_tunnel_streams_left(tunnel->carrier) == 0)
      *may_wait = true;
    else if (!rv_server_tunnel_is_suspect(tunnel->carrier))
      return tunnel;
    else if (suspect == NULL)
      suspect = tunnel;
  }
  /* Better to wait for one that answers than to be lost with one that does not.
   */
  return *may_wait ? NULL : suspect;
}

void rv_group_rotate(reverst_tunnel *tunnel) {
  rv_list_remove(&tunnel->node);
  rv_list_push(&tunnel->group->tunnels, &tunnel->node);
}
