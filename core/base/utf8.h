/* SPDX-License-Identifier: MIT */
/* UTF-8 checks (RFC 3629). */
#ifndef RV_BASE_UTF8_H
#define RV_BASE_UTF8_H

#include "base/span.h"

/* Well-formed UTF-8 without control characters (C0, DEL, C1). */
bool rv_utf8_is_text(struct rv_span span);

#endif
