/* SPDX-License-Identifier: MIT */
/* TLS contexts: certificates, keys, roots and what may be negotiated. */
#ifndef RV_TLS_CONTEXT_H
#define RV_TLS_CONTEXT_H

#include "base/engine.h"
#include "base/span.h"
#include <stdbool.h>

/* Opaque: only tls/ and quic/ know wolfSSL. Reference counted: sessions made
   from it keep it alive, so that certificates can be exchanged at run time. */
struct rv_tls_context;

struct rv_tls_server_options {
  const char *certificate_path; /* PEM, leaf first, then the chain */
  const char *private_key_path; /* PEM */
};

/* For QUIC (RFC 9001): TLS 1.3 only, no tickets, no early data. On failure an
   entry that names the file is logged: REVERST_ERR_CERTIFICATE,
   REVERST_ERR_PRIVATE_KEY (also: does not belong to the certificate),
   REVERST_ERR_TLS, REVERST_ERR_NO_MEMORY. */
int rv_tls_server_context_new(struct rv_tls_context **context,
    struct rv_engine *engine, const struct rv_tls_server_options *options);

/* Unless `insecure`, the peer's certificate must lead to one of the roots, be
   valid now, and name the host in its SubjectAltName; RSA keys have 2 048 bits
   or more. */
struct rv_tls_client_options {
  const char *ca_path; /* PEM file; NULL: the system's roots */
  bool insecure;       /* the peer's certificate is not checked at all */
  bool for_streams;    /* TLS 1.2 as well, over TCP (see tls/session.h); else
                          what QUIC may use: TLS 1.3 only */
};

int rv_tls_client_context_new(struct rv_tls_context **context,
    struct rv_engine *engine, const struct rv_tls_client_options *options);

struct rv_tls_context *rv_tls_context_ref(struct rv_tls_context *context);
void rv_tls_context_unref(struct rv_tls_context *context); /* NULL is fine */

/* Does the certificate (the first of a PEM file) name this DNS name or IP
   address in its SubjectAltName? If not, `names` has those that it does name,
   "a.test, 192.0.2.1", cut to the size. What cannot be read is a yes. */
bool rv_tls_certificate_names(
    const char *path, const char *host, char *names, size_t size);

/* Makes a self-signed development certificate (P-256, 397 days) for a DNS name
   or an IP address, and its private key (mode 0600). Existing files are not
   overwritten: REVERST_ERR_EXISTS. REVERST_ERR_SYSTEM: see errno. */
int rv_tls_make_certificate(const char *name, const char *certificate_path,
    const char *private_key_path);

#endif
