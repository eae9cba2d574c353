/* SPDX-License-Identifier: MIT */
/* HKDF over wolfSSL. */
#include "tls/secret.h"

#include "base/log.h"
#include "tls/wolfssl.h"
#include <errno.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/hmac.h>

enum { MAX_FILE = 65536 };

/* Not a secret: it keeps our use of the key apart from all others. */
static const char salt[] = "reverst secrets 1";

static int complain(struct rv_engine *engine, int error, const char *event,
    const char *path, const char *detail) {
  rv_log(engine, REVERST_LOG_ERROR, event, rv_log_text("path", path),
      rv_log_text("error", reverst_strerror(error)),
      rv_log_text("detail", detail));
  return error;
}

/* Up to MAX_FILE + 1 bytes into `content`; NULL and their number, or why not.
   Unbuffered: the library's own copy could not be wiped. */
static const char *read_file(
    const char *path, uint8_t *content, size_t *length) {
  FILE *file = fopen(path, "rbe");
  const char *why = NULL;

  if (!file)
    return strerror(errno);
  setvbuf(file, NULL, _IONBF, 0);
  errno = 0;
  *length = fread(content, 1, MAX_FILE + 1, file);
  if (ferror(file))
    why = strerror(errno);
  else if (*length > MAX_FILE)
    why = "it is larger than 64 KiB";
  fclose(file);
  return why;
}

static int extract(
    struct rv_secret_root *root, const uint8_t *material, size_t length) {
  return wc_HKDF_Extract(WC_SHA256, (const byte *)salt, sizeof(salt) - 1,
             material, (word32)length, root->bytes) == 0
             ? 0
             : REVERST_ERR_TLS;
}

int rv_secret_root_read(
    struct rv_secret_root *root, struct rv_engine *engine, const char *path) {
  uint8_t *content = malloc(MAX_FILE + 1);
  const char *why;
  size_t length = 0;
  int r;

  if (!content)
    return REVERST_ERR_NO_MEMORY;
  why = read_file(path, content, &length);
  if (!why && length < RV_SECRET_SIZE)
    why = "it has fewer than 32 bytes";
  r = why ? complain(engine, REVERST_ERR_SECRET, "secret_unusable", path, why)
          : extract(root, content, length);
  explicit_bzero(content, length);
  free(content);
  return r;
}

/* The key's bytes without the text around them: lines may be broken anew. */
static int extract_key(
    struct rv_secret_root *root, const uint8_t *pem, size_t length) {
  uint8_t *der = malloc(length);
  int n, r = REVERST_ERR_PRIVATE_KEY;

  if (!der)
    return REVERST_ERR_NO_MEMORY;
  n = wc_KeyPemToDer(pem, (int)length, der, (int)length, NULL);
  if (n > 0) {
    r = extract(root, der, (size_t)n);
    explicit_bzero(der, (size_t)n);
  }
  free(der);
  return r;
}

int rv_secret_root_read_private_key(
    struct rv_secret_root *root, struct rv_engine *engine, const char *path) {
  uint8_t *content = malloc(MAX_FILE + 1);
  const char *why;
  size_t length = 0;
  int r = REVERST_ERR_PRIVATE_KEY;

  if (!content)
    return REVERST_ERR_NO_MEMORY;
  why = read_file(path, content, &length);
  if (!why && length > 0)
    r = extract_key(root, content, length);
  if (r == REVERST_ERR_PRIVATE_KEY)
    complain(engine, r, "private_key_unusable", path, why ? why : "no PEM");
  explicit_bzero(content, length);
  free(content);
  return r;
}

int rv_secret_derive(const struct rv_secret_root *root, const char *label,
    uint8_t secret[static RV_SECRET_SIZE]) {
  return wc_HKDF_Expand(WC_SHA256, root->bytes, sizeof(root->bytes),
             (const byte *)label, (word32)strlen(label), secret,
             RV_SECRET_SIZE) == 0
             ? 0
             : REVERST_ERR_TLS;
}
