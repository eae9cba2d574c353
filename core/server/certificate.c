/* SPDX-License-Identifier: MIT */
/* The public door to making development certificates. */
#include <reverst/server.h>

#include "tls/context.h"

int reverst_make_certificate(const char *name, const char *certificate_path,
    const char *private_key_path) {
  return rv_tls_make_certificate(name, certificate_path, private_key_path);
}
