/* SPDX-License-Identifier: MIT */
/* TLS contexts over wolfSSL. */
#include "tls/wolfssl.h"

#include "base/log.h"
#include "tls/names.h"
#include <reverst/error.h>
#include <stdlib.h>

struct rv_tls_context {
  WOLFSSL_CTX *handle;
  unsigned references;
  bool verifies;
};

enum { MIN_RSA_BITS = 2048 }; /* RFC 9325 section 4.5 */

/* AES-128 first: hardware does it everywhere that matters. */
#define CIPHERS                                                                \
  "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"                           \
  "TLS13-CHACHA20-POLY1305-SHA256"

/* Of TLS 1.2 what is ephemeral and authenticated at once (RFC 9325). */
#define OLDER_CIPHERS                                                          \
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                 \
  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                 \
  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

WOLFSSL_CTX *rv_tls_context_handle(const struct rv_tls_context *context) {
  return context->handle;
}

bool rv_tls_context_verifies(const struct rv_tls_context *context) {
  return context->verifies;
}

struct rv_tls_context *rv_tls_context_ref(struct rv_tls_context *context) {
  context->references++;
  return context;
}

void rv_tls_context_unref(struct rv_tls_context *context) {
  if (!context || --context->references)
    return;
  wolfSSL_CTX_free(context->handle);
  wolfSSL_Cleanup();
  free(context);
}

static int set_algorithms(WOLFSSL_CTX *handle) {
  int groups[] = { WOLFSSL_X25519MLKEM768, WOLFSSL_ECC_X25519,
    WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1 };

  if (wolfSSL_CTX_set_groups(handle, groups,
          sizeof(groups) / sizeof(groups[0])) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_set_cipher_list(handle, CIPHERS) != WOLFSSL_SUCCESS)
    return REVERST_ERR_TLS;
  return 0;
}

/* wolfSSL counts its initialisations under a lock of its own, so each context
   holds one and nothing of ours is global. */
static int new_context(
    struct rv_tls_context **context, WOLFSSL_METHOD *method(void)) {
  struct rv_tls_context *made = calloc(1, sizeof(*made));
  int r;

  if (!made)
    return REVERST_ERR_NO_MEMORY;
  if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
    free(made);
    return REVERST_ERR_TLS;
  }
  made->references = 1;
  made->handle = wolfSSL_CTX_new(method());
  r = made->handle ? set_algorithms(made->handle) : REVERST_ERR_NO_MEMORY;
  if (r < 0) {
    rv_tls_context_unref(made);
    return r;
  }
  *context = made;
  return 0;
}

/* `otherwise`: what is wrong when the cause says nothing. */
static int complain(struct rv_engine *engine, int error, const char *event,
    const char *path, int cause, const char *otherwise) {
  char text[WOLFSSL_MAX_ERROR_SZ];

  snprintf(text, sizeof(text), "%s", otherwise);
  if (cause != WOLFSSL_SUCCESS && cause != WOLFSSL_FAILURE &&
      cause != ASN_NO_PEM_HEADER)
    wolfSSL_ERR_error_string_n((unsigned long)cause, text, sizeof(text));
  rv_log(engine, REVERST_LOG_ERROR, event, rv_log_text("path", path),
      rv_log_text("error", reverst_strerror(error)),
      rv_log_text("detail", text));
  return error;
}

static int load_pair(WOLFSSL_CTX *handle, struct rv_engine *engine,
    const struct rv_tls_server_options *options) {
  int r =
      wolfSSL_CTX_use_certificate_chain_file(handle, options->certificate_path);

  if (r != WOLFSSL_SUCCESS)
    return complain(engine, REVERST_ERR_CERTIFICATE, "certificate_unusable",
        options->certificate_path, r, "it has no certificate in PEM");
  r = wolfSSL_CTX_use_PrivateKey_file(
      handle, options->private_key_path, WOLFSSL_FILETYPE_PEM);
  if (r != WOLFSSL_SUCCESS)
    return complain(engine, REVERST_ERR_PRIVATE_KEY, "private_key_unusable",
        options->private_key_path, r, "it has no private key in PEM");
  r = wolfSSL_CTX_check_private_key(handle);
  if (r != WOLFSSL_SUCCESS)
    return complain(engine, REVERST_ERR_PRIVATE_KEY, "private_key_unusable",
        options->private_key_path, r, "it belongs to another certificate");
  return 0;
}

