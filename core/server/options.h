/* SPDX-License-Identifier: MIT */
/* What a server's options mean. Each function logs which option is at fault,
   and why. */
#ifndef RV_SERVER_OPTIONS_H
#define RV_SERVER_OPTIONS_H

#include "base/address.h"
#include "quic/endpoint.h"
#include "tls/secret.h"
#include <reverst/server.h>

/* Is there what must be there? REVERST_ERR_INVALID. */
int rv_server_options_check(
    struct rv_engine *engine, const reverst_server_options *options);

/* REVERST_ERR_ADDRESS */
int rv_server_options_tunnel_address(struct rv_engine *engine,
    const reverst_server_options *options, struct rv_address *address);

enum { RV_SERVER_MAX_ADDRESSES = 16 };

/* As of http.addresses, or else http.address. REVERST_ERR_LIMIT: too many. */
struct rv_http_addresses {
  struct rv_address items[RV_SERVER_MAX_ADDRESSES];
  size_t count;
};
int rv_server_options_http_addresses(struct rv_engine *engine,
    const char *address, const char *const *list,
    struct rv_http_addresses *addresses);

/* As rv_tls_server_context_new. */
int rv_server_options_tls(struct rv_engine *engine,
    const reverst_server_options *options, struct rv_tls_context **context);

/* What QUIC needs, and what the application's secrets are derived from. Wipe
   both. REVERST_ERR_SECRET, REVERST_ERR_PRIVATE_KEY, REVERST_ERR_TLS,
   REVERST_ERR_NO_MEMORY. */
int rv_server_options_secrets(struct rv_engine *engine,
    const reverst_server_options *options, struct rv_quic_secrets *secrets,
    struct rv_secret_root *application);

#endif
