/* SPDX-License-Identifier: MIT */
/* Hands log entries to the engine's callback. */
#include "base/log.h"

void rv_log_write(struct rv_engine *engine, enum reverst_log_level level,
    const char *event, const struct reverst_log_field *fields, size_t count) {
  const struct reverst_log_entry entry = {
    .level = level,
    .event = event,
    .fields = fields,
    .field_count = count,
  };

  engine->log(&entry, engine->log_user_data);
}
