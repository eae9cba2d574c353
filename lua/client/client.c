/* SPDX-License-Identifier: MIT */
/* Clients as objects of Lua; their callbacks are tasks. */
#include "lua/client/client.h"

#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <reverst/client.h>

#include "lua/client/request.h"
#include "lua/engine/task.h"
#include "lua/value/fields.h"
#include "lua/value/handle.h"

enum { EXPLANATION_SIZE = 512 };

static const char type_name[] = "reverst.client";

struct client {
  struct rv_lua_object object;
  reverst_client *client;
  /* references; LUA_NOREF: none */
  int on_connected, on_disconnected, on_draining, on_origin_unreachable,
      on_origin_reachable, on_request;
  bool closing;
};

/* A call of one of the callbacks; it outlives the client. */
struct event_task {
  struct rv_lua_task task; /* first: the two are converted */
  const char *name;        /* of the callback */
  bool has_event, is_of_origin, refused;
  int error;
  char reason[256];
  uint64_t retry_in;
};

static const char *text_of(const struct event_task *event) {
  return event->is_of_origin ? reverst_strerror(event->error)
                             : reverst_disconnect_text(&(reverst_disconnect){
                                   .error = event->error,
                                   .refused = event->refused,
                               });
}

static int push_event(struct rv_lua_task *task, lua_State *L) {
  const struct event_task *event = (const struct event_task *)task;

  if (!event->has_event)
    return 0;
  lua_createtable(L, 0, 5);
  rv_lua_set_text(L, "reason", event->reason);
  rv_lua_set_text(L, "error", text_of(event));
  rv_lua_set_text(L, "code", reverst_error_name(event->error));
  if (event->is_of_origin)
    return 1;
  rv_lua_set_flag(L, "refused", event->refused);
  lua_pushnumber(L, (lua_Number)event->retry_in / 1e9);
  lua_setfield(L, -2, "retry_in");
  return 1;
}

static void complain(
    struct rv_lua *lua, const char *callback, const char *error) {
  rv_lua_complain(lua, &lua->callback_complaint,
      &(struct rv_lua_problem){
          .event = "callback_failed", .function = callback, .error = error });
}

static void on_event_ended(struct rv_lua_task *task, const char *error) {
  if (error && !task->cancelled)
    complain(task->lua, ((const struct event_task *)task)->name, error);
  free(task);
}

static const struct rv_lua_task_type event_type = {
  .push_arguments = push_event,
  .on_ended = on_event_ended,
};

static void call_back(
    struct client *client, const struct event_task *event, int function) {
  struct event_task *task;

  if (function == LUA_NOREF || client->closing || client->object.lua->stopping)
    return;
  task = malloc(sizeof(*task));
  if (!task) {
    complain(client->object.lua, event->name, "not enough memory");
    return;
  }
  *task = *event;
  rv_lua_task_start(&task->task, client->object.lua, &event_type, function);
}

static void on_connected(reverst_client *handle, void *user_data) {
  struct client *client = user_data;
  const struct event_task event = { .name = "on_connected" };

  (void)handle;
  call_back(client, &event, client->on_connected);
}

static void on_draining(reverst_client *handle, void *user_data) {
  struct client *client = user_data;
  const struct event_task event = { .name = "on_draining" };

  (void)handle;
  call_back(client, &event, client->on_draining);
}

static void on_disconnected(reverst_client *handle,
    const reverst_disconnect *disconnect, void *user_data) {
  struct client *client = user_data;
  struct event_task event = {
    .name = "on_disconnected",
    .has_event = true,
    .refused = disconnect->refused,
    .error = disconnect->error,
    .retry_in = disconnect->retry_in,
  };

  (void)handle;
  snprintf(event.reason, sizeof(event.reason), "%s",
      disconnect->reason ? disconnect->reason : "");
  call_back(client, &event, client->on_disconnected);
}

static void on_origin_unreachable(
    reverst_client *handle, int error, const char *reason, void *user_data) {
  struct client *client = user_data;
  struct event_task event = {
    .name = "on_origin_unreachable",
    .has_event = true,
    .is_of_origin = true,
    .error = error,
  };

  (void)handle;
  snprintf(event.reason, sizeof(event.reason), "%s", reason);
  call_back(client, &event, client->on_origin_unreachable);
}

static void on_origin_reachable(reverst_client *handle, void *user_data) {
  struct client *client = user_data;
  const struct event_task event = { .name = "on_origin_reachable" };

  (void)handle;
  call_back(client, &event, client->on_origin_reachable);
}

static void on_request(reverst_request *request, void *user_data) {
  const struct client *client = user_data;

  rv_lua_request_start(request, client->object.lua, client->on_request);
}

static void unref_callbacks(struct client *client, lua_State *L) {
  luaL_unref(L, LUA_REGISTRYINDEX, client->on_connected);
  luaL_unref(L, LUA_REGISTRYINDEX, client->on_disconnected);
  luaL_unref(L, LUA_REGISTRYINDEX, client->on_draining);
  luaL_unref(L, LUA_REGISTRYINDEX, client->on_origin_unreachable);
  luaL_unref(L, LUA_REGISTRYINDEX, client->on_origin_reachable);
  luaL_unref(L, LUA_REGISTRYINDEX, client->on_request);
}

