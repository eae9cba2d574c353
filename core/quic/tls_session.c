/* SPDX-License-Identifier: MIT */
/* TLS sessions for QUIC connections. */
#include "quic/tls_session.h"

#include <arpa/inet.h>
#include <ngtcp2/ngtcp2_crypto_wolfssl.h>
#include <reverst/error.h>

enum {
  TRANSPORT_PARAMETERS = 0x39, /* the extension's number, RFC 9001 8.2 */
  MAX_NAME = 253
};

int rv_quic_tls_prepare(struct rv_tls_context *context, bool server) {
  WOLFSSL_CTX *handle = rv_tls_context_handle(context);
  int r = server ? ngtcp2_crypto_wolfssl_configure_server_context(handle)
                 : ngtcp2_crypto_wolfssl_configure_client_context(handle);

  return r == 0 ? 0 : REVERST_ERR_TLS;
}

static int use_alpn(WOLFSSL *session, const char *alpn) {
  char list[64];
  size_t length = alpn ? strlen(alpn) : 0;

  if (length == 0)
    return 0;
  if (length >= sizeof(list))
    return REVERST_ERR_INVALID;
  memcpy(list, alpn, length + 1); /* wolfSSL wants it writable */
  return wolfSSL_UseALPN(session, list, (unsigned)length,
             WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS
             ? 0
             : REVERST_ERR_TLS;
}

static bool is_address(const char *name) {
  uint8_t bytes[16];

  return inet_pton(AF_INET, name, bytes) == 1 ||
         inet_pton(AF_INET6, name, bytes) == 1;
}

/* wolfSSL_check_domain_name takes only names with a dot. */
static int check_host(WOLFSSL *session, const char *name) {
  if (is_address(name))
    return wolfSSL_check_ip_address(session, name);
  if (wolfSSL_check_domain_name(session, name) == WOLFSSL_SUCCESS)
    return WOLFSSL_SUCCESS;
  return wolfSSL_X509_VERIFY_PARAM_set1_host(
      wolfSSL_get0_param(session), name, (unsigned)strlen(name));
}

static int set_server_name(
    WOLFSSL *session, const struct rv_quic_tls_options *options) {
  const char *name = options->server_name ? options->server_name : "";
  size_t length = strlen(name);

  if (length > MAX_NAME)
    return REVERST_ERR_INVALID;
  if (length > 0 && !is_address(name) && /* RFC 6066 section 3 */
      wolfSSL_UseSNI(session, WOLFSSL_SNI_HOST_NAME, name,
          (unsigned short)length) != WOLFSSL_SUCCESS)
    return REVERST_ERR_TLS;
  if (!rv_tls_context_verifies(options->context))
    return 0;
  if (length == 0 || check_host(session, name) != WOLFSSL_SUCCESS)
    return REVERST_ERR_INVALID;
  return 0;
}

int rv_quic_tls_session_new(
    WOLFSSL **session, const struct rv_quic_tls_options *options) {
  WOLFSSL *made = wolfSSL_new(rv_tls_context_handle(options->context));
  int r;

  if (!made)
    return REVERST_ERR_NO_MEMORY;
  wolfSSL_set_app_data(made, options->reference);
  wolfSSL_set_quic_transport_version(made, TRANSPORT_PARAMETERS);
  r = use_alpn(made, options->alpn);
  if (options->server) {
    wolfSSL_set_accept_state(made);
  } else {
    wolfSSL_set_connect_state(made);
    if (r == 0)
      r = set_server_name(made, options);
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
