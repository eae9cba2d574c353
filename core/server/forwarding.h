/* SPDX-License-Identifier: MIT */
/* What a proxy adds to a request, and takes away, on its way to the origin. */
#ifndef RV_SERVER_FORWARDING_H
#define RV_SERVER_FORWARDING_H

#include "http/exchange.h"

/* Removes what only a proxy in front of us may say (X-Forwarded-*, X-Real-IP,
   Forwarded, X-Request-Id), then adds X-Forwarded-For, -Proto, -Host,
   X-Request-Id and Via (RFC 9110 section 7.6.3). REVERST_ERR_NO_MEMORY. */
int rv_add_forwarding_fields(struct rv_exchange *exchange);

#endif
