/* SPDX-License-Identifier: MIT */
/* A listener for each address; those that stay are left alone. */
#include "server/doors.h"

#include "event/socket.h"
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

static bool is_internet(const struct rv_address *address) {
  return address->any.sa_family == AF_INET ||
         address->any.sa_family == AF_INET6;
}

/* sin_port and sin6_port have the same place */
static bool overlap(const struct rv_address *a, const struct rv_address *b) {
  return is_internet(a) && is_internet(b) && a->v4.sin_port == b->v4.sin_port &&
         (rv_address_is_wildcard(a) || rv_address_is_wildcard(b));
}

/* One that takes the place of others that overlap it is open before they close:
   no visitor finds nobody there. Gives whether there are any. */
static bool let_beside(
    struct rv_doors *doors, const struct rv_address *address, bool may) {
  bool found = false;

  rv_list_each(node, &doors->list) {
    struct rv_listener *listener = door_of(node)->listener;

    if (door_of(node)->kept || !overlap(rv_listener_address(listener), address))
      continue;
    rv_listener_let_beside(listener, may);
    found = true;
  }
  return found;
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
  options.beside = let_beside(doors, address, true);
  r = rv_listener_open(&door->listener, &options);
  if (options.beside)
    let_beside(doors, address, false);
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
    rv_list_push_first(&doors->list, &door->node);
  }
}

static void mark_kept(
    struct rv_doors *doors, const struct rv_address *addresses, size_t count) {
  rv_list_each(node, &doors->list) door_of(node)->kept = false;
  for (size_t i = 0; i < count; i++) {
    struct rv_door *door = find(doors, &addresses[i]);

    if (door != NULL)
      door->kept = true;
  }
}

int rv_doors_set(
    struct rv_doors *doors, const struct rv_address *addresses, size_t count) {
  size_t opened = 0;

  mark_kept(doors, addresses, count);
  for (size_t i = 0; i < count; i++) {
    int r;

    if (find(doors, &addresses[i]) != NULL)
      continue;
    r = open_door(doors, &addresses[i]);
    if (r < 0) {
      close_newest(doors, opened);
      return r;
    }
    opened++;
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
