/* SPDX-License-Identifier: MIT */
/* Entries of which there are not too many. */
#include "lua/engine/complaint.h"

#include <stdbool.h>
#include <string.h>

#include "lua/engine/engine.h"
#include "lua/engine/scheduler.h"

enum { MAX_FIELDS = 5 };

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

/* FNV-1a: two texts with one digest cost an entry, no more. */
static uint64_t add_to_digest(uint64_t digest, const char *text) {
  for (; *text; ++text)
    digest = (digest ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
  return digest;
}

static uint64_t digest_of(const struct rv_lua_problem *problem) {
  uint64_t digest = UINT64_C(0xcbf29ce484222325);

  digest = add_to_digest(digest, problem->event);
  digest = add_to_digest(digest, problem->function);
  return add_to_digest(digest, problem->error);
}

static bool may_be_told(
    struct rv_lua_complaint *complaint, const struct rv_lua_problem *problem) {
  uint64_t now = rv_lua_scheduler_now(), digest = digest_of(problem);
  unsigned i;

  if (now >= complaint->silent_until) {
    complaint->silent_until = now + SECOND;
    complaint->told_count = 0;
  }
  for (i = 0; i < complaint->told_count; ++i) {
    if (complaint->told[i] == digest)
      return false;
  }
  if (i == RV_LUA_COMPLAINTS)
    return false;
  complaint->told[complaint->told_count++] = digest;
  return true;
}

void rv_lua_complain(struct rv_lua *lua, struct rv_lua_complaint *complaint,
    const struct rv_lua_problem *problem) {
  struct entry entry = { .count = 0 };

  if (!lua->options.log || lua->log_level > REVERST_LOG_ERROR)
    return;
  if (!may_be_told(complaint, problem)) {
    complaint->left_out++;
    return;
  }
  add_text(&entry, "group", problem->group);
  add_text(&entry, "function", problem->function);
  add_text(&entry, "request", problem->request);
  add_text(&entry, "error", problem->error);
  if (complaint->left_out)
    entry.fields[entry.count++] = (struct reverst_log_field){
      .key = "left_out",
      .number = (int64_t)complaint->left_out,
    };
  complaint->left_out = 0;
  lua->options.log(&(struct reverst_log_entry){ REVERST_LOG_ERROR,
                       problem->event, entry.fields, entry.count },
      lua->options.log_user_data);
}
