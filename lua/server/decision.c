/* SPDX-License-Identifier: MIT */
/* Reads the results of `authenticate` so that no mistake in them accepts. */
#include "lua/server/decision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

enum { MAX_LABELS = 64, MAX_WEIGHT = 65535 };

/* The text at the top, without a byte of value zero, which would cut it. */
static const char *check_text(
    lua_State *L, const char *what, size_t least, size_t most) {
  size_t length = 0;
  const char *text =
      lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;

  if (!text || length < least || length > most || strlen(text) != length)
    luaL_error(L,
        "authenticate: %s: expected a text of %d to %d bytes, got a %s", what,
        (int)least, (int)most, luaL_typename(L, -1));
  return text;
}

static void read_name(lua_State *L, struct rv_lua_decision *decision) {
  const char *name = check_text(L, "name", 1, sizeof(decision->name) - 1);

  snprintf(decision->name, sizeof(decision->name), "%s", name);
  decision->options.name = decision->name;
}

static void read_weight(lua_State *L, struct rv_lua_decision *decision) {
  lua_Integer weight = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
  const char *kind = lua_type(L, -1) == LUA_TSTRING ? "the text " : "";

  if (weight < 1 || weight > MAX_WEIGHT)
    luaL_error(L,
        "authenticate: weight: expected a whole number from 1 to 65535, got "
        "%s%s",
        kind, luaL_tolstring(L, -1, NULL));
  decision->options.weight = (unsigned)weight;
}

/* How many labels the table at the top has, and the bytes of their texts. */
static size_t measure_labels(lua_State *L, size_t *bytes) {
  size_t count = 0;

  *bytes = 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1), ++count) {
    *bytes += strlen(check_text(L, "the value of a label", 0, 255)) + 1;
    lua_pushvalue(L, -2);
    *bytes += strlen(check_text(L, "the name of a label", 1, 255)) + 1;
    lua_pop(L, 1);
  }
  if (count > MAX_LABELS)
    luaL_error(
        L, "authenticate: labels: at most %d, got %d", MAX_LABELS, (int)count);
  return count;
}

static char *append(char *end, const char *text) {
  return stpcpy(end, text) + 1;
}

static void read_labels(lua_State *L, struct rv_lua_decision *decision) {
  reverst_field *label;
  size_t count, bytes;
  char *end;

  if (!lua_istable(L, -1))
    luaL_error(L, "authenticate: labels: expected a table, got a %s",
        luaL_typename(L, -1));
  count = measure_labels(L, &bytes);
  label = decision->labels = malloc((count + 1) * sizeof(*label) + bytes);
  if (!label) {
    luaL_error(L, "not enough memory");
    return;
  }
  end = (char *)(label + count + 1);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1), ++label) {
    label->name = end;
    end = append(end, lua_tostring(L, -2));
    label->value = end;
    end = append(end, lua_tostring(L, -1));
  }
  label->name = label->value = NULL;
  decision->options.labels = decision->labels;
}

static const struct {
  const char *key;
  void (*read)(lua_State *L, struct rv_lua_decision *decision);
} members[] = {
  { "name", read_name },
  { "weight", read_weight },
  { "labels", read_labels },
};

static void read_member(lua_State *L, struct rv_lua_decision *decision) {
  const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
  size_t i;

  for (i = 0; i < sizeof(members) / sizeof(members[0]); ++i) {
    if (strcmp(key, members[i].key) == 0) {
      members[i].read(L, decision);
      return;
    }
  }
  luaL_error(L,
      "authenticate returned a table with an unknown key \"%s\"; expected "
      "name, weight and labels",
      *key ? key : luaL_tolstring(L, -2, NULL));
}

static void read_table(lua_State *L, struct rv_lua_decision *decision) {
  if (luaL_getmetafield(L, -2, "__call") != LUA_TNIL)
    luaL_error(L, "authenticate returned a strategy, which was not asked; "
                  "write: return strategy(registration)");
  lua_pushvalue(L, -2);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
    read_member(L, decision);
  lua_pop(L, 1);
}

static void read_reason(
    lua_State *L, struct rv_lua_decision *decision, const char *otherwise) {
  snprintf(decision->reason, sizeof(decision->reason), "%s",
      lua_isnil(L, -1) ? otherwise : luaL_tolstring(L, -1, NULL));
}

static void read_boolean(lua_State *L, struct rv_lua_decision *decision) {
  if (!lua_toboolean(L, -2)) {
    read_reason(L, decision, "rejected by authenticate");
    decision->verdict = RV_LUA_REJECTED;
    return;
  }
  if (lua_istable(L, -1))
    luaL_error(L, "authenticate returned true and a table; return the table "
                  "alone");
  if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) /* pcall does so */
    luaL_error(L, "authenticate returned true and false; return one of them");
  decision->verdict = RV_LUA_ACCEPTED;
}

void rv_lua_decision_read(lua_State *L, struct rv_lua_decision *decision) {
  switch (lua_type(L, -2)) {
  case LUA_TBOOLEAN:
    read_boolean(L, decision);
    break;
  case LUA_TTABLE:
    read_table(L, decision);
    decision->verdict = RV_LUA_ACCEPTED;
    break;
  case LUA_TNIL:
    if (lua_isnil(L, -1))
      luaL_error(L, "authenticate returned nothing, expected true, a table, "
                    "or false and a reason");
    read_reason(L, decision, "");
    break;
  default:
    luaL_error(L,
        "authenticate returned a %s, expected true, a table, or false and a "
        "reason",
        luaL_typename(L, -2));
  }
}

void rv_lua_decision_apply(const struct rv_lua_decision *decision,
    reverst_registration *registration) {
  switch (decision->verdict) {
  case RV_LUA_ACCEPTED:
    reverst_registration_accept_as(registration, &decision->options);
    break;
  case RV_LUA_REJECTED:
    reverst_registration_reject(registration, decision->reason);
    break;
  case RV_LUA_UNKNOWN:
    reverst_registration_fail(registration, decision->reason);
    break;
  }
}

void rv_lua_decision_deinit(struct rv_lua_decision *decision) {
  free(decision->labels);
  *decision = (struct rv_lua_decision){ 0 };
}

/* ---- for specs of scripts ---- */

static int read_results(lua_State *L) {
  struct rv_lua_decision *decision = lua_touserdata(L, 1);

  rv_lua_decision_read(L, decision);
  return 0;
}

static int read_decision(lua_State *L) {
  static const char *const verdicts[] = {
    [RV_LUA_UNKNOWN] = "unknown",
    [RV_LUA_REJECTED] = "rejected",
    [RV_LUA_ACCEPTED] = "accepted",
  };
  struct rv_lua_decision decision = { 0 };
  int status;

  lua_settop(L, 2);
  lua_pushcfunction(L, read_results);
  lua_insert(L, 1);
  lua_pushlightuserdata(L, &decision);
  lua_insert(L, 2);
  status = lua_pcall(L, 3, 0, 0);
  if (status == LUA_OK) {
    lua_pushstring(L, verdicts[decision.verdict]);
    lua_pushstring(L, decision.reason);
  }
  rv_lua_decision_deinit(&decision);
  return status == LUA_OK ? 2 : lua_error(L);
}

static const luaL_Reg functions[] = {
  { "read", read_decision },
  { NULL, NULL },
};

int rv_lua_open_decision(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