static void on_closed(void *user_data) {
  struct client *client = user_data;

  unref_callbacks(client, client->object.lua->L);
  rv_lua_object_unlink(&client->object);
  free(client);
}

/* There is nothing to drain: a server gives no more once it knows. */
static void stop(struct rv_lua_object *object, bool drain) {
  struct client *client = (struct client *)object;

  (void)drain;
  if (client->closing)
    return;
  client->closing = true;
  reverst_client_close(client->client, on_closed, client);
}

/* nil and "closed" are on the stack when it gives NULL */
static struct client *check_client(lua_State *L) {
  struct rv_lua_object *object = rv_lua_handle_get(L, type_name);

  if (!object) {
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
  }
  return (struct client *)object;
}

static int is_connected(lua_State *L) {
  struct client *client = check_client(L);

  if (!client)
    return 2;
  lua_pushboolean(L, reverst_client_is_connected(client->client));
  return 1;
}

static int close_client(lua_State *L) {
  struct client *client = check_client(L);

  if (!client)
    return 2;
  stop(&client->object, false);
  return 0;
}

static const luaL_Reg methods[] = {
  { "is_connected", is_connected },
  { "close", close_client },
  { NULL, NULL },
};

/* The pairs of options.metadata, ended by a NULL name, in memory that the stack
   holds; the table holds the texts. NULL: there is none. */
static const reverst_field *read_metadata(lua_State *L, int index) {
  int type = lua_getfield(L, index, "metadata");
  int table = lua_gettop(L);
  reverst_field *fields;
  size_t count = 0;

  if (type == LUA_TNIL)
    return NULL;
  luaL_checktype(L, table, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
    count++;
  fields = lua_newuserdatauv(L, (count + 1) * sizeof(*fields), 0);
  count = 0;
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "metadata: expected texts by text");
    fields[count].name = lua_tostring(L, -2);
    fields[count++].value = lua_tostring(L, -1);
  }
  fields[count].name = NULL;
  return fields;
}

static void read_options(
    lua_State *L, struct rv_lua *lua, reverst_client_options *options) {
  *options = (reverst_client_options){
    .address = rv_lua_text_field(L, 1, "address"),
    .server_name = rv_lua_text_field(L, 1, "server_name"),
    .group = rv_lua_text_field(L, 1, "group"),
    .ca_path = rv_lua_text_field(L, 1, "ca_path"),
    .insecure = rv_lua_flag_field(L, 1, "insecure"),
    .credentials = {
      .username = rv_lua_text_field(L, 1, "username"),
      .password = rv_lua_text_field(L, 1, "password"),
      .password_path = rv_lua_text_field(L, 1, "password_path"),
      .token = rv_lua_text_field(L, 1, "token"),
      .token_path = rv_lua_text_field(L, 1, "token_path"),
      .scheme = rv_lua_text_field(L, 1, "scheme"),
    },
    .metadata = read_metadata(L, 1),
    .max_idle_timeout = rv_lua_duration_field(L, 1, "max_idle_timeout"),
    .keep_alive_period = rv_lua_duration_field(L, 1, "keep_alive_period"),
    .registration_timeout =
        rv_lua_duration_field(L, 1, "registration_timeout"),
    .origin = rv_lua_text_field(L, 1, "origin"),
    .origin_ca_path = rv_lua_text_field(L, 1, "origin_ca_path"),
    .on_connected = on_connected,
    .on_disconnected = on_disconnected,
    .on_draining = on_draining,
    .on_origin_unreachable = on_origin_unreachable,
    .on_origin_reachable = on_origin_reachable,
    .log_level = lua->log_level,
    .log = lua->options.log,
    .log_user_data = lua->options.log_user_data,
  };
}

int rv_lua_client_new(lua_State *L) {
  struct rv_lua *lua = rv_lua_of(L);
  char explanation[EXPLANATION_SIZE] = "";
  struct rv_lua_object **handle;
  reverst_client_options options;
  struct client parts = { .object = { .stop = stop } }, *client;
  int r;

  luaL_checktype(L, 1, LUA_TTABLE);
  read_options(L, lua, &options);
  options.explanation = explanation;
  options.explanation_size = sizeof(explanation);
  handle = rv_lua_handle_push(L, type_name, methods);
  parts.on_connected = rv_lua_function_field(L, 1, "on_connected");
  parts.on_disconnected = rv_lua_function_field(L, 1, "on_disconnected");
  parts.on_draining = rv_lua_function_field(L, 1, "on_draining");
  parts.on_origin_unreachable =
      rv_lua_function_field(L, 1, "on_origin_unreachable");
  parts.on_origin_reachable =
      rv_lua_function_field(L, 1, "on_origin_reachable");
  parts.on_request = rv_lua_function_field(L, 1, "on_request");
  if (parts.on_request != LUA_NOREF)
    options.on_request = on_request;
  client = malloc(sizeof(*client));
  if (!client) {
    unref_callbacks(&parts, L);
    return rv_lua_push_error(L, REVERST_ERR_NO_MEMORY);
  }
  *client = parts;
  client->object.lua = lua;
  options.user_data = client;
  r = reverst_client_new(&client->client, lua->options.base, &options);
  if (r < 0) {
    unref_callbacks(client, L);
    free(client);
    return rv_lua_push_failure(L, r, explanation);
  }
  rv_lua_object_link(lua, &client->object, handle);
  return 1;
}
