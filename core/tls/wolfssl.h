/* SPDX-License-Identifier: MIT */
/* What of a TLS context only tls/ and quic/ may see: wolfSSL itself. */
#ifndef RV_TLS_WOLFSSL_H
#define RV_TLS_WOLFSSL_H

#include "tls/context.h"

/* options.h decides how the headers after it read */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

/* The context's; do not free. */
WOLFSSL_CTX *rv_tls_context_handle(const struct rv_tls_context *context);

/* Must peers be verified (a client without `insecure`)? */
bool rv_tls_context_verifies(const struct rv_tls_context *context);

#endif
