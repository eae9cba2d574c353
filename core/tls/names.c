/* SPDX-License-Identifier: MIT */
/* Comparing hosts with the names in certificates. */
#include "tls/names.h"

#include <arpa/inet.h>
#include <stdio.h>
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

/* "192.0.2.1" or "2001:db8::1"; empty for what is no address. */
static void print_address(
    const WOLFSSL_ASN1_STRING *bytes, char text[INET6_ADDRSTRLEN]) {
  int family = bytes->length == 4 ? AF_INET : AF_INET6;

  text[0] = '\0';
  if (bytes->length == 4 || bytes->length == 16)
    (void)inet_ntop(family, bytes->data, text, INET6_ADDRSTRLEN);
}

static bool is_same_address(const char *a, const char *b) {
  unsigned char bytes[2][16];

  for (int i = 0; i < 2; i++) {
    int family = i ? AF_INET6 : AF_INET;

    if (inet_pton(family, a, bytes[0]) == 1 &&
        inet_pton(family, b, bytes[1]) == 1)
      return memcmp(bytes[0], bytes[1], i ? 16 : 4) == 0;
  }
  return false;
}

static void add_name(char *names, size_t size, const char *name, int length) {
  size_t used = strlen(names);

  snprintf(
      names + used, size - used, "%s%.*s", used > 0 ? ", " : "", length, name);
}

/* Adds a name to the list; is it this host? */
static bool add_or_match(const WOLFSSL_GENERAL_NAME *name, const char *host,
    char *names, size_t size) {
  char address[INET6_ADDRSTRLEN];

  if (name == NULL)
    return false;
  if (name->type == GEN_DNS && name->d.dNSName->length > 0) {
    add_name(names, size, name->d.dNSName->data, name->d.dNSName->length);
    return is_for(name, without_dot(rv_span_of(host)));
  }
  if (name->type != GEN_IPADD)
    return false;
  print_address(name->d.iPAddress, address);
  add_name(names, size, address, (int)strlen(address));
  return is_same_address(address, host);
}

bool rv_tls_certificate_names(
    const char *path, const char *host, char *names, size_t size) {
  WOLFSSL_X509 *certificate =
      wolfSSL_X509_load_certificate_file(path, WOLFSSL_FILETYPE_PEM);
  WOLFSSL_GENERAL_NAMES *list;
  bool found = false;

  names[0] = '\0';
  if (certificate == NULL)
    return true;
  list = wolfSSL_X509_get_ext_d2i(
      certificate, WC_NID_subject_alt_name, NULL, NULL);
  for (int i = 0; !found && i < wolfSSL_sk_GENERAL_NAME_num(list); i++)
    found =
        add_or_match(wolfSSL_sk_GENERAL_NAME_value(list, i), host, names, size);
  wolfSSL_GENERAL_NAMES_free(list);
  wolfSSL_X509_free(certificate);
  return found;
}
