/* SPDX-License-Identifier: MIT */
/* Writes log entries to a file descriptor: one line each, in logfmt. */
#ifndef REVERST_BIN_LOG_WRITER_H
#define REVERST_BIN_LOG_WRITER_H

#include <reverst/log.h>

/* A reverst_log_callback; `user_data` points to the descriptor, an int.
   time=2026-01-31T12:00:00.000Z level=info event=tunnel_up group=app
   Values are quoted where needed; every byte that could move a terminal's
   cursor is written as \xNN.  A line that is too long is cut and ends with
   "...". */
void log_writer_write(const struct reverst_log_entry *entry, void *user_data);

#endif
