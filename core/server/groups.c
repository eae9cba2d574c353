/* SPDX-License-Identifier: MIT */
/* Groups are found by names and hosts, and exchanged all at once. */
#include "server/groups.h"

#include "base/utf8.h"
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
  group = rv_group_new(groups->engine, options);
  if (group == NULL)
    return REVERST_ERR_NO_MEMORY;
  r = add_name(groups, group, fault);
  if (r == 0)
    r = add_hosts(groups, group, options->hosts, fault);
  if (r == REVERST_ERR_NO_MEMORY)
    fault->what = "";
  if (r < 0) {
    take_out(groups, group);
    rv_group_release(group);
  }
  return r;
}

/* ---- exchanging ---- */

static void own_hosts(struct rv_group *group) {
  for (size_t i = 0; i < group->host_count; i++)
    group->hosts[i].group = group;
}

/* `group`, which is in no table, takes the place of `fresh`. Where one was
   taken out there is room for one: nothing can fail. */
static void take_place(
    struct rv_groups *groups, struct rv_group *group, struct rv_group *fresh) {
  struct rv_host *hosts = group->hosts;
  size_t host_count = group->host_count;

  rv_map_remove(&groups->names, &fresh->node);
  (void)rv_map_insert(&groups->names, &group->node, rv_span_of(group->name));
  rv_group_exchange_options(group, fresh);
  group->hosts = fresh->hosts;
  group->host_count = fresh->host_count;
  own_hosts(group);
  fresh->hosts = hosts;
  fresh->host_count = host_count;
  rv_group_release(fresh);
}

void rv_groups_exchange(struct rv_groups *groups, struct rv_groups *fresh,
    struct rv_list *removed) {
  struct rv_group *group, *other;

  while ((group = group_of_name(rv_map_any(&groups->names))) != NULL) {
    take_out(groups, group);
    other = rv_groups_find(fresh, rv_span_of(group->name));
    if (other != NULL) {
      take_place(fresh, group, other);
      continue;
    }
    group->removed = true;
    rv_list_push(removed, &group->leaving);
  }
  rv_groups_deinit(groups);
  *groups = *fresh;
  rv_groups_init(fresh, groups->engine);
}
