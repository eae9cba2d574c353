/* SPDX-License-Identifier: MIT */
/* The module reverst.crypto: hashes, randomness, comparing secrets, base64. */
#include "lua/module/crypto.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>
#include <reverst/crypto.h>
#include <reverst/error.h>

enum { MAX_RANDOM = 1 << 20 };

/* equal(given, secret): the time it takes depends on the length of what was
   given, never on the secret or on where they differ. */
static int equal(lua_State *L) {
  size_t given_length, secret_length, i;
  const char *given = luaL_checklstring(L, 1, &given_length);
  const char *secret = luaL_checklstring(L, 2, &secret_length);
  volatile unsigned char difference = given_length != secret_length;

  for (i = 0; i < given_length; ++i)
    difference |=
        (unsigned char)(given[i] ^
                        secret[secret_length ? i % secret_length : 0]);
  lua_pushboolean(L, difference == 0);
  return 1;
}

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648, section 4, with padding */
static int encode_base64(lua_State *L) {
  size_t length, i;
  const unsigned char *bytes =
      (const unsigned char *)luaL_checklstring(L, 1, &length);
  luaL_Buffer text;
  uint32_t group;

  luaL_buffinit(L, &text);
  for (i = 0; i < length; i += 3) {
    group = (uint32_t)bytes[i] << 16;
    group |= i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0;
    group |= i + 2 < length ? bytes[i + 2] : 0;
    luaL_addchar(&text, alphabet[group >> 18 & 63]);
    luaL_addchar(&text, alphabet[group >> 12 & 63]);
    luaL_addchar(&text, i + 1 < length ? alphabet[group >> 6 & 63] : '=');
    luaL_addchar(&text, i + 2 < length ? alphabet[group & 63] : '=');
  }
  luaL_pushresult(&text);
  return 1;
}

/* 0 to 63; -1: not in the alphabet */
static int value_of(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  if (c == '+')
    return 62;
  return c == '/' ? 63 : -1;
}

/* The text, or nil: characters outside the alphabet, a length that no encoder
   makes, or bits that do not belong to a byte.  Padding may be left out. */
static int decode_base64(lua_State *L) {
  size_t length, i;
  const char *text = luaL_checklstring(L, 1, &length);
  luaL_Buffer bytes;
  uint32_t bits = 0;
  int value, count = 0;

  if (length % 4 == 0 && length > 0 && text[length - 1] == '=')
    length -= text[length - 2] == '=' ? 2 : 1;
  if (length % 4 == 1)
    return 0;
  luaL_buffinit(L, &bytes);
  for (i = 0; i < length; ++i) {
    value = value_of(text[i]);
    if (value < 0)
      return 0;
    bits = bits << 6 | (uint32_t)value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      luaL_addchar(&bytes, (char)(bits >> count & 0xff));
    }
  }
  if (bits & ((1U << count) - 1))
    return 0;
  luaL_pushresult(&bytes);
  return 1;
}

static int push_digest(lua_State *L, int r, const uint8_t *digest) {
  if (r < 0)
    return luaL_error(L, "%s", reverst_strerror(r));
  lua_pushlstring(L, (const char *)digest, REVERST_SHA256_SIZE);
  return 1;
}

/* sha256(text): 32 bytes */
static int sha256(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  uint8_t digest[REVERST_SHA256_SIZE];

  return push_digest(L, reverst_sha256(text, length, digest), digest);
}

/* hmac_sha256(key, text): 32 bytes */
static int hmac_sha256(lua_State *L) {
  size_t key_length, length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *text = luaL_checklstring(L, 2, &length);
  uint8_t code[REVERST_SHA256_SIZE];

  return push_digest(
      L, reverst_hmac_sha256(key, key_length, text, length, code), code);
}

/* random(count): so many bytes, fit for secrets */
static int random_bytes(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 1);
  luaL_Buffer buffer;
  char *bytes;

  luaL_argcheck(L, count >= 0 && count <= MAX_RANDOM, 1, "from 0 to 1048576");
  bytes = luaL_buffinitsize(L, &buffer, (size_t)count);
  if (reverst_random(bytes, (size_t)count) < 0)
    return luaL_error(L, "no randomness: %s", strerror(errno));
  luaL_pushresultsize(&buffer, (size_t)count);
  return 1;
}

/* hex(bytes): two lower-case digits for each */
static int hex(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  size_t length, i;
  const unsigned char *bytes =
      (const unsigned char *)luaL_checklstring(L, 1, &length);
  luaL_Buffer text;

  luaL_buffinit(L, &text);
  for (i = 0; i < length; ++i) {
    luaL_addchar(&text, digits[bytes[i] >> 4]);
    luaL_addchar(&text, digits[bytes[i] & 15]);
  }
  luaL_pushresult(&text);
  return 1;
}

static const luaL_Reg functions[] = {
  { "equal", equal },
  { "base64_encode", encode_base64 },
  { "base64_decode", decode_base64 },
  { "hex", hex },
  { "hmac_sha256", hmac_sha256 },
  { "random", random_bytes },
  { "sha256", sha256 },
  { NULL, NULL },
};

int rv_lua_open_crypto(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
