/* SPDX-License-Identifier: MIT */
/* Self-signed development certificates (RFC 5280). */
#include "tls/wolfssl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <reverst/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

enum {
  VALID_DAYS = 397,
  KEY_SIZE = 32,
  MAX_NAME = 253,
  MAX_COMMON_NAME = 63, /* of 64 (RFC 5280), and a NUL */
  TAG_SEQUENCE = 0x30,
  TAG_DNS_NAME = 0x82, /* GeneralName [2] */
  TAG_IP_ADDRESS = 0x87,
  DER_SIZE = 2048,
  PEM_SIZE = 4096
};

/* Tag and length in front of `length` bytes of content (X.690). */
static size_t encode_head(uint8_t *out, uint8_t tag, size_t length) {
  size_t i = 0;

  out[i++] = tag;
  if (length > 0xff) {
    out[i++] = 0x82;
    out[i++] = (uint8_t)(length >> 8);
  } else if (length > 0x7f) {
    out[i++] = 0x81;
  }
  out[i++] = (uint8_t)length;
  return i;
}

/* A SubjectAltName of one name (RFC 5280 section 4.2.1.6). */
static size_t encode_alternative_name(const char *name, uint8_t *out) {
  uint8_t address[16], element[MAX_NAME + 4];
  size_t name_length = strlen(name), length, i;

  if (inet_pton(AF_INET, name, address) == 1) {
    length = encode_head(element, TAG_IP_ADDRESS, 4);
    memcpy(element + length, address, 4);
    length += 4;
  } else if (inet_pton(AF_INET6, name, address) == 1) {
    length = encode_head(element, TAG_IP_ADDRESS, 16);
    memcpy(element + length, address, 16);
    length += 16;
  } else {
    length = encode_head(element, TAG_DNS_NAME, name_length);
    for (i = 0; i < name_length; i++)
      element[length++] = (uint8_t)name[i];
  }
  i = encode_head(out, TAG_SEQUENCE, length);
  memcpy(out + i, element, length);
  return i + length;
}

/* A certificate authority of itself: so its own file serves as the root. */
static int describe(Cert *certificate, ecc_key *key, const char *name) {
  if (wc_InitCert(certificate) != 0)
    return REVERST_ERR_TLS;
  certificate->sigType = CTC_SHA256wECDSA;
  certificate->daysValid = VALID_DAYS;
  certificate->selfSigned = 1;
  certificate->isCA = 1;
  certificate->basicConstCrit = 1;
  snprintf(certificate->subject.commonName,
      sizeof(certificate->subject.commonName), "%.*s", MAX_COMMON_NAME, name);
  certificate->altNamesSz =
      (int)encode_alternative_name(name, certificate->altNames);
  if (wc_SetKeyUsage(certificate, "digitalSignature,keyCertSign") != 0 ||
      wc_SetExtKeyUsage(certificate, "serverAuth") != 0 ||
      wc_SetSubjectKeyIdFromPublicKey(certificate, NULL, key) != 0)
    return REVERST_ERR_TLS;
  return 0;
}

static int to_pem(const uint8_t *der, int length, int type, char *pem) {
  int r = length < 0 ? length
                     : wc_DerToPem(der, (word32)length, (byte *)pem,
                           PEM_SIZE - 1, type);

  if (r < 0)
    return REVERST_ERR_TLS;
  pem[r] = '\0';
  return 0;
}

static int make_certificate(
    const char *name, ecc_key *key, WC_RNG *random, char *pem) {
  uint8_t der[DER_SIZE];
  Cert *certificate = malloc(sizeof(*certificate));
  int r;

  if (!certificate)
    return REVERST_ERR_NO_MEMORY;
  r = describe(certificate, key, name);
  if (r < 0)
    goto finish;
  r = wc_MakeCert(certificate, der, sizeof(der), NULL, key, random);
  if (r > 0)
    r = wc_SignCert(certificate->bodySz, certificate->sigType, der, sizeof(der),
        NULL, key, random);
  r = to_pem(der, r, CERT_TYPE, pem);
finish:
  free(certificate);
  return r;
}

static int make_key_text(ecc_key *key, char *pem) {
  uint8_t der[DER_SIZE];
  int r = wc_EccKeyToDer(key, der, sizeof(der));

  r = to_pem(der, r, ECC_PRIVATEKEY_TYPE, pem);
  wc_ForceZero(der, sizeof(der));
  return r;
}

static int make_pair(const char *name, char *certificate, char *private_key) {
  ecc_key key;
  WC_RNG random;
  int r = REVERST_ERR_TLS;

  if (wc_InitRng(&random) != 0)
    return r;
  if (wc_ecc_init(&key) == 0) {
    if (wc_ecc_make_key_ex(&random, KEY_SIZE, &key, ECC_SECP256R1) == 0)
      r = make_certificate(name, &key, &random, certificate);
    if (r == 0)
      r = make_key_text(&key, private_key);
    wc_ecc_free(&key);
  }
  wc_FreeRng(&random);
  return r;
}

static int write_file(const char *path, const char *text, mode_t mode) {
  int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  size_t length = strlen(text);
  int error;

  if (descriptor < 0)
    return errno == EEXIST ? REVERST_ERR_EXISTS : REVERST_ERR_SYSTEM;
  error = write(descriptor, text, length) == (ssize_t)length ? 0 : errno;
  if (close(descriptor) != 0 && error == 0)
    error = errno;
  if (error == 0)
    return 0;
  unlink(path);
  errno = error;
  return REVERST_ERR_SYSTEM;
}

static bool is_fit(const char *name) {
  size_t length = name ? strlen(name) : 0;

  return length > 0 && length <= MAX_NAME && !strpbrk(name, " \t\r\n/");
}

int rv_tls_make_certificate(const char *name, const char *certificate_path,
    const char *private_key_path) {
  char certificate[PEM_SIZE], private_key[PEM_SIZE];
  int r;

  if (!is_fit(name))
    return REVERST_ERR_INVALID;
  if (wolfSSL_Init() != WOLFSSL_SUCCESS)
    return REVERST_ERR_TLS;
  r = make_pair(name, certificate, private_key);
  if (r == 0)
    r = write_file(private_key_path, private_key, 0600);
  if (r == 0) {
    r = write_file(certificate_path, certificate, 0644);
    if (r < 0) {
      int error = errno;

      unlink(private_key_path);
      errno = error;
    }
  }
  wc_ForceZero(private_key, sizeof(private_key));
  wolfSSL_Cleanup();
  return r;
}
