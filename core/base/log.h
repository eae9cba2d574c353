/* SPDX-License-Identifier: MIT */
/* Writing log entries: rv_log(engine, REVERST_LOG_INFO, "tunnel_up",
   rv_log_text("group", name), rv_log_number("tunnels", count)) */
#ifndef RV_BASE_LOG_H
#define RV_BASE_LOG_H

#include "base/engine.h"
#include "base/span.h"

static inline struct reverst_log_field rv_log_span(
    const char *key, struct rv_span value) {
  return (struct reverst_log_field){
    .key = key,
    .text = value.data ? value.data : "",
    .text_length = value.length,
  };
}

static inline struct reverst_log_field rv_log_text(
    const char *key, const char *value) {
  return rv_log_span(key, rv_span_of(value));
}

static inline struct reverst_log_field rv_log_number(
    const char *key, int64_t value) {
  return (struct reverst_log_field){ .key = key, .number = value };
}

static inline bool rv_log_enabled(
    const struct rv_engine *engine, enum reverst_log_level level) {
  return engine->log != NULL && level >= engine->log_level;
}

void rv_log_write(struct rv_engine *engine, enum reverst_log_level level,
    const char *event, const struct reverst_log_field *fields, size_t count);

/* The fields are not evaluated when the level is off. */
#define rv_log(engine, level, event, ...)                                      \
  do {                                                                         \
    if (rv_log_enabled(engine, level)) {                                       \
      const struct reverst_log_field rv_log_fields[] = { __VA_ARGS__ };        \
      rv_log_write(engine, level, event, rv_log_fields,                        \
          sizeof(rv_log_fields) / sizeof(rv_log_fields[0]));                   \
    }                                                                          \
  } while (0)

#endif
