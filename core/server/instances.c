/* SPDX-License-Identifier: MIT */
/* Who takes over from whom. */
#include "server/instances.h"

#include <stdlib.h>

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

static void replace(
    struct rv_instances *instances, struct rv_instance *instance) {
  rv_map_remove(&instances->current, &instance->node);
  rv_retirement_begin(
      instances->retirement, instance->tunnel, RV_REFUSAL_REPLACED, RV_NEVER);
}

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
  free(instance->key);
  instance->key = NULL;
}

void rv_instances_init(struct rv_instances *instances, struct rv_engine *engine,
    struct rv_retirement *retirement) {
  *instances = (struct rv_instances){ .retirement = retirement };
  rv_map_init(&instances->current, engine->hash_secret);
}

void rv_instances_deinit(struct rv_instances *instances) {
  rv_map_deinit(&instances->current);
}
