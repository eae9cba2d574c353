/* SPDX-License-Identifier: MIT */
/* Entries of which there are not too many. */
#include "lua/engine/complaint.h"

#include <string.h>

#include "lua/engine/engine.h"
#include "lua/engine/scheduler.h"

enum { MAX_FIELDS = 4 };

#define SECOND UINT64_C(1000000000)

struct entry {
  struct reverst_log_field fields[MAX_FIELDS];
  size_t count;
};

static void add_text(struct entry *entry, const char *key, const char *text) {
  if (text)
    entry->fields[entry->count++] = (struct reverst_log_field){
      .key = key,
      .text = text,
      .text_length = strlen(text),
    };
}

void rv_lua_complain(struct rv_lua *lua, struct rv_lua_complaint *complaint,
    const char *event, const char *group, const char *function,
    const char *error) {
  uint64_t now = rv_lua_scheduler_now();
  struct entry entry = { .count = 0 };

  if (!lua->options.log || lua->log_level > REVERST_LOG_ERROR)
    return;
  if (now < complaint->silent_until) {
    complaint->left_out++;
    return;
  }
  add_text(&entry, "group", group);
  add_text(&entry, "function", function);
  add_text(&entry, "error", error);
  if (complaint->left_out)
    entry.fields[entry.count++] = (struct reverst_log_field){
      .key = "left_out",
      .number = (int64_t)complaint->left_out,
    };
  complaint->left_out = 0;
  complaint->silent_until = now + SECOND;
  lua->options.log(&(struct reverst_log_entry){ REVERST_LOG_ERROR, event,
                       entry.fields, entry.count },
      lua->options.log_user_data);
}
