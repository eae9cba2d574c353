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

/* Other files than /etc/resolv.conf and /etc/hosts; NULL: as it was. Copied.
   Before the first question. REVERST_ERR_NO_MEMORY. */
int rv_resolver_set_files(struct rv_resolver *resolver,
    const char *resolv_conf_path, const char *hosts_path);

/* `host` may be a name or a literal (brackets taken off). /etc/hosts is
   honoured, "localhost" (RFC 6761 section 6.3) and literals are never asked
   for; answers are kept for 30 s, as long as neither file changes; 5 s in all.
   Addresses that no route leads to come last, else IPv6 and IPv4 take turns
   (after RFC 8305 section 4). The callback comes once, later (never within this
   call), and ends the resolution: REVERST_ERR_RESOLVE or REVERST_ERR_TIMEOUT
   with count 0. The call itself fails with REVERST_ERR_NO_MEMORY, or with
   REVERST_ERR_LIMIT when 1 024 names are being asked for. */
typedef void (*rv_resolved)(int error, const struct rv_address *addresses,
    size_t count, void *user_data);
int rv_resolver_resolve(struct rv_resolver *resolver,
    struct rv_resolution **resolution, struct rv_span host, uint16_t port,
    rv_resolved on_resolved, void *user_data);

/* No callback comes any more. NULL is fine. */
void rv_resolver_cancel(struct rv_resolution *resolution);

/* Names that are kept or being asked for: at most 1 024. */
size_t rv_resolver_count(const struct rv_resolver *resolver);

#endif
