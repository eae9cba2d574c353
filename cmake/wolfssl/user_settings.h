/* SPDX-License-Identifier: MIT */
/* wolfSSL, as this project builds it: TLS 1.2/1.3 and QUIC, client and
   server.  Preprocessor lines only: assembly files include this too. */
#ifndef REVERST_USER_SETTINGS_H
#define REVERST_USER_SETTINGS_H

/* protocol */
#define WOLFSSL_TLS13
#define WOLFSSL_QUIC
#define HAVE_TLS_EXTENSIONS
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_ENCRYPT_THEN_MAC
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_SESSION_TICKET
#define NO_SESSION_CACHE_REF
#define NO_OLD_TLS
#define NO_PSK

/* the OpenSSL-shaped API: ngtcp2's helper needs its EVP part */
#define OPENSSL_EXTRA
#define HAVE_EX_DATA
#define NO_KEEP_PEER_CERT /* 4.1 KB a session; verify callbacks see it */
#define ERROR_QUEUE_PER_THREAD

/* certificates */
#define WOLFSSL_ASN_TEMPLATE
#define WOLFSSL_SYS_CA_CERTS
#define WOLFSSL_ALT_CERT_CHAINS
#define WOLFSSL_IP_ALT_NAME
#define WOLFSSL_PEM_TO_DER
#define WOLFSSL_BASE64_ENCODE
#define WOLFSSL_CERT_GEN /* reverst certificate */
#define WOLFSSL_CERT_EXT
#define WOLFSSL_ALT_NAMES
#define WOLFSSL_KEY_GEN
#define NO_PKCS12

/* ciphers and hashes */
#define HAVE_AESGCM
#define HAVE_AES_ECB
#define WOLFSSL_AES_COUNTER
#define WOLFSSL_AES_DIRECT
#define GCM_TABLE_4BIT
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH
#define HAVE_HKDF
#define HAVE_HASHDRBG
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256
#define NO_RC4
#define NO_MD4
#define NO_DES3
#define NO_DES3_TLS_SUITES
#define NO_DSA
#define NO_DH

/* public keys */
#define HAVE_ECC
#define ECC_SHAMIR
#define ECC_MIN_KEY_SZ 224
#define HAVE_CURVE25519
#define HAVE_ED25519
#define WOLFSSL_HAVE_MLKEM
#define WOLFSSL_PQC_HYBRIDS
#define WOLFSSL_TLS_NO_MLKEM_STANDALONE
#define WC_RSA_PSS
#define WOLFSSL_PSS_LONG_SALT
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_384

/* hardening */
#define ECC_TIMING_RESISTANT
#define TFM_TIMING_RESISTANT
#define WC_RSA_BLINDING

/* platform */
#define HAVE_THREAD_LS
#define HAVE_LIMITS_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_GETPID 1
#define HAVE_PTHREAD 1
#define WOLFSSL_USE_ALIGN
#define WC_NO_ASYNC_THREADING
#if defined(__x86_64__)
#define HAVE___UINT128_T 1
#define WOLFSSL_X86_64_BUILD
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64_ASM
#define WOLFSSL_AESNI
#define USE_INTEL_SPEEDUP
#endif

#endif
