/* SPDX-License-Identifier: MIT */
/* Secrets that outlive a process: derived from a file, so that a restarted or a
   second process can answer for the first. */
#ifndef RV_TLS_SECRET_H
#define RV_TLS_SECRET_H

#include "base/engine.h"

enum { RV_SECRET_SIZE = 32 };

/* What all secrets of one server are derived from: the pseudorandom key of
   HKDF-SHA256 (RFC 5869). Wipe it with explicit_bzero. */
struct rv_secret_root {
  uint8_t bytes[RV_SECRET_SIZE];
};

/* From the bytes of a file, of which there must be 32 at least and 64 KiB at
   most. On failure an entry that names the file is logged:
   REVERST_ERR_SECRET, REVERST_ERR_NO_MEMORY. */
int rv_secret_root_read(
    struct rv_secret_root *root, struct rv_engine *engine, const char *path);

/* From a private key (PEM): however its file is written, the same key gives the
   same root. REVERST_ERR_PRIVATE_KEY (logged), REVERST_ERR_NO_MEMORY. */
int rv_secret_root_read_private_key(
    struct rv_secret_root *root, struct rv_engine *engine, const char *path);

/* One purpose, one label: secrets of different labels tell nothing of each
   other. REVERST_ERR_TLS. */
int rv_secret_derive(const struct rv_secret_root *root, const char *label,
    uint8_t secret[static RV_SECRET_SIZE]);

#endif
