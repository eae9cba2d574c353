/* SPDX-License-Identifier: MIT */
/* The tables of groups and hosts, and the built-in policy. */
#include "server/group.h"

#include "base/utf8.h"
#include "http/filter.h"
#include <reverst/error.h>
#include <stdlib.h>

void rv_groups_init(struct rv_groups *groups, const uint64_t secret[static 2]) {
  rv_map_init(&groups->names, secret);
  rv_map_init(&groups->hosts, secret);
}

static struct rv_group *group_of_name(struct rv_map_node *node) {
  return node ? rv_container_of(node, struct rv_group, node) : NULL;
}

static void free_group(struct rv_group *group) {
  for (size_t i = 0; i < group->host_count; i++)
    free(group->hosts[i].name);
  free(group->hosts);
  free(group->name);
  free(group);
}

static void take_out(struct rv_groups *groups, struct rv_group *group) {
  rv_map_remove(&groups->names, &group->node);
  for (size_t i = 0; i < group->host_count; i++)
    rv_map_remove(&groups->hosts, &group->hosts[i].node);
}

void rv_groups_deinit(struct rv_groups *groups) {
  struct rv_group *group;

  while ((group = group_of_name(rv_map_any(&groups->names))) != NULL) {
    take_out(groups, group);
    free_group(group);
  }
  rv_map_deinit(&groups->names);
  rv_map_deinit(&groups->hosts);
}

struct rv_group *rv_groups_find(
    const struct rv_groups *groups, struct rv_span name) {
  return group_of_name(rv_map_find(&groups->names, name));
}

struct rv_group *rv_groups_route(
    const struct rv_groups *groups, struct rv_span host) {
  struct rv_map_node *node = rv_map_find(&groups->hosts, host);

  return node ? rv_container_of(node, struct rv_group_host, node)->group : NULL;
}

/* ---- adding ---- */

/* The host as routing looks it up; NULL when out of memory. */
static char *normal_host(const char *host) {
  struct rv_arena arena;
  struct rv_span normal;
  char *copy;

  rv_arena_init(&arena);
  normal = rv_host_of_authority(&arena, rv_span_of(host));
  copy = normal.data ? calloc(1, normal.length + 1) : NULL;
  if (copy != NULL)
    memcpy(copy, normal.data, normal.length);
  rv_arena_deinit(&arena);
  return copy;
}

static bool is_host(const char *host) {
  const char *end_of_literal = strrchr(host, ']');
  const char *colon = strrchr(host, ':');

  return host[0] != '\0' && strchr(host, '*') == NULL &&
         rv_is_authority(rv_span_of(host)) &&
         (colon == NULL || (end_of_literal && colon < end_of_literal));
}

static int add_host(struct rv_groups *groups, struct rv_group *group,
    const char *host, struct rv_group_fault *fault) {
  struct rv_group_host *entry = &group->hosts[group->host_count];
  int r;

  fault->value = host;
  fault->what = "this is not a host name";
  if (!is_host(host))
    return REVERST_ERR_INVALID;
  entry->group = group;
  entry->name = normal_host(host);
  if (entry->name == NULL)
    return REVERST_ERR_NO_MEMORY;
  group->host_count++;
  r = rv_map_insert(&groups->hosts, &entry->node, rv_span_of(entry->name));
  if (r == REVERST_ERR_EXISTS)
    fault->what = "two groups claim this host";
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

static struct rv_group *new_group(const reverst_group_options *options) {
  struct rv_group *group = calloc(1, sizeof(*group));

  if (group == NULL)
    return NULL;
  group->name = strdup(options->name ? options->name : "");
  if (group->name == NULL) {
    free(group);
    return NULL;
  }
  group->authenticate = options->authenticate;
  group->insecure = options->insecure && options->authenticate == NULL;
  group->user_data = options->user_data;
  group->retries = options->retries ? options->retries : 2;
  if (options->retries == REVERST_NONE)
    group->retries = 0;
  group->response_timeout =
      options->response_timeout ? options->response_timeout : RV_NEVER;
  group->queue_timeout =
      options->queue_timeout ? options->queue_timeout : 30 * RV_SECOND;
  rv_list_init(&group->members);
  rv_list_init(&group->waiting);
  return group;
}

int rv_groups_add(struct rv_groups *groups,
    const reverst_group_options *options, struct rv_group_fault *fault) {
  struct rv_group *group;
  int r;

  *fault = (struct rv_group_fault){ "", options->name ? options->name : "" };
  if (options->authenticate == NULL && !options->insecure) {
    fault->what = "the group has neither authenticate nor insecure";
    return REVERST_ERR_NO_GROUP_AUTHENTICATION;
  }
  group = new_group(options);
  if (group == NULL)
    return REVERST_ERR_NO_MEMORY;
  r = add_name(groups, group, fault);
  if (r == 0)
    r = add_hosts(groups, group, options->hosts, fault);
  if (r < 0) {
    take_out(groups, group);
    free_group(group);
  }
  return r;
}

/* ---- members ---- */

void rv_group_add_member(struct rv_group *group, struct rv_member *member) {
  member->group = group;
  rv_list_init(&member->routes);
  rv_list_push(&group->members, &member->node);
  group->member_count++;
}

void rv_group_remove_member(struct rv_member *member) {
  while (rv_list_pop(&member->routes) != NULL)
    continue;
  rv_list_remove(&member->node);
  member->group->member_count--;
}

static bool was_tried(
    const struct rv_member *member, const uint64_t *tried, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (tried[i] == member->id)
      return true;
  return false;
}

struct rv_member *rv_group_find_member(const struct rv_group *group,
    const uint64_t *tried, size_t tried_count, bool *may_wait) {
  struct rv_member *suspect = NULL;

  *may_wait = false;
  rv_list_each(node, &group->members) {
    struct rv_member *member = rv_container_of(node, struct rv_member, node);

    if (member->replaced || !rv_server_tunnel_is_live(member->tunnel) ||
        rv_server_tunnel_is_draining(member->tunnel) ||
        was_tried(member, tried, tried_count))
      continue;
    if (rv_server_tunnel_streams_left(member->tunnel) == 0)
      *may_wait = true;
    else if (!rv_server_tunnel_is_suspect(member->tunnel))
      return member;
    else if (suspect == NULL)
      suspect = member;
  }
  /* Better to wait for one that answers than to be lost with one that does not.
   */
  return *may_wait ? NULL : suspect;
}

void rv_group_rotate(struct rv_member *member) {
  rv_list_remove(&member->node);
  rv_list_push(&member->group->members, &member->node);
}
