/* SPDX-License-Identifier: MIT */
/* TLS sessions for QUIC connections. */
#include "quic/tls_session.h"

#include "tls/peer.h"
#include <ngtcp2/ngtcp2_crypto_wolfssl.h>
#include <reverst/error.h>

enum { TRANSPORT_PARAMETERS = 0x39 }; /* the extension, RFC 9001 8.2 */

int rv_quic_tls_prepare(struct rv_tls_context *context, bool server) {
  WOLFSSL_CTX *handle = rv_tls_context_handle(context);
  int r = server ? ngtcp2_crypto_wolfssl_configure_server_context(handle)
                 : ngtcp2_crypto_wolfssl_configure_client_context(handle);

  return r == 0 ? 0 : REVERST_ERR_TLS;
}

int rv_quic_tls_session_new(
    WOLFSSL **session, const struct rv_quic_tls_options *options) {
  WOLFSSL *made = wolfSSL_new(rv_tls_context_handle(options->context));
  int r;

  if (!made)
    return REVERST_ERR_NO_MEMORY;
  wolfSSL_set_app_data(made, options->reference);
  wolfSSL_set_quic_transport_version(made, TRANSPORT_PARAMETERS);
  r = rv_tls_use_protocol(made, options->alpn);
  if (options->server) {
    wolfSSL_set_accept_state(made);
  } else {
    wolfSSL_set_connect_state(made);
    if (r == 0)
      r = rv_tls_expect_name(made, options->context, options->server_name);
  }
  if (r < 0) {
    rv_quic_tls_session_free(made);
    return r;
  }
  *session = made;
  return 0;
}

void rv_quic_tls_session_free(WOLFSSL *session) {
  if (!session)
    return;
  wolfSSL_set_app_data(session, NULL);
  wolfSSL_free(session);
}

bool rv_quic_tls_session_agreed(WOLFSSL *session, const char *alpn) {
  char *name = NULL;
  unsigned short length = 0;

  if (!alpn)
    return true;
  return wolfSSL_ALPN_GetProtocol(session, &name, &length) == WOLFSSL_SUCCESS &&
         length == strlen(alpn) && memcmp(name, alpn, length) == 0;
}

struct rv_span rv_quic_tls_session_server_name(WOLFSSL *session) {
  void *name = NULL;
  unsigned short length =
      wolfSSL_SNI_GetRequest(session, WOLFSSL_SNI_HOST_NAME, &name);

  return (struct rv_span){ name, name ? length : 0 };
}
