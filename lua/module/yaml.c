/* SPDX-License-Identifier: MIT */
/* The module reverst.yaml_events: what libyaml sees in a text. */
#include "lua/module/yaml.h"

#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>
#include <yaml.h>

#include "lua/value/fields.h"

/* As whoever reads the events allows: the time that libyaml takes grows with
   the square of the depth. */
enum { MAX_DEPTH = 64 };

static const char type_name[] = "reverst.yaml_reader";

/* A userdata, so that a Lua error leaves nothing behind. */
struct reader {
  yaml_parser_t parser;
  yaml_event_t event;
  bool is_open;
};

static int close_reader(lua_State *L) {
  struct reader *reader = luaL_checkudata(L, 1, type_name);

  if (reader->is_open) {
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
  }
  reader->is_open = false;
  return 0;
}

static const luaL_Reg metamethods[] = {
  { "__gc", close_reader },
  { NULL, NULL },
};

static struct reader *push_reader(
    lua_State *L, const char *text, size_t length) {
  struct reader *reader = lua_newuserdatauv(L, sizeof(*reader), 0);

  memset(reader, 0, sizeof(*reader));
  if (luaL_newmetatable(L, type_name))
    luaL_setfuncs(L, metamethods, 0);
  lua_setmetatable(L, -2);
  if (!yaml_parser_initialize(&reader->parser))
    luaL_error(L, "not enough memory");
  reader->is_open = true;
  yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(
      &reader->parser, (const unsigned char *)text, length);
  return reader;
}

static void set_text(lua_State *L, const char *key, const yaml_char_t *text) {
  rv_lua_set_text(L, key, (const char *)text);
}

static const char *kind_of(const yaml_event_t *event) {
  switch (event->type) {
  case YAML_DOCUMENT_START_EVENT:
    return "document";
  case YAML_ALIAS_EVENT:
    return "alias";
  case YAML_SCALAR_EVENT:
    return "scalar";
  case YAML_SEQUENCE_START_EVENT:
    return "sequence";
  case YAML_MAPPING_START_EVENT:
    return "mapping";
  default:
    return "end";
  }
}

static void set_data(lua_State *L, const yaml_event_t *event) {
  switch (event->type) {
  case YAML_ALIAS_EVENT:
    set_text(L, "anchor", event->data.alias.anchor);
    break;
  case YAML_SCALAR_EVENT:
    set_text(L, "anchor", event->data.scalar.anchor);
    set_text(L, "tag", event->data.scalar.tag);
    lua_pushlstring(
        L, (const char *)event->data.scalar.value, event->data.scalar.length);
    lua_setfield(L, -2, "value");
    rv_lua_set_flag(
        L, "is_plain", event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
    break;
  case YAML_SEQUENCE_START_EVENT:
    set_text(L, "anchor", event->data.sequence_start.anchor);
    set_text(L, "tag", event->data.sequence_start.tag);
    break;
  case YAML_MAPPING_START_EVENT:
    set_text(L, "anchor", event->data.mapping_start.anchor);
    set_text(L, "tag", event->data.mapping_start.tag);
    break;
  default:
    break;
  }
}

static void push_event(lua_State *L, const yaml_event_t *event) {
  lua_createtable(L, 0, 7);
  rv_lua_set_text(L, "kind", kind_of(event));
  rv_lua_set_integer(L, "line", (int64_t)event->start_mark.line + 1);
  rv_lua_set_integer(L, "column", (int64_t)event->start_mark.column + 1);
  set_data(L, event);
}

/* nil, why, and the place: line and column, or the number of bytes before it */
static int push_problem(lua_State *L, const yaml_parser_t *parser) {
  if (parser->error == YAML_MEMORY_ERROR)
    return luaL_error(L, "not enough memory");
  lua_pushnil(L);
  lua_pushstring(L, parser->problem ? parser->problem : "it cannot be read");
  lua_createtable(L, 0, 2);
  if (parser->error == YAML_READER_ERROR) {
    rv_lua_set_integer(L, "offset", (int64_t)parser->problem_offset);
  } else {
    rv_lua_set_integer(L, "line", (int64_t)parser->problem_mark.line + 1);
    rv_lua_set_integer(L, "column", (int64_t)parser->problem_mark.column + 1);
  }
  return 3;
}

static int nesting_of(yaml_event_type_t type) {
  switch (type) {
  case YAML_SEQUENCE_START_EVENT:
  case YAML_MAPPING_START_EVENT:
    return 1;
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT:
    return -1;
  default:
    return 0;
  }
}

static int push_too_deep(lua_State *L, const yaml_event_t *event) {
  lua_pushnil(L);
  lua_pushfstring(L, "it is nested more than %d deep", MAX_DEPTH);
  lua_createtable(L, 0, 2);
  rv_lua_set_integer(L, "line", (int64_t)event->start_mark.line + 1);
  rv_lua_set_integer(L, "column", (int64_t)event->start_mark.column + 1);
  return 3;
}

/* events(text): a list of tables with kind, line and column, and where there is
   one: anchor, tag, value, is_plain.  "end" ends a sequence, a mapping, a
   document and the whole. */
static int events(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  struct reader *reader = push_reader(L, text, length);
  yaml_event_type_t type;
  lua_Integer count = 0;
  int depth = 0;

  lua_newtable(L);
  do {
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event))
      return push_problem(L, &reader->parser);
    type = reader->event.type;
    depth += nesting_of(type);
    if (depth > MAX_DEPTH)
      return push_too_deep(L, &reader->event);
    if (type != YAML_STREAM_START_EVENT) {
      push_event(L, &reader->event);
      lua_rawseti(L, -2, ++count);
    }
  } while (type != YAML_STREAM_END_EVENT);
  return 1;
}

static const luaL_Reg functions[] = {
  { "events", events },
  { NULL, NULL },
};

int rv_lua_open_yaml_events(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
