/* SPDX-License-Identifier: MIT */
/* What a session asks of its peer: for tls/ and quic/ only. */
#ifndef RV_TLS_PEER_H
#define RV_TLS_PEER_H

#include "tls/wolfssl.h"

/* Offers, or takes, this protocol only (ALPN, RFC 7301); NULL or "": none.
   REVERST_ERR_INVALID (too long), REVERST_ERR_TLS. */
int rv_tls_use_protocol(WOLFSSL *session, const char *alpn);

/* A client's: asks for this DNS name (SNI, RFC 6066 section 3: not for IP
   addresses), and expects it in the certificate if peers are verified.
   REVERST_ERR_INVALID (no name, too long), REVERST_ERR_TLS. */
int rv_tls_expect_name(
    WOLFSSL *session, const struct rv_tls_context *context, const char *name);

#endif
