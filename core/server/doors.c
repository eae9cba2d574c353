/* SPDX-License-Identifier: MIT */
/* A listener for each address; those that stay are left alone. */
#include "server/doors.h"

#include <reverst/error.h>
#include <stdlib.h>

struct rv_door {
  struct rv_list node;
  struct rv_doors *doors;
  struct rv_listener *listener;
  struct rv_address wanted; /* as asked for: the port may be 0 */
  bool kept;                /* it is among those that are set just now */
};

static struct rv_door *door_of(struct rv_list *node) {
  return rv_container_of(node, struct rv_door, node);
}

static void on_accept(int fd, const struct rv_address *peer, void *user_data) {
  const struct rv_door *door = user_data;

  door->doors->on_accept(door, fd, peer, door->doors->user_data);
}

static void close_door(struct rv_door *door) {
  rv_list_remove(&door->node);
  rv_listener_close(door->listener);
  free(door);
}

static int open_door(struct rv_doors *doors, const struct rv_address *address) {
  struct rv_door *door = calloc(1, sizeof(*door));
  struct rv_listener_options options = {
    .loop = doors->loop,
    .address = address,
    .on_accept = on_accept,
    .user_data = door,
  };
  int r;

  if (door == NULL)
    return REVERST_ERR_NO_MEMORY;
  door->doors = doors;
  door->wanted = *address;
  door->kept = true;
  r = rv_listener_open(&door->listener, &options);
  if (r < 0) {
    free(door);
    return r;
  }
  rv_list_push(&doors->list, &door->node);
  return 0;
}

static struct rv_door *find(
    const struct rv_doors *doors, const struct rv_address *address) {
  rv_list_each(node, &doors->list) {
    struct rv_door *door = door_of(node);

    if (rv_address_equal(&door->wanted, address) ||
        rv_address_equal(rv_listener_address(door->listener), address))
      return door;
  }
  return NULL;
}

/* Undoes what was opened: nobody can have come in yet. */
static void close_newest(struct rv_doors *doors, size_t count) {
  while (count-- > 0)
    close_door(door_of(doors->list.previous));
}

static void close_others(struct rv_doors *doors) {
  rv_list_each(node, &doors->list) {
    if (door_of(node)->kept)
      continue;
    doors->on_closed(door_of(node), doors->user_data);
    close_door(door_of(node));
  }
}

/* From the end, each before all others: one that is named twice has its first
   place. */
static void sort(
    struct rv_doors *doors, const struct rv_address *addresses, size_t count) {
  while (count-- > 0) {
    struct rv_door *door = find(doors, &addresses[count]);

    rv_list_remove(&door->node);
    rv_list_push(doors->list.next, &door->node);
  }
}

int rv_doors_set(
    struct rv_doors *doors, const struct rv_address *addresses, size_t count) {
  size_t opened = 0;

  rv_list_each(node, &doors->list) door_of(node)->kept = false;
  for (size_t i = 0; i < count; i++) {
    struct rv_door *door = find(doors, &addresses[i]);
    int r = 0;

    if (door != NULL)
      door->kept = true;
    else
      r = open_door(doors, &addresses[i]);
    if (r < 0) {
      close_newest(doors, opened);
      return r;
    }
    opened += door == NULL;
  }
  close_others(doors);
  sort(doors, addresses, count);
  return 0;
}

void rv_doors_close(struct rv_doors *doors) {
  while (!rv_list_empty(&doors->list))
    close_door(door_of(doors->list.next));
}

const struct rv_address *rv_doors_address(
    const struct rv_doors *doors, size_t index) {
  rv_list_each(node, &doors->list) {
    if (index-- == 0)
      return rv_listener_address(door_of(node)->listener);
  }
  return NULL;
}
