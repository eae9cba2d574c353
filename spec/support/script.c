/* SPDX-License-Identifier: MIT */
/* Tasks of a Lua engine, in a state and on a loop of their own.
   run(options, code...): each is a task that gets its number; until all have
   ended; they may call end_all().  Gives a list, in the order of their ends, of
   { number, ok, text }: the first result, or the error; and a list of log
   entries, { event, text }: the texts of all fields, a line each. run_and_stop:
   as soon as all have begun, what waits is ended. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <lauxlib.h>

#include "lua/engine/engine.h"
#include "lua/engine/task.h"
#include "lua/value/fields.h"

enum { MAX_SCRIPTS = 8, MAX_ENTRIES = 8, TEXT_SIZE = 4096 };

/* ends all tasks, the one that runs too */
static int end_all(lua_State *L) {
  rv_lua_stop(rv_lua_of(L), false);
  return 0;
}

struct script {
  struct rv_lua_task task; /* first: the two are converted */
  struct run *run;
  const char *code;
  int number, function;
  bool ok;
  char text[TEXT_SIZE];
};

struct entry {
  char event[64], text[TEXT_SIZE];
};

struct run {
  struct event_base *base;
  struct rv_lua *lua;
  struct script scripts[MAX_SCRIPTS];
  struct script *ended[MAX_SCRIPTS];
  struct entry entries[MAX_ENTRIES];
  int count, ended_count, entry_count;
  bool keep_running; /* what is spawned, when all have ended */
  bool takes_signal; /* which the engine's watchdog would take otherwise */
  bool blocks_signal;
};

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  struct run *run = user_data;
  struct entry *kept;
  size_t i, length;

  if (run->entry_count == MAX_ENTRIES)
    return;
  kept = &run->entries[run->entry_count++];
  snprintf(kept->event, sizeof(kept->event), "%s", entry->event);
  for (i = 0; i < entry->field_count; ++i) {
    if (!entry->fields[i].text)
      continue;
    length = strlen(kept->text);
    snprintf(kept->text + length, sizeof(kept->text) - length, "%s%.*s",
        length > 0 ? "\n" : "", (int)entry->fields[i].text_length,
        entry->fields[i].text);
  }
}

static int load_code(lua_State *L) {
  struct script *script = lua_touserdata(L, 1);

  if (luaL_loadstring(L, script->code) != LUA_OK)
    return lua_error(L);
  script->function = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_register(L, "end_all", end_all);
  return 0;
}

static int push_number(struct rv_lua_task *task, lua_State *L) {
  lua_pushinteger(L, ((struct script *)task)->number);
  return 1;
}

static void on_returned(struct rv_lua_task *task, lua_State *L) {
  struct script *script = (struct script *)task;

  snprintf(
      script->text, sizeof(script->text), "%s", luaL_tolstring(L, -2, NULL));
}

static void on_ended(struct rv_lua_task *task, const char *error) {
  struct script *script = (struct script *)task;

  script->ok = !error;
  if (error)
    snprintf(script->text, sizeof(script->text), "%s", error);
  script->run->ended[script->run->ended_count++] = script;
  /* what is spawned, and connections that are kept, would keep the loop */
  if (script->run->ended_count == script->run->count &&
      !script->run->keep_running)
    rv_lua_stop(task->lua, false);
}

static const struct rv_lua_task_type script_type = {
  .push_arguments = push_number,
  .on_returned = on_returned,
  .on_ended = on_ended,
};

static int start_all(struct run *run, char *error, size_t error_size) {
  int i, r;

  for (i = 0; i < run->count; ++i) {
    r = rv_lua_protect(
        run->lua, load_code, &run->scripts[i], error, error_size);
    if (r < 0)
      return r;
  }
  for (i = 0; i < run->count; ++i)
    rv_lua_task_start(&run->scripts[i].task, run->lua, &script_type,
        run->scripts[i].function);
  return 0;
}

