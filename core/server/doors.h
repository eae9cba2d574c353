/* SPDX-License-Identifier: MIT */
/* The addresses of a front, which may change. */
#ifndef RV_SERVER_DOORS_H
#define RV_SERVER_DOORS_H

#include "event/tcp.h"

/* One address. */
struct rv_door;

/* Filled in by its owner, but for the list (rv_list_init). */
struct rv_doors {
  struct rv_loop *loop;
  struct rv_list list;
  /* Somebody came in: the callee owns `fd`. */
  void (*on_accept)(const struct rv_door *door, int fd,
      const struct rv_address *peer, void *user_data);
  /* It is closed for good, since its address was not set again. */
  void (*on_closed)(const struct rv_door *door, void *user_data);
  void *user_data;
};

/* Listens at these from now on, or, on failure, where it did: opens those that
   are new (REVERST_ERR_LISTEN, logged; REVERST_ERR_NO_MEMORY), then closes the
   others, which may overlap new ones (127.0.0.1:80 of 0.0.0.0:80). One that is
   there is known by its address as it was asked for, and as it was bound. */
int rv_doors_set(
    struct rv_doors *doors, const struct rv_address *addresses, size_t count);

/* All of them, without on_closed. */
void rv_doors_close(struct rv_doors *doors);

/* As bound, in the order in which they were set; NULL behind the last one. */
const struct rv_address *rv_doors_address(
    const struct rv_doors *doors, size_t index);

#endif
