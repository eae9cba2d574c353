/* SPDX-License-Identifier: MIT */
/* require "spec.text": spans, addresses, maps, and the tables of errors and
   failures. */
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/failure.h"
#include "base/map.h"
#include "engine.h"
#include <reverst/error.h>

static const char map_type[] = "spec.map";

int luaopen_spec_text(lua_State *L);

/* ---- spans ---- */

static int equal_nocase(lua_State *L) {
  lua_pushboolean(
      L, rv_span_equal_nocase(spec_check_span(L, 1), spec_check_span(L, 2)));
  return 1;
}

static int trim(lua_State *L) {
  spec_push_span(L, rv_span_trim(spec_check_span(L, 1)));
  return 1;
}

static int elements(lua_State *L) {
  struct rv_span rest = spec_check_span(L, 1), element;

  lua_newtable(L);
  for (int i = 1; rv_span_next_element(&rest, &element); i++) {
    spec_push_span(L, element);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static int to_uint(lua_State *L) {
  uint64_t value;

  if (rv_span_to_uint(spec_check_span(L, 1), &value))
    lua_pushinteger(L, (lua_Integer)value);
  else
    lua_pushnil(L);
  return 1;
}

/* ---- addresses ---- */

static void check_address(lua_State *L, int index, struct rv_address *address) {
  if (rv_address_parse(address, spec_check_span(L, index)) < 0)
    luaL_argerror(L, index, "not an address");
}

/* parse_address(text) -> printed, the host alone; or nil, error */
static int parse_address(lua_State *L) {
  struct rv_address address;
  char text[RV_ADDRESS_TEXT_SIZE];
  int r = rv_address_parse(&address, spec_check_span(L, 1));

  if (r < 0)
    return spec_push_result(L, r);
  lua_pushstring(L, rv_address_print(&address, text));
  lua_pushstring(L, rv_address_print_host(&address, text));
  return 2;
}

static int split_address(lua_State *L) {
  struct rv_span host;
  uint16_t port;
  int r = rv_address_split(
      spec_check_span(L, 1), (uint16_t)luaL_optinteger(L, 2, 0), &host, &port);

  if (r < 0)
    return spec_push_result(L, r);
  spec_push_span(L, host);
  lua_pushinteger(L, port);
  return 2;
}

static int equal_addresses(lua_State *L) {
  struct rv_address a, b;

  check_address(L, 1, &a);
  check_address(L, 2, &b);
  lua_pushboolean(L, rv_address_equal(&a, &b));
  return 1;
}

static int limit_key(lua_State *L) {
  struct rv_address address;
  struct rv_address_key key;

  check_address(L, 1, &address);
  key = rv_address_limit_key(&address);
  lua_pushlstring(L, (const char *)key.bytes, sizeof(key.bytes));
  return 1;
}

/* ---- maps ---- */

struct element {
  struct rv_map_node node;
  size_t length;
  char key[];
};

static struct rv_map *check_map(lua_State *L) {
  return luaL_checkudata(L, 1, map_type);
}

static int new_map(lua_State *L) {
  const struct rv_engine *engine = spec_check_engine(L, 1);

  rv_map_init(
      spec_new(L, sizeof(struct rv_map), map_type, 1), engine->hash_secret);
  return 1;
}

static void remove_node(struct rv_map *map, struct rv_map_node *node) {
  rv_map_remove(map, node);
  rv_map_remove(map, node); /* harmless */
  free(rv_container_of(node, struct element, node));
}

static int close_map(lua_State *L) {
  struct rv_map *map = check_map(L);
  struct rv_map_node *node;

  while ((node = rv_map_any(map)) != NULL)
    remove_node(map, node);
  rv_map_deinit(map);
  return 0;
}

static int map_insert(lua_State *L) {
  struct rv_map *map = check_map(L);
  struct rv_span key = spec_check_span(L, 2);
  struct element *element = calloc(1, sizeof(*element) + key.length + 1);
  int r;

  if (element == NULL)
    return luaL_error(L, "out of memory");
  memcpy(element->key, key.data, key.length);
  r = rv_map_insert(
      map, &element->node, (struct rv_span){ element->key, key.length });
  if (r < 0)
    free(element);
  return spec_push_result(L, r);
}

/* map:find(key) -> the key as it is in the map, or nil */
static int map_find(lua_State *L) {
  struct rv_map_node *node = rv_map_find(check_map(L), spec_check_span(L, 2));

  if (node == NULL)
    lua_pushnil(L);
  else
    spec_push_span(L, node->key);
  return 1;
}

static int map_remove(lua_State *L) {
  struct rv_map *map = check_map(L);
  struct rv_map_node *node = rv_map_find(map, spec_check_span(L, 2));

  if (node != NULL)
    remove_node(map, node);
  lua_pushboolean(L, node != NULL);
  return 1;
}

static int map_any(lua_State *L) {
  struct rv_map_node *node = rv_map_any(check_map(L));

  if (node == NULL)
    lua_pushnil(L);
  else
    spec_push_span(L, node->key);
  return 1;
}

/* map:size() -> elements, buckets */
static int map_size(lua_State *L) {
  const struct rv_map *map = check_map(L);

  lua_pushinteger(L, (lua_Integer)map->count);
  lua_pushinteger(L, (lua_Integer)map->bucket_count);
  return 2;
}

/* siphash(secret of 16 bytes, data) -> 8 bytes, little endian */
static int siphash(lua_State *L) {
  struct rv_span secret = spec_check_span(L, 1);
  struct rv_span data = spec_check_span(L, 2);
  uint64_t words[2] = { 0 }, hash;
  char bytes[8];

  luaL_argcheck(L, secret.length == 16, 1, "16 bytes");
  for (size_t i = 0; i < 16; i++)
    words[i / 8] |= (uint64_t)(unsigned char)secret.data[i] << (8 * (i % 8));
  hash = rv_siphash(words, data.data, data.length);
  for (size_t i = 0; i < 8; i++)
    bytes[i] = (char)(hash >> (8 * i));
  lua_pushlstring(L, bytes, sizeof(bytes));
  return 1;
}

/* ---- tables ---- */

static int error_of(lua_State *L) {
  int error = (int)luaL_checkinteger(L, 1);

  lua_pushstring(L, reverst_error_name(error));
  lua_pushstring(L, reverst_strerror(error));
  return 2;
}

static int failures(lua_State *L) {
  static const char *const retries[] = { "never", "safe", "idempotent" };

  lua_newtable(L);
  for (int i = 0; i < RV_FAILURE_COUNT; i++) {
    const struct rv_failure_row *row = rv_failure_row((enum rv_failure)i);
    lua_newtable(L);
    lua_pushinteger(L, i);
    lua_setfield(L, -2, "value");
    lua_pushstring(L, retries[row->retry]);
    lua_setfield(L, -2, "retry");
    lua_pushinteger(L, row->status);
    lua_setfield(L, -2, "status");
    lua_pushboolean(L, row->h1_action == RV_H1_CLOSE);
    lua_setfield(L, -2, "closes");
    lua_pushinteger(L, (lua_Integer)row->h3_code);
    lua_setfield(L, -2, "h3_code");
    lua_pushstring(L, row->text);
    lua_setfield(L, -2, "text");
    lua_setfield(L, -2, row->word);
  }
  return 1;
}

int luaopen_spec_text(lua_State *L) {
  static const luaL_Reg map[] = { { "insert", map_insert },
    { "find", map_find }, { "remove", map_remove }, { "any", map_any },
    { "size", map_size }, { NULL, NULL } };
  static const luaL_Reg functions[] = { { "equal_nocase", equal_nocase },
    { "trim", trim }, { "elements", elements }, { "to_uint", to_uint },
    { "parse_address", parse_address }, { "split_address", split_address },
    { "equal_addresses", equal_addresses }, { "limit_key", limit_key },
    { "map", new_map }, { "siphash", siphash }, { "error", error_of },
    { "failures", failures }, { NULL, NULL } };

  spec_new_type(L, map_type, map, close_map);
  luaL_newlib(L, functions);
  return 1;
}
