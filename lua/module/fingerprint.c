/* SPDX-License-Identifier: MIT */
/* A keyed hash whose key lives as long as the process. */
#include "lua/module/fingerprint.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

#include <lauxlib.h>

#include "base/map.h"

/* One for all Lua states, so that they agree; two hashes with a key each, since
   one of 64 bits may collide. */
static uint64_t keys[2][2];
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;
static bool has_keys;

static void make_keys(void) {
  has_keys = getrandom(keys, sizeof(keys), 0) == (ssize_t)sizeof(keys);
}

static int fingerprint(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  char digits[2 * 16 + 1];

  pthread_once(&keys_once, make_keys);
  if (!has_keys)
    return luaL_error(L, "the system has no random numbers");
  snprintf(digits, sizeof(digits), "%016" PRIx64 "%016" PRIx64,
      rv_siphash(keys[0], text, length), rv_siphash(keys[1], text, length));
  lua_pushstring(L, digits);
  return 1;
}

int rv_lua_open_fingerprint(lua_State *L) {
  lua_pushcfunction(L, fingerprint);
  return 1;
}
