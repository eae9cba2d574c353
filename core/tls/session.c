/* SPDX-License-Identifier: MIT */
/* TLS sessions in wolfSSL, over queues of slices. */
#include "tls/session.h"

#include "tls/peer.h"
#include <assert.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>

struct rv_tls_session {
  WOLFSSL *handle;
  struct rv_engine *engine;
  struct rv_tls_context *context;
  struct rv_slices input, output;
  bool any_input;
  bool is_tls; /* as far as the first byte tells */
  char reason[WOLFSSL_MAX_ERROR_SZ];
};

/* ---- what wolfSSL calls ---- */

static int receive(WOLFSSL *handle, char *data, int size, void *context) {
  struct rv_tls_session *session = context;
  struct iovec bytes;
  size_t length;

  (void)handle;
  if (rv_slices_peek(&session->input, 0, &bytes, 1) == 0)
    return WOLFSSL_CBIO_ERR_WANT_READ;
  length = bytes.iov_len < (size_t)size ? bytes.iov_len : (size_t)size;
  memcpy(data, bytes.iov_base, length);
  rv_slices_consume(&session->input, length);
  return (int)length;
}

static int emit(WOLFSSL *handle, char *data, int size, void *context) {
  struct rv_tls_session *session = context;

  (void)handle;
  return rv_slices_copy(
             &session->output, &session->engine->chunks, data, (size_t)size) < 0
             ? WOLFSSL_CBIO_ERR_GENERAL
             : size;
}

/* ---- reasons ---- */

static const char *words_of_alert(int code) {
  switch (code) {
  case 40: /* handshake_failure */
    return "the other side finds nothing in common";
  case 70: /* protocol_version */
    return "the other side speaks no TLS 1.2 or 1.3";
  case 112: /* unrecognized_name */
    return "the other side does not know this name";
  case 116: /* certificate_required */
    return "the other side wants a certificate of ours";
  case 120: /* no_application_protocol */
    return "the other side does not speak HTTP/1.1";
  default:
    return NULL;
  }
}

static const char *words_of(int error) {
  switch (error) {
  case ASN_NO_SIGNER_E:
  case ASN_SIG_CONFIRM_E: /* a root of the same name has another key */
    return "the certificate is not signed by anyone who is trusted here";
  case ASN_SELF_SIGNED_E:
    return "the certificate is signed by itself only";
  case DOMAIN_NAME_MISMATCH:
  case IPADDR_MISMATCH:
    return "the certificate is for other names";
  case ASN_AFTER_DATE_E:
    return "the certificate has expired";
  case ASN_BEFORE_DATE_E:
    return "the certificate is not valid yet";
  case VERIFY_CERT_ERROR: /* see require_name in context.c */
    return "the certificate is for other names (its subject does not count)";
  case VERSION_ERROR:
    return "the other side speaks no TLS 1.2 or 1.3";
  default:
    return NULL;
  }
}

static const char *choose_words(
    const struct rv_tls_session *session, int error) {
  WOLFSSL_ALERT_HISTORY history;

  if (session->any_input && !session->is_tls)
    return "the other side does not speak TLS here";
  if (error == FATAL_ERROR &&
      wolfSSL_get_alert_history(session->handle, &history) == WOLFSSL_SUCCESS)
    return words_of_alert(history.last_rx.code);
  return words_of(error);
}

static int fail(struct rv_tls_session *session, int error) {
  const char *words = choose_words(session, error);

  if (words != NULL)
    (void)snprintf(session->reason, sizeof(session->reason), "%s", words);
  else
    wolfSSL_ERR_error_string_n(
        (unsigned long)error, session->reason, sizeof(session->reason));
  return REVERST_ERR_TLS;
}

/* What a call that did not succeed means. */
static int result_of(struct rv_tls_session *session, int r) {
  int error = wolfSSL_get_error(session->handle, r);

  if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE)
    return REVERST_ERR_AGAIN;
  if (error == WOLFSSL_ERROR_ZERO_RETURN)
    return 0;
  return fail(session, error);
}

const char *rv_tls_session_reason(const struct rv_tls_session *session) {
  return session->reason;
}

/* ---- bytes ---- */

/* A record begins with its type, 20 to 23 (RFC 8446 section 5.1). */
int rv_tls_session_feed(struct rv_tls_session *session, struct rv_slice slice) {
  if (!session->any_input && slice.length > 0) {
    session->any_input = true;
    session->is_tls = slice.data[0] >= 20 && slice.data[0] <= 23;
  }
  return rv_slices_push(&session->input, slice);
}

struct rv_slices *rv_tls_session_output(struct rv_tls_session *session) {
  return &session->output;
}

int rv_tls_session_handshake(struct rv_tls_session *session) {
  int r;

  if (session->any_input && !session->is_tls)
    return fail(session, 0);
  r = wolfSSL_connect(session->handle);
  if (r == WOLFSSL_SUCCESS)
    return 0;
  r = result_of(session, r);
  return r == 0 ? fail(session, SOCKET_PEER_CLOSED_E) : r;
}

ssize_t rv_tls_session_read(
    struct rv_tls_session *session, void *data, size_t size) {
  int r = wolfSSL_read(session->handle, data, (int)size);

  return r > 0 ? r : result_of(session, r);
}

int rv_tls_session_write(
    struct rv_tls_session *session, const void *data, size_t length) {
  int r;

  assert(length > 0 && length <= RV_TLS_RECORD);
  r = wolfSSL_write(session->handle, data, (int)length);
  if (r == (int)length)
    return 0;
  return fail(session, wolfSSL_get_error(session->handle, r));
}

void rv_tls_session_end(struct rv_tls_session *session) {
  (void)wolfSSL_shutdown(session->handle);
}

/* ---- life ---- */

static int prepare(struct rv_tls_session *session,
    const struct rv_tls_session_options *options) {
  int r;

  session->handle = wolfSSL_new(rv_tls_context_handle(options->context));
  if (session->handle == NULL)
    return REVERST_ERR_NO_MEMORY;
  wolfSSL_SSLSetIORecv(session->handle, receive);
  wolfSSL_SSLSetIOSend(session->handle, emit);
  wolfSSL_SetIOReadCtx(session->handle, session);
  wolfSSL_SetIOWriteCtx(session->handle, session);
  wolfSSL_set_connect_state(session->handle);
  r = rv_tls_use_protocol(session->handle, options->alpn);
  if (r == 0)
    r = rv_tls_expect_name(
        session->handle, options->context, options->server_name);
  return r;
}

int rv_tls_session_new(struct rv_tls_session **session,
    const struct rv_tls_session_options *options) {
  struct rv_tls_session *made = calloc(1, sizeof(*made));
  int r;

  if (made == NULL)
    return REVERST_ERR_NO_MEMORY;
  made->engine = options->engine;
  made->context = rv_tls_context_ref(options->context);
  rv_slices_init(&made->input);
  rv_slices_init(&made->output);
  r = prepare(made, options);
  if (r < 0) {
    rv_tls_session_free(made);
    return r;
  }
  *session = made;
  return 0;
}

void rv_tls_session_free(struct rv_tls_session *session) {
  if (session == NULL)
    return;
  wolfSSL_free(session->handle);
  rv_slices_deinit(&session->input);
  rv_slices_deinit(&session->output);
  rv_tls_context_unref(session->context);
  free(session);
}
