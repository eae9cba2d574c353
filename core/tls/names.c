/* SPDX-License-Identifier: MIT */
/* Comparing hosts with the names in certificates. */
#include "tls/names.h"

#include <wolfssl/openssl/x509v3.h>

/* One at the end means the root only. */
static struct rv_span without_dot(struct rv_span name) {
  if (name.length > 0 && name.data[name.length - 1] == '.')
    name.length--;
  return name;
}

static struct rv_span behind(struct rv_span name, size_t length) {
  return (struct rv_span){ name.data + length, name.length - length };
}

static bool matches(struct rv_span pattern, struct rv_span host) {
  const char *dot;

  if (host.length == 0)
    return false;
  if (pattern.length > 2 && memcmp(pattern.data, "*.", 2) == 0) {
    dot = memchr(host.data, '.', host.length);
    if (dot == NULL || dot == host.data)
      return false;
    host = behind(host, (size_t)(dot - host.data));
    pattern = behind(pattern, 1);
  }
  return pattern.length > 0 && rv_span_equal_nocase(pattern, host);
}

static bool is_for(const WOLFSSL_GENERAL_NAME *name, struct rv_span host) {
  struct rv_span pattern;

  if (name == NULL || name->type != GEN_DNS || name->d.dNSName->length <= 0)
    return false;
  pattern.data = name->d.dNSName->data;
  pattern.length = (size_t)name->d.dNSName->length;
  return matches(without_dot(pattern), host);
}

bool rv_tls_names_host(const WOLFSSL_X509 *certificate, const char *host) {
  WOLFSSL_GENERAL_NAMES *names = wolfSSL_X509_get_ext_d2i(
      certificate, WC_NID_subject_alt_name, NULL, NULL);
  bool found = false;

  for (int i = 0; !found && i < wolfSSL_sk_GENERAL_NAME_num(names); i++)
    found = is_for(
        wolfSSL_sk_GENERAL_NAME_value(names, i), without_dot(rv_span_of(host)));
  wolfSSL_GENERAL_NAMES_free(names);
  return found;
}
