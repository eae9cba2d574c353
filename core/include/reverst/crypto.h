/* SPDX-License-Identifier: MIT */
/* The little cryptography that authentication needs. */
#ifndef REVERST_CRYPTO_H
#define REVERST_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REVERST_SHA256_SIZE 32

/* FIPS 180-4. REVERST_ERR_NO_MEMORY, REVERST_ERR_TLS. */
int reverst_sha256(
    const void *data, size_t length, uint8_t digest[REVERST_SHA256_SIZE]);

/* RFC 2104; a key of any length. REVERST_ERR_NO_MEMORY, REVERST_ERR_TLS. */
int reverst_hmac_sha256(const void *key, size_t key_length, const void *data,
    size_t length, uint8_t code[REVERST_SHA256_SIZE]);

/* Fit for secrets; from the system. REVERST_ERR_SYSTEM: see errno. */
int reverst_random(void *bytes, size_t length);

#ifdef __cplusplus
}
#endif
#endif
