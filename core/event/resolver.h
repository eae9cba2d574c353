/* SPDX-License-Identifier: MIT */
/* Names to addresses, without blocking: libevent's evdns. */
#ifndef RV_EVENT_RESOLVER_H
#define RV_EVENT_RESOLVER_H

#include "base/address.h"
#include "event/loop.h"

enum { RV_RESOLVER_MAX_ADDRESSES = 8 };

struct rv_resolver;
struct rv_resolution; /* one question under way */

int rv_resolver_new(struct rv_resolver **resolver, struct rv_loop *loop);
void rv_resolver_free(struct rv_resolver *resolver); /* cancels all */

/* `host` may be a name or a literal (brackets taken off). /etc/hosts is
   honoured, "localhost" and literals are never asked for; answers are kept for
   30 s; 5 s in all. The callback comes once, later (never within this call):
   REVERST_ERR_RESOLVE or REVERST_ERR_TIMEOUT with count 0. */
typedef void (*rv_resolved)(int error, const struct rv_address *addresses,
    size_t count, void *user_data);
int rv_resolver_resolve(struct rv_resolver *resolver,
    struct rv_resolution **resolution, struct rv_span host, uint16_t port,
    rv_resolved on_resolved, void *user_data);
void rv_resolver_cancel(struct rv_resolution *resolution);

#endif