static void push_ended(lua_State *L, const struct run *run) {
  const struct script *script;
  int i;

  lua_createtable(L, run->ended_count, 0);
  for (i = 0; i < run->ended_count; ++i) {
    script = run->ended[i];
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, script->number);
    lua_setfield(L, -2, "number");
    lua_pushboolean(L, script->ok);
    lua_setfield(L, -2, "ok");
    lua_pushstring(L, script->text);
    lua_setfield(L, -2, "text");
    lua_rawseti(L, -2, i + 1);
  }
}

static void push_entries(lua_State *L, const struct run *run) {
  int i;

  lua_createtable(L, run->entry_count, 0);
  for (i = 0; i < run->entry_count; ++i) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, run->entries[i].event);
    lua_setfield(L, -2, "event");
    lua_pushstring(L, run->entries[i].text);
    lua_setfield(L, -2, "text");
    lua_rawseti(L, -2, i + 1);
  }
}

static void read_arguments(
    lua_State *L, struct run *run, struct rv_lua_options *options) {
  int i;

  luaL_checktype(L, 1, LUA_TTABLE);
  options->memory_limit = (size_t)rv_lua_count_field(L, 1, "memory_limit");
  options->task_budget = rv_lua_count_field(L, 1, "task_budget");
  options->task_timeout = rv_lua_count_field(L, 1, "task_timeout");
  run->takes_signal = rv_lua_flag_field(L, 1, "takes_signal");
  run->blocks_signal = rv_lua_flag_field(L, 1, "blocks_signal");
  run->keep_running = rv_lua_flag_field(L, 1, "keep_running");
  luaL_argcheck(L, run->count <= MAX_SCRIPTS, 2, "too many scripts");
  for (i = 0; i < run->count; ++i) {
    run->scripts[i].run = run;
    run->scripts[i].code = luaL_checkstring(L, i + 2);
    run->scripts[i].number = i + 1;
  }
}

static void block_signal(int how) {
  sigset_t signals;

  sigemptyset(&signals);
  sigaddset(&signals, SIGVTALRM);
  pthread_sigmask(how, &signals, NULL);
}

/* `stop`: what still waits when all have begun is ended. */
static int run_scripts(lua_State *L, bool stop) {
  int count = lua_gettop(L) - 1, r;
  struct run *run = lua_newuserdatauv(L, sizeof(*run), 0);
  struct rv_lua_options options = { 0 };
  void (*handler)(int) = SIG_DFL;
  char error[TEXT_SIZE] = "";

  memset(run, 0, sizeof(*run));
  run->count = count;
  read_arguments(L, run, &options);
  run->base = event_base_new();
  options.base = run->base;
  options.log = on_log;
  options.log_user_data = run;
  if (run->takes_signal)
    handler = signal(SIGVTALRM, SIG_IGN);
  if (run->blocks_signal)
    block_signal(SIG_BLOCK);
  r = rv_lua_new(&run->lua, &options);
  if (r == 0)
    r = start_all(run, error, sizeof(error));
  if (r == 0 && stop)
    rv_lua_stop(run->lua, false);
  if (r == 0)
    event_base_dispatch(run->base);
  rv_lua_free(run->lua);
  if (run->takes_signal)
    signal(SIGVTALRM, handler);
  if (run->blocks_signal)
    block_signal(SIG_UNBLOCK);
  event_base_free(run->base);
  if (r < 0)
    return luaL_error(L, "cannot run: %s", error);
  push_ended(L, run);
  push_entries(L, run);
  return 2;
}

static int run_to_end(lua_State *L) {
  return run_scripts(L, false);
}

static int run_and_stop(lua_State *L) {
  return run_scripts(L, true);
}

static const luaL_Reg functions[] = {
  { "run", run_to_end },
  { "run_and_stop", run_and_stop },
  { NULL, NULL },
};

int luaopen_spec_script(lua_State *L);

int luaopen_spec_script(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
