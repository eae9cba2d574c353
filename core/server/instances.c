/* SPDX-License-Identifier: MIT */
/* Who takes over from whom. */
#include "server/instances.h"

#include <stdlib.h>

/* How often tunnels that were replaced are looked at. */
#define PATROL (250 * RV_MILLISECOND)

static bool is_id(struct rv_span text) {
  if (text.length != RV_INSTANCE_LENGTH)
    return false;
  for (size_t i = 0; i < text.length; i++) {
    char c = text.data[i];

    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
      return false;
  }
  return true;
}

/* The id and the group's name; ids have one length. */
static char *make_key(struct rv_span id, const char *group) {
  size_t length = strlen(group);
  char *key = malloc(id.length + length + 1);

  if (key == NULL)
    return NULL;
  memcpy(key, id.data, id.length);
  memcpy(key + id.length, group, length + 1);
  return key;
}

/* ---- the one that was replaced ---- */

static void close_if_done(const struct rv_instance *instance, uint64_t now) {
  struct rv_server_tunnel *tunnel = instance->tunnel->carrier;

  if (rv_server_tunnel_active(tunnel) == 0 ||
      (now >= instance->judged_from && rv_server_tunnel_is_suspect(tunnel)))
    rv_server_tunnel_close(tunnel, RV_LINK_SERVER_ERROR, RV_SPAN("replaced"));
}

static void patrol_later(struct rv_instances *instances) {
  rv_timer_set(&instances->engine->timers, &instances->timer,
      instances->engine->now + PATROL);
}

static void on_timer(struct rv_timer *timer) {
  struct rv_instances *instances =
      rv_container_of(timer, struct rv_instances, timer);

  rv_list_each(node, &instances->replaced)
      close_if_done(rv_container_of(node, struct rv_instance, replaced),
          instances->engine->now);
  if (!rv_list_empty(&instances->replaced))
    patrol_later(instances);
}

/* The ping tells soon whether its answers can still come; it has a second to be
   answered, however long the tunnel had been silent before. */
static void replace(
    struct rv_instances *instances, struct rv_instance *instance) {
  rv_map_remove(&instances->current, &instance->node);
  instance->tunnel->replaced = true;
  rv_list_push(&instances->replaced, &instance->replaced);
  instance->judged_from = instances->engine->now + RV_SECOND;
  rv_server_tunnel_ping(instance->tunnel->carrier);
  close_if_done(instance, instances->engine->now);
  patrol_later(instances);
}

/* ---- the newcomer ---- */

void rv_instances_take_over(struct rv_instances *instances,
    struct rv_instance *instance, const struct rv_group *group,
    const struct rv_message *registration) {
  const struct rv_span *id = rv_message_find(registration, RV_INSTANCE_KEY);
  struct rv_map_node *older;
  struct rv_span key;

  if (id == NULL || !is_id(*id))
    return;
  instance->key = make_key(*id, group->name);
  if (instance->key == NULL)
    return;
  key = rv_span_of(instance->key);
  older = rv_map_find(&instances->current, key);
  if (older != NULL)
    replace(instances, rv_container_of(older, struct rv_instance, node));
  if (rv_map_insert(&instances->current, &instance->node, key) < 0)
    instance->node.key.data = NULL;
}

void rv_instances_remove(
    struct rv_instances *instances, struct rv_instance *instance) {
  rv_map_remove(&instances->current, &instance->node);
  rv_list_remove(&instance->replaced);
  free(instance->key);
  instance->key = NULL;
}

void rv_instances_init(
    struct rv_instances *instances, struct rv_engine *engine) {
  *instances = (struct rv_instances){ .engine = engine };
  rv_map_init(&instances->current, engine->hash_secret);
  rv_list_init(&instances->replaced);
  rv_timer_init(&instances->timer, on_timer);
}

void rv_instances_deinit(struct rv_instances *instances) {
  rv_timer_stop(&instances->engine->timers, &instances->timer);
  rv_map_deinit(&instances->current);
}
