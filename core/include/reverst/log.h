/* SPDX-License-Identifier: MIT */
/* Structured log entries, handed to a callback: the library prints nothing. */
#ifndef REVERST_LOG_H
#define REVERST_LOG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum reverst_log_level {
  REVERST_LOG_DEFAULT, /* in options: REVERST_LOG_INFO */
  REVERST_LOG_TRACE,
  REVERST_LOG_DEBUG,
  REVERST_LOG_INFO,
  REVERST_LOG_WARN,
  REVERST_LOG_ERROR,
  REVERST_LOG_OFF
};

/* One key with its value: text (when `text` is not NULL) or a number. */
struct reverst_log_field {
  const char *key;
  const char *text;
  size_t text_length;
  int64_t number;
};

struct reverst_log_entry {
  enum reverst_log_level level;
  const char *event; /* a fixed name, "tunnel_up" */
  const struct reverst_log_field *fields;
  size_t field_count;
};

/* Called at any time from within the library; everything in `entry` is valid
   during the call only. It must not call back into the library. Entries never
   hold credentials; texts may hold bytes that a peer chose, so escape them. */
typedef void (*reverst_log_callback)(
    const struct reverst_log_entry *entry, void *user_data);

#ifdef __cplusplus
}
#endif
#endif
