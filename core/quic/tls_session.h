/* SPDX-License-Identifier: MIT */
/* The TLS session of one QUIC connection (RFC 9001) in wolfSSL. */
#ifndef RV_QUIC_TLS_SESSION_H
#define RV_QUIC_TLS_SESSION_H

#include "tls/wolfssl.h"
#include <ngtcp2/ngtcp2_crypto.h>

struct rv_quic_tls_options {
  struct rv_tls_context *context;
  ngtcp2_crypto_conn_ref *reference; /* must outlive the session */
  bool server;
  const char *alpn;        /* NULL: none is offered, a client's only */
  const char *server_name; /* a client's: DNS name or IP address */
};

/* Makes a context fit for QUIC sessions; more than once is fine.
   REVERST_ERR_TLS. */
int rv_quic_tls_prepare(struct rv_tls_context *context, bool server);

/* REVERST_ERR_NO_MEMORY, REVERST_ERR_TLS, REVERST_ERR_INVALID (server_name). */
int rv_quic_tls_session_new(
    WOLFSSL **session, const struct rv_quic_tls_options *options);

/* Never within a callback of ngtcp2. NULL is fine. */
void rv_quic_tls_session_free(WOLFSSL *session);

/* After the handshake: did both agree on this protocol? wolfSSL does not
   refuse a peer that names none. */
bool rv_quic_tls_session_agreed(WOLFSSL *session, const char *alpn);

/* The name that the client asked for; empty: none. Valid with the session. */
struct rv_span rv_quic_tls_session_server_name(WOLFSSL *session);

#endif
