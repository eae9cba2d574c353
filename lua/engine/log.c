/* SPDX-License-Identifier: MIT */
/* Entries with fields, from Lua and about it. */
#include "lua/engine/log.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

enum { MAX_FIELDS = 32 };

static const char *const level_names[] = { "trace", "debug", "info", "warn",
  "error", "off", NULL };

static enum reverst_log_level check_level(lua_State *L, int index) {
  int i = luaL_checkoption(L, index, NULL, level_names);

  return (enum reverst_log_level)(REVERST_LOG_TRACE + i);
}

static bool is_enabled(const struct rv_lua *lua, enum reverst_log_level level) {
  return lua->options.log && level >= lua->log_level && level < REVERST_LOG_OFF;
}

void rv_lua_log_text(struct rv_lua *lua, enum reverst_log_level level,
    const char *event, const char *key, const char *text) {
  const struct reverst_log_field field = {
    .key = key,
    .text = text,
    .text_length = strlen(text),
  };

  if (is_enabled(lua, level))
    lua->options.log(&(struct reverst_log_entry){ level, event, &field, 1 },
        lua->options.log_user_data);
}

/* The value at the top becomes the field's; what it points to stays on the
   stack. */
static void set_value(lua_State *L, struct reverst_log_field *field) {
  int is_integer;

  field->number = lua_tointegerx(L, -1, &is_integer);
  if (is_integer && lua_type(L, -1) == LUA_TNUMBER)
    return;
  field->text = luaL_tolstring(L, -1, &field->text_length);
  lua_remove(L, -2);
}

static int by_key(const void *a, const void *b) {
  const struct reverst_log_field *first = a, *second = b;

  return strcmp(first->key, second->key);
}

int rv_lua_write_log(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  enum reverst_log_level level = check_level(L, 1);
  const char *event = luaL_checkstring(L, 2);
  struct reverst_log_field fields[MAX_FIELDS];
  size_t count = 0;

  if (!is_enabled(lua, level))
    return 0;
  luaL_checkstack(L, 2 * MAX_FIELDS + 4, NULL);
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    lua_pushnil(L);
    while (count < MAX_FIELDS && lua_next(L, 3)) {
      luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 3, "keys are texts");
      fields[count] = (struct reverst_log_field){ .key = lua_tostring(L, -2) };
      set_value(L, &fields[count++]);
      /* the key again, for the next step: all values stay below it */
      lua_pushvalue(L, -2);
    }
  }
  qsort(fields, count, sizeof(fields[0]), by_key);
  lua->options.log(&(struct reverst_log_entry){ level, event, fields, count },
      lua->options.log_user_data);
  return 0;
}

int rv_lua_set_log_level(lua_State *L) {
  rv_lua_of(L)->log_level = check_level(L, 1);
  return 0;
}

int rv_lua_set_log_format(lua_State *L) {
  const struct rv_lua_options *options = &rv_lua_of(L)->options;
  const char *format = luaL_checkstring(L, 1);

  if (options->set_log_format &&
      !options->set_log_format(format, options->user_data))
    return luaL_argerror(L, 1, "there is no such format");
  return 0;
}
