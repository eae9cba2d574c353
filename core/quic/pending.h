/* SPDX-License-Identifier: MIT */
/* How many connections are not accepted yet: in all, and by address. */
#ifndef RV_QUIC_PENDING_H
#define RV_QUIC_PENDING_H

#include "base/address.h"
#include "base/map.h"

struct rv_quic_pending {
  struct rv_map addresses;
  size_t count, limit, limit_per_address;
};

/* Zero limits: 16 384 and 256. */
void rv_quic_pending_init(struct rv_quic_pending *pending,
    const uint64_t secret[static 2], size_t limit, size_t limit_per_address);
void rv_quic_pending_deinit(struct rv_quic_pending *pending); /* empty */

/* Does half of what is allowed to this address wait already? Whoever forges it
   shall not lock its owner out. */
bool rv_quic_pending_is_crowded(
    const struct rv_quic_pending *pending, const struct rv_address *address);

/* Counts one more from this address. REVERST_ERR_LIMIT, REVERST_ERR_NO_MEMORY:
   refuse it. */
int rv_quic_pending_add(
    struct rv_quic_pending *pending, const struct rv_address *address);

/* One that was added from this address is no longer pending. */
void rv_quic_pending_remove(
    struct rv_quic_pending *pending, const struct rv_address *address);

#endif
