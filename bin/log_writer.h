/* SPDX-License-Identifier: MIT */
/* Writes log entries to a file descriptor: one line each. */
#ifndef REVERST_BIN_LOG_WRITER_H
#define REVERST_BIN_LOG_WRITER_H

#include <stdbool.h>

#include <reverst/log.h>

struct log_writer {
  int descriptor;
  bool json; /* else logfmt */
};

/* A reverst_log_callback; `user_data` is a struct log_writer.
   time=2026-01-31T12:00:00.000Z level=info event=tunnel_up group=app
   or
   {"time":"2026-01-31T12:00:00.000Z","level":"info","event":"tunnel_up",…}
   Every byte that could move a terminal's cursor is escaped.  A line that is
   too long is cut, and ends with "..." or "cut":true. */
void log_writer_write(const struct reverst_log_entry *entry, void *user_data);

/* "logfmt" or "json".  false: it is neither. */
bool log_writer_set_format(struct log_writer *writer, const char *format);

#endif
