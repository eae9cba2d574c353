/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 section 4). */
#ifndef RV_BASE_BASE64_H
#define RV_BASE_BASE64_H

#include "base/buffer.h"

void rv_base64_encode(struct rv_span bytes, struct rv_buffer *out);

#endif
