/* SPDX-License-Identifier: MIT */
/* Names and protocols that a session asks for. */
#include "tls/peer.h"

#include <arpa/inet.h>
#include <reverst/error.h>

enum { MAX_NAME = 253 };

int rv_tls_use_protocol(WOLFSSL *session, const char *alpn) {
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

/* The host of the parameters is what require_name in context.c reads. */
static int check_host(WOLFSSL *session, const char *name) {
  if (is_address(name))
    return wolfSSL_check_ip_address(session, name);
  return wolfSSL_X509_VERIFY_PARAM_set1_host(
      wolfSSL_get0_param(session), name, (unsigned)strlen(name));
}

int rv_tls_expect_name(
    WOLFSSL *session, const struct rv_tls_context *context, const char *name) {
  size_t length = name ? strlen(name) : 0;

  if (length > MAX_NAME)
    return REVERST_ERR_INVALID;
  if (length > 0 && !is_address(name) &&
      wolfSSL_UseSNI(session, WOLFSSL_SNI_HOST_NAME, name,
          (unsigned short)length) != WOLFSSL_SUCCESS)
    return REVERST_ERR_TLS;
  if (!rv_tls_context_verifies(context))
    return 0;
  if (length == 0 || check_host(session, name) != WOLFSSL_SUCCESS)
    return REVERST_ERR_INVALID;
  return 0;
}
