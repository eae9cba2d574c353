/* SPDX-License-Identifier: MIT */
/* Files that hold a password or a token. */
#ifndef RV_CLIENT_SECRET_FILE_H
#define RV_CLIENT_SECRET_FILE_H

#include "base/buffer.h"

enum { RV_SECRET_FILE_MAX = 65536 };

/* Appends what the file holds, without white space at either end.
   REVERST_ERR_SYSTEM: `*why` says what is wrong (static, or the text of errno).
   A secret passes through no memory that is not wiped, but for `out`. */
int rv_secret_file_read(
    const char *path, struct rv_buffer *out, const char **why);

#endif
