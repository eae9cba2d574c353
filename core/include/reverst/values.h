/* SPDX-License-Identifier: MIT */
/* Values of options that stand for no number. */
#ifndef REVERST_VALUES_H
#define REVERST_VALUES_H

#include <limits.h>
#include <stdint.h>

/* Of a duration: never, no limit of time. */
#define REVERST_NEVER UINT64_MAX

/* Of a count: not even one, where 0 means the default. */
#define REVERST_NONE UINT_MAX

#endif
