/* SPDX-License-Identifier: MIT */
/* Hashes of wolfCrypt, and randomness of the system. */
#include <reverst/crypto.h>

#include "tls/wolfssl.h"
#include <errno.h>
#include <reverst/error.h>
#include <sys/random.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/sha256.h>

/* wolfCrypt counts in 32 bits */
enum { MAX_PIECE = 1 << 30 };

static int error_of(int r) {
  return r == MEMORY_E ? REVERST_ERR_NO_MEMORY : REVERST_ERR_TLS;
}

static int hash(wc_Sha256 *state, const uint8_t *data, size_t length,
    uint8_t digest[REVERST_SHA256_SIZE]) {
  int r = 0;

  for (; r == 0 && length > MAX_PIECE; data += MAX_PIECE, length -= MAX_PIECE)
    r = wc_Sha256Update(state, data, MAX_PIECE);
  if (r == 0 && length > 0)
    r = wc_Sha256Update(state, data, (word32)length);
  return r == 0 ? wc_Sha256Final(state, digest) : r;
}

int reverst_sha256(
    const void *data, size_t length, uint8_t digest[REVERST_SHA256_SIZE]) {
  wc_Sha256 state;
  int r = wc_InitSha256(&state);

  if (r != 0)
    return error_of(r);
  r = hash(&state, data, length, digest);
  wc_Sha256Free(&state);
  return r == 0 ? 0 : error_of(r);
}

static int authenticate(Hmac *state, const uint8_t *data, size_t length,
    uint8_t code[REVERST_SHA256_SIZE]) {
  int r = 0;

  for (; r == 0 && length > MAX_PIECE; data += MAX_PIECE, length -= MAX_PIECE)
    r = wc_HmacUpdate(state, data, MAX_PIECE);
  if (r == 0 && length > 0)
    r = wc_HmacUpdate(state, data, (word32)length);
  return r == 0 ? wc_HmacFinal(state, code) : r;
}

/* A longer key counts as its hash (RFC 2104, section 2): done here, so that any
   length fits the library's 32 bits. */
static int set_key(Hmac *state, const void *key, size_t length) {
  uint8_t digest[REVERST_SHA256_SIZE];
  int r;

  if (length <= WC_SHA256_BLOCK_SIZE)
    return wc_HmacSetKey(state, WC_SHA256, key, (word32)length);
  r = reverst_sha256(key, length, digest);
  if (r < 0)
    return r == REVERST_ERR_NO_MEMORY ? MEMORY_E : r;
  r = wc_HmacSetKey(state, WC_SHA256, digest, sizeof(digest));
  explicit_bzero(digest, sizeof(digest));
  return r;
}

int reverst_hmac_sha256(const void *key, size_t key_length, const void *data,
    size_t length, uint8_t code[REVERST_SHA256_SIZE]) {
  Hmac state;
  int r = wc_HmacInit(&state, NULL, INVALID_DEVID);

  if (r != 0)
    return error_of(r);
  r = set_key(&state, key, key_length);
  if (r == 0)
    r = authenticate(&state, data, length, code);
  wc_HmacFree(&state);
  return r == 0 ? 0 : error_of(r);
}

int reverst_random(void *bytes, size_t length) {
  uint8_t *next = bytes;
  ssize_t n;

  while (length > 0) {
    n = getrandom(next, length, 0);
    if (n < 0 && errno != EINTR)
      return REVERST_ERR_SYSTEM;
    if (n > 0) {
      next += n;
      length -= (size_t)n;
    }
  }
  return 0;
}
