/* SPDX-License-Identifier: MIT */
/* A TLS session over memory (RFC 8446, RFC 5246): ciphertext in, ciphertext
   out; who moves it is another's business. The client's role. */
#ifndef RV_TLS_SESSION_H
#define RV_TLS_SESSION_H

#include "base/slices.h"
#include "tls/context.h"
#include <sys/types.h>

enum { RV_TLS_RECORD = 16384 }; /* bytes of plaintext in one record, at most */

struct rv_tls_session;

struct rv_tls_session_options {
  struct rv_engine *engine;
  struct rv_tls_context *context; /* made for streams; kept by a reference */
  const char *server_name;        /* DNS name or IP address, without brackets */
  const char *alpn;               /* NULL: none is offered */
};

/* REVERST_ERR_NO_MEMORY, REVERST_ERR_TLS, REVERST_ERR_INVALID (server_name). */
int rv_tls_session_new(struct rv_tls_session **session,
    const struct rv_tls_session_options *options);
void rv_tls_session_free(struct rv_tls_session *session); /* NULL is fine */

/* Owns the slice of ciphertext. REVERST_ERR_NO_MEMORY. */
int rv_tls_session_feed(struct rv_tls_session *session, struct rv_slice slice);

/* What is to be sent: the caller consumes it. Any call here may add to it. */
struct rv_slices *rv_tls_session_output(struct rv_tls_session *session);

/* Goes on with what there is: 0 (it is complete), REVERST_ERR_AGAIN (the peer's
   turn), REVERST_ERR_TLS. */
int rv_tls_session_handshake(struct rv_tls_session *session);

/* After the handshake: how many bytes of plaintext; 0: the peer has said that
   no more comes; REVERST_ERR_AGAIN; REVERST_ERR_TLS. */
ssize_t rv_tls_session_read(
    struct rv_tls_session *session, void *data, size_t size);

/* Encrypts all of at most RV_TLS_RECORD bytes. REVERST_ERR_TLS. */
int rv_tls_session_write(
    struct rv_tls_session *session, const void *data, size_t length);

/* Says that no more comes (close_notify). */
void rv_tls_session_end(struct rv_tls_session *session);

/* Why the last call gave REVERST_ERR_TLS, for people: "the certificate has
   expired". */
const char *rv_tls_session_reason(const struct rv_tls_session *session);

#endif
