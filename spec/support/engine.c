/* SPDX-License-Identifier: MIT */
/* require "spec.engine": engines whose time and randomness a spec decides. */
#include "engine.h"

#include <string.h>

#include "base/log.h"
#include <reverst/error.h>

struct engine {
  struct rv_engine engine;
  uint64_t now, random_state;
  unsigned requested; /* turns asked for */
  bool is_open;
  lua_State *logging; /* while an entry is being made */
};

static const char type[] = "spec.engine";

int luaopen_spec_engine(lua_State *L);

void *spec_new(lua_State *L, size_t size, const char *type_name, int owner) {
  void *object = lua_newuserdatauv(L, size, 1);

  memset(object, 0, size);
  if (owner != 0) {
    lua_pushvalue(L, owner);
    (void)lua_setiuservalue(L, -2, 1);
  }
  luaL_setmetatable(L, type_name);
  return object;
}

void spec_new_type(lua_State *L, const char *type_name, const luaL_Reg *methods,
    lua_CFunction close) {
  luaL_newmetatable(L, type_name);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  if (close != NULL) {
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__close");
  }
  lua_pop(L, 1);
}

struct rv_span spec_check_span(lua_State *L, int index) {
  struct rv_span span;
  span.data = luaL_checklstring(L, index, &span.length);
  return span;
}

void spec_push_span(lua_State *L, struct rv_span span) {
  lua_pushlstring(L, span.data != NULL ? span.data : "", span.length);
}

int spec_push_result(lua_State *L, int r) {
  if (r >= 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

static uint64_t read_clock(void *context) {
  const struct engine *self = context;
  return self->now;
}

/* splitmix64 */
static void read_random(void *context, void *data, size_t length) {
  struct engine *self = context;
  uint8_t *bytes = data;

  for (size_t i = 0; i < length; i++) {
    uint64_t z = self->random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    bytes[i] = (uint8_t)(z >> 56);
  }
}

static void on_requested(struct rv_turn *turn) {
  struct engine *self = rv_container_of(turn, struct engine, engine.turn);
  self->requested++;
}

/* Leaves a table of the entry on the stack of whoever makes it. */
static void on_logged(const struct reverst_log_entry *entry, void *user_data) {
  struct engine *self = user_data;
  lua_State *L = self->logging;

  lua_newtable(L);
  lua_pushinteger(L, entry->level);
  lua_setfield(L, -2, "level");
  lua_pushstring(L, entry->event);
  lua_setfield(L, -2, "event");
  for (size_t i = 0; i < entry->field_count; i++) {
    const struct reverst_log_field *field = &entry->fields[i];
    if (field->text != NULL)
      lua_pushlstring(L, field->text, field->text_length);
    else
      lua_pushinteger(L, field->number);
    lua_setfield(L, -2, field->key);
  }
}

/* engine.new { seed = 1, now = 0, log_level = 0, system = false } */
static int new_engine(lua_State *L) {
  struct rv_engine_options options = { .on_requested = on_requested };
  struct engine *self;

  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  self = spec_new(L, sizeof(*self), type, 0);
  lua_getfield(L, 1, "seed");
  lua_getfield(L, 1, "now");
  lua_getfield(L, 1, "log_level");
  lua_getfield(L, 1, "memory_budget");
  lua_getfield(L, 1, "system");
  self->random_state = (uint64_t)luaL_optinteger(L, -5, 1);
  self->now = (uint64_t)luaL_optinteger(L, -4, 0);
  options.log_level = (enum reverst_log_level)luaL_optinteger(L, -3, 0);
  options.memory_budget = (size_t)luaL_optinteger(L, -2, 0);
  options.log = on_logged;
  options.log_user_data = self;
  if (!lua_toboolean(L, -1)) {
    options.read_clock = read_clock;
    options.read_random = read_random;
    options.context = self;
  }
  lua_pop(L, 5);
  rv_engine_init(&self->engine, &options);
  self->is_open = true;
  return 1;
}

static struct engine *check(lua_State *L, int index) {
  struct engine *self = luaL_checkudata(L, index, type);
  luaL_argcheck(L, self->is_open, index, "the engine is closed");
  return self;
}

struct rv_engine *spec_check_engine(lua_State *L, int index) {
  return &check(L, index)->engine;
}

static size_t live_chunks(const struct rv_engine *engine) {
  return engine->chunks.live - (engine->chunks.current != NULL);
}

/* Raises an error if an object is left: nothing is freed then. */
static int close_engine(lua_State *L) {
  struct engine *self = luaL_checkudata(L, 1, type);
  static const struct rv_counters none;

  if (!self->is_open)
    return 0;
  if (live_chunks(&self->engine) != 0)
    return luaL_error(L, "%d chunks are left", (int)live_chunks(&self->engine));
  if (memcmp(&self->engine.live, &none, sizeof(none)) != 0)
    return luaL_error(L, "objects are left");
  self->is_open = false;
  rv_engine_deinit(&self->engine);
  return 0;
}

static int set_now(lua_State *L) {
  struct engine *self = check(L, 1);

  self->now = (uint64_t)luaL_checkinteger(L, 2);
  rv_engine_refresh(&self->engine);
  return 0;
}

static int get_now(lua_State *L) {
  struct engine *self = check(L, 1);

  rv_engine_refresh(&self->engine);
  lua_pushinteger(L, (lua_Integer)self->engine.now);
  return 1;
}

static int run_turn(lua_State *L) {
  rv_turn_run(&check(L, 1)->engine.turn);
  return 0;
}

static int get_requested(lua_State *L) {
  lua_pushinteger(L, check(L, 1)->requested);
  return 1;
}

/* engine:chunks() -> live ones but the pool's current, free ones */
static int get_chunks(lua_State *L) {
  const struct rv_engine *engine = spec_check_engine(L, 1);

  lua_pushinteger(L, (lua_Integer)live_chunks(engine));
  lua_pushinteger(L, (lua_Integer)engine->chunks.free_count);
  return 2;
}

static int get_exchanges(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check(L, 1)->engine.live.exchanges);
  return 1;
}

static int is_short_of_memory(lua_State *L) {
  lua_pushboolean(L, rv_engine_is_short_of_memory(&check(L, 1)->engine));
  return 1;
}

static int get_random(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)rv_random_uint(&check(L, 1)->engine));
  return 1;
}

/* engine:log(level) -> the entry that was made, or nil */
static int write_log(lua_State *L) {
  struct engine *self = check(L, 1);
  enum reverst_log_level level =
      (enum reverst_log_level)luaL_checkinteger(L, 2);
  int evaluated = 0;

  lua_settop(L, 2);
  self->logging = L;
  rv_log(&self->engine, level, "tried", rv_log_text("text", "a\"b"),
      rv_log_text("nothing", NULL), rv_log_number("number", ++evaluated));
  self->logging = NULL;
  if (lua_gettop(L) == 2 && evaluated > 0)
    return luaL_error(L, "fields were evaluated for no entry");
  return lua_gettop(L) - 2;
}

int luaopen_spec_engine(lua_State *L) {
  static const luaL_Reg functions[] = { { "new", new_engine }, { NULL, NULL } };
  static const luaL_Reg methods[] = {
    { "close", close_engine },
    { "set_now", set_now },
    { "now", get_now },
    { "run_turn", run_turn },
    { "requested", get_requested },
    { "chunks", get_chunks },
    { "exchanges", get_exchanges },
    { "is_short_of_memory", is_short_of_memory },
    { "random", get_random },
    { "log", write_log },
    { NULL, NULL },
  };

  spec_new_type(L, type, methods, NULL);
  luaL_newlib(L, functions);
  return 1;
}
