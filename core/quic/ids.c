/* SPDX-License-Identifier: MIT */
/* Connection ids and where they lead. */
#include "quic/ids.h"

#include <assert.h>
#include <reverst/error.h>
#include <stdlib.h>

struct id {
  struct rv_map_node node;
  struct rv_list link; /* in the route's list */
  struct rv_quic_route *route;
  uint8_t bytes[RV_QUIC_MAX_ID];
};

static struct rv_span key_of(const uint8_t *bytes, size_t length) {
  return (struct rv_span){ (const char *)bytes, length };
}

void rv_quic_route_init(struct rv_quic_route *route) {
  *route = (struct rv_quic_route){ 0 };
  rv_list_init(&route->ids);
}

int rv_quic_ids_add(struct rv_map *map, struct rv_quic_route *route,
    const uint8_t *bytes, size_t length) {
  struct id *id;
  int r;

  assert(length <= RV_QUIC_MAX_ID);
  id = calloc(1, sizeof(*id));
  if (!id)
    return REVERST_ERR_NO_MEMORY;
  memcpy(id->bytes, bytes, length);
  r = rv_map_insert(map, &id->node, key_of(id->bytes, length));
  if (r < 0) {
    free(id);
    return r;
  }
  id->route = route;
  rv_list_push(&route->ids, &id->link);
  return 0;
}

static struct id *find(
    const struct rv_map *map, const uint8_t *bytes, size_t length) {
  struct rv_map_node *node = rv_map_find(map, key_of(bytes, length));

  return node ? rv_container_of(node, struct id, node) : NULL;
}

static void drop(struct rv_map *map, struct id *id) {
  rv_map_remove(map, &id->node);
  rv_list_remove(&id->link);
  free(id);
}

void rv_quic_ids_remove(
    struct rv_map *map, const uint8_t *bytes, size_t length) {
  struct id *id = find(map, bytes, length);

  if (id)
    drop(map, id);
}

struct rv_quic_route *rv_quic_ids_find(
    const struct rv_map *map, const uint8_t *bytes, size_t length) {
  struct id *id = find(map, bytes, length);

  return id ? id->route : NULL;
}

void rv_quic_ids_clear(struct rv_map *map, struct rv_quic_route *route) {
  struct rv_list *link;

  while ((link = rv_list_pop(&route->ids)) != NULL)
    drop(map, rv_container_of(link, struct id, link));
}

void rv_quic_ids_move(struct rv_quic_route *to, struct rv_quic_route *from) {
  rv_list_each(link, &from->ids) rv_container_of(link, struct id, link)->route =
      to;
  rv_list_append(&to->ids, &from->ids);
}