/* Any name is answered; that there is a callback makes wolfSSL keep the name
   for rv_quic_connection_server_name. */
static int accept_any_name(WOLFSSL *tls, int *alert, void *context) {
  (void)tls;
  (void)alert;
  (void)context;
  return 0;
}

int rv_tls_server_context_new(struct rv_tls_context **context,
    struct rv_engine *engine, const struct rv_tls_server_options *options) {
  struct rv_tls_context *made = NULL;
  int r = new_context(&made, wolfTLSv1_3_server_method);

  if (r < 0)
    return r;
  wolfSSL_CTX_set_servername_callback(made->handle, accept_any_name);
  /* A session is freed after its handshake: no tickets can be asked of it. */
  if (wolfSSL_CTX_no_ticket_TLSv13(made->handle) != 0)
    r = REVERST_ERR_TLS;
  else
    r = load_pair(made->handle, engine, options);
  if (r < 0) {
    rv_tls_context_unref(made);
    return r;
  }
  *context = made;
  return 0;
}

/* wolfSSL compares the host too, but with the subject where the SubjectAltName
   has none of the names that it knows, and with stars anywhere. An address is
   not compared with the subject. Roots are seen without a session. */
static int require_name(int preverified, WOLFSSL_X509_STORE_CTX *store) {
  WOLFSSL *session = wolfSSL_X509_STORE_CTX_get_ex_data(
      store, wolfSSL_get_ex_data_X509_STORE_CTX_idx());
  const char *host;

  if (!preverified || session == NULL ||
      wolfSSL_X509_STORE_CTX_get_error_depth(store) != 0)
    return preverified;
  host = wolfSSL_get0_param(session)->hostName;
  return *host == '\0' ||
         rv_tls_names_host(
             wolfSSL_X509_STORE_CTX_get_current_cert(store), host);
}

static int use_for_streams(WOLFSSL_CTX *handle) {
  wolfSSL_CTX_set_session_cache_mode(handle, WOLFSSL_SESS_CACHE_OFF);
  if (wolfSSL_CTX_SetMinVersion(handle, WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_set_cipher_list(handle, CIPHERS ":" OLDER_CIPHERS) !=
          WOLFSSL_SUCCESS)
    return REVERST_ERR_TLS;
  return 0;
}

static int load_roots(
    WOLFSSL_CTX *handle, struct rv_engine *engine, const char *ca_path) {
  int r;

  if (!ca_path) {
    if (wolfSSL_CTX_load_system_CA_certs(handle) == WOLFSSL_SUCCESS)
      return 0;
    return complain(engine, REVERST_ERR_CERTIFICATE, "system_roots_unusable",
        "(system)", 0, "there are none");
  }
  r = wolfSSL_CTX_load_verify_locations(handle, ca_path, NULL);
  if (r == WOLFSSL_SUCCESS)
    return 0;
  return complain(engine, REVERST_ERR_CERTIFICATE, "ca_file_unusable", ca_path,
      r, "it has no certificate in PEM");
}

int rv_tls_client_context_new(struct rv_tls_context **context,
    struct rv_engine *engine, const struct rv_tls_client_options *options) {
  struct rv_tls_context *made = NULL;
  int r = new_context(&made, options->for_streams ? wolfSSLv23_client_method
                                                  : wolfTLSv1_3_client_method);

  if (r < 0)
    return r;
  if (options->for_streams)
    r = use_for_streams(made->handle);
  made->verifies = !options->insecure;
  wolfSSL_CTX_set_verify(made->handle,
      made->verifies ? WOLFSSL_VERIFY_PEER : WOLFSSL_VERIFY_NONE, NULL);
  if (made->verifies && r == 0) {
    wolfSSL_CertManagerSetVerify(
        wolfSSL_CTX_GetCertManager(made->handle), require_name);
    (void)wolfSSL_CTX_SetMinRsaKey_Sz(made->handle, MIN_RSA_BITS);
    r = load_roots(made->handle, engine, options->ca_path);
  }
  if (r < 0) {
    rv_tls_context_unref(made);
    return r;
  }
  *context = made;
  return 0;
}
