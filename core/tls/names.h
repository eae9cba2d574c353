/* SPDX-License-Identifier: MIT */
/* Which hosts a certificate stands for: for tls/ only. */
#ifndef RV_TLS_NAMES_H
#define RV_TLS_NAMES_H

#include "tls/wolfssl.h"

/* Is this DNS name among those in the certificate's SubjectAltName (RFC 9525
   section 6.3)? A star is the whole first label, or no star; other kinds of
   names, and the subject, do not count. false as well: out of memory. */
bool rv_tls_names_host(const WOLFSSL_X509 *certificate, const char *host);

#endif
