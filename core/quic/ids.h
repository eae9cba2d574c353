/* SPDX-License-Identifier: MIT */
/* Which connection a datagram belongs to: connection ids and stateless reset
   tokens, in maps with a keyed hash (peers choose some of them). */
#ifndef RV_QUIC_IDS_H
#define RV_QUIC_IDS_H

#include "base/list.h"
#include "base/map.h"

struct rv_quic_connection;
struct rv_quic_linger;

enum { RV_QUIC_MAX_ID = 20 }; /* bytes; RFC 9000 section 17.2 */

/* Where ids lead: to a connection, or to what is left of one. Exactly one of
   the two pointers is set. */
struct rv_quic_route {
  struct rv_list ids;
  struct rv_quic_connection *connection;
  struct rv_quic_linger *linger;
};

void rv_quic_route_init(struct rv_quic_route *route);

/* Up to RV_QUIC_MAX_ID bytes, copied. REVERST_ERR_EXISTS,
   REVERST_ERR_NO_MEMORY. */
int rv_quic_ids_add(struct rv_map *map, struct rv_quic_route *route,
    const uint8_t *bytes, size_t length);

/* Harmless when it is not in. */
void rv_quic_ids_remove(
    struct rv_map *map, const uint8_t *bytes, size_t length);

/* NULL: nobody's. */
struct rv_quic_route *rv_quic_ids_find(
    const struct rv_map *map, const uint8_t *bytes, size_t length);

/* All ids of a route. */
void rv_quic_ids_clear(struct rv_map *map, struct rv_quic_route *route);
void rv_quic_ids_move(struct rv_quic_route *to, struct rv_quic_route *from);

#endif
