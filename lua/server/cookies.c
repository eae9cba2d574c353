/* SPDX-License-Identifier: MIT */
/* Cookies of a request (RFC 6265, sections 4.2 and 5.4), read as servers do:
   what has no name is left out. */
#include <string.h>

#include "lua/server/visit.h"

enum { MAX_COOKIES = 128 };

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static reverst_text trim(const char *data, size_t length) {
  while (length > 0 && is_blank(data[length - 1]))
    length--;
  while (length > 0 && is_blank(*data)) {
    data++;
    length--;
  }
  return (reverst_text){ data, length };
}

static reverst_text unquote(reverst_text text) {
  if (text.length >= 2 && text.data[0] == '"' &&
      text.data[text.length - 1] == '"')
    return (reverst_text){ text.data + 1, text.length - 2 };
  return text;
}

/* The table at the top gets "name=value", unless it has one of that name: how
   many it got. */
static int add_cookie(lua_State *L, const char *pair, size_t length) {
  const char *sign = memchr(pair, '=', length);
  reverst_text name, value;

  if (!sign)
    return 0;
  name = trim(pair, (size_t)(sign - pair));
  if (name.length == 0)
    return 0;
  lua_pushlstring(L, name.data, name.length);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, -3) != LUA_TNIL) {
    lua_pop(L, 2);
    return 0;
  }
  lua_pop(L, 1);
  value = unquote(trim(sign + 1, length - (size_t)(sign + 1 - pair)));
  lua_pushlstring(L, value.data, value.length);
  lua_rawset(L, -3);
  return 1;
}

/* How many there are then. */
static int add_cookies(lua_State *L, reverst_text field, int count) {
  const char *pair = field.data, *end = field.data + field.length;

  while (pair < end && count < MAX_COOKIES) {
    const char *next = memchr(pair, ';', (size_t)(end - pair));

    if (!next)
      next = end;
    count += add_cookie(L, pair, (size_t)(next - pair));
    pair = next < end ? next + 1 : end;
  }
  return count;
}

void rv_lua_cookies_push(lua_State *L, const reverst_visit *visit) {
  reverst_text name, value;
  int count = 0;
  size_t i;

  lua_newtable(L);
  for (i = 0; reverst_visit_header_at(visit, i, &name, &value); ++i) {
    if (name.length == 6 && memcmp(name.data, "cookie", 6) == 0)
      count = add_cookies(L, value, count);
  }
}
