/* SPDX-License-Identifier: MIT */
/* A request, the task that answers it, and the handle: the last to go frees
   what they share. */
#include "lua/client/request.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <reverst/values.h>

#include "lua/engine/task.h"
#include "lua/value/handle.h"
#include "lua/value/pairs.h"

static const char type_name[] = "reverst.request";

enum { DEFAULT_READ = 65536, MAX_READ = 1 << 20 };

struct request {
  struct rv_lua_task task;  /* first: the two are converted */
  reverst_request *request; /* NULL: it is over */
  struct request **handle;  /* in a userdata; NULL: none (any more) */
  /* Two tasks may share the handle, one that reads and one that writes. */
  struct rv_lua_wait readable, writable;
  bool has_answered; /* begun to answer */
  bool has_finished; /* and come to the end of it */
  bool has_failed;   /* a part of it could not be sent, which was told */
  bool is_bodiless;  /* what is written goes nowhere */
  bool has_task;
};

static void free_if_unused(struct request *request) {
  if (!request->request && !request->handle && !request->has_task)
    free(request);
}

/* ---- the request ---- */

static void on_readable(reverst_request *handle, void *user_data) {
  struct request *request = user_data;

  (void)handle;
  rv_lua_task_wake(&request->readable);
}

static void on_writable(reverst_request *handle, void *user_data) {
  struct request *request = user_data;

  (void)handle;
  rv_lua_task_wake(&request->writable);
}

static void on_closed(reverst_request *handle, bool complete, void *user_data) {
  struct request *request = user_data;

  (void)handle;
  request->request = NULL;
  rv_lua_task_wake(&request->readable);
  rv_lua_task_wake(&request->writable);
  if (!request->has_task)
    free_if_unused(request);
  else if (complete)
    rv_lua_task_limit(
        &request->task, request->task.lua->options.task_timeout, NULL);
  else
    rv_lua_task_cancel(&request->task); /* may free the request */
}

static const reverst_request_events events = {
  .on_readable = on_readable,
  .on_writable = on_writable,
  .on_closed = on_closed,
};

/* ---- the handle ---- */

static int collect(lua_State *L) {
  struct request **cell = lua_touserdata(L, 1), *request = *cell;

  *cell = NULL;
  if (request) {
    request->handle = NULL;
    free_if_unused(request);
  }
  return 0;
}

static struct request *check_request(lua_State *L) {
  struct request **cell = luaL_checkudata(L, 1, type_name);

  return *cell && (*cell)->request ? *cell : NULL;
}

static int push_closed(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "closed");
  lua_pushliteral(L, "REVERST_ERR_CLOSED");
  return 3;
}

static int push_outcome(lua_State *L, int r) {
  if (r == REVERST_ERR_CLOSED)
    return push_closed(L);
  if (r < 0)
    return rv_lua_push_error(L, r);
  lua_pushboolean(L, 1);
  return 1;
}

static int push_answer_outcome(lua_State *L, struct request *request, int r) {
  if (r < 0)
    request->has_failed = true;
  return push_outcome(L, r);
}

static int head(lua_State *L) {
  const struct request *request = check_request(L);
  const char *name, *value;
  size_t i;

  if (!request)
    return push_closed(L);
  lua_pushstring(L, reverst_request_method(request->request));
  lua_pushstring(L, reverst_request_scheme(request->request));
  lua_pushstring(L, reverst_request_host(request->request));
  lua_pushstring(L, reverst_request_path(request->request));
  lua_newtable(L);
  for (i = 0; reverst_request_header_at(request->request, i, &name, &value);
       ++i)
    rv_lua_add_pair(L, i, name, value);
  return 5;
}

static void cancel_wait(struct rv_lua_wait *wait) {
  (void)wait; /* what comes later wakes nobody */
}

/* Goes on in `continuation` with the first two arguments. */
static int wait_for(lua_State *L, struct rv_lua_wait *wait, const char *what,
    lua_KFunction continuation) {
  rv_lua_check_may_wait(L, what);
  if (wait->task)
    return luaL_error(L, "%s: another task is at it already", what);
  wait->cancel = cancel_wait;
  lua_settop(L, 2);
  return rv_lua_task_wait(L, wait, continuation, 0);
}

static int go_on_reading(lua_State *L, int status, lua_KContext context) {
  struct request *request = check_request(L);
  lua_Integer max = luaL_optinteger(L, 2, DEFAULT_READ);
  luaL_Buffer buffer;
  char *bytes;
  ssize_t n;

  (void)status;
  (void)context;
  luaL_argcheck(L, max >= 1, 2, "not above 0");
  if (!request)
    return push_closed(L);
  if (max > MAX_READ)
    max = MAX_READ;
  bytes = luaL_buffinitsize(L, &buffer, (size_t)max);
  n = reverst_request_read(request->request, bytes, (size_t)max);
  if (n == REVERST_ERR_AGAIN)
    return wait_for(L, &request->readable, "read", go_on_reading);
  if (n < 0)
    return push_outcome(L, (int)n);
  luaL_pushresultsize(&buffer, (size_t)n);
  return 1;
}

static int read_body(lua_State *L) {
  return go_on_reading(L, LUA_OK, 0);
}

static int check_status(lua_State *L, int index) {
  lua_Integer status = luaL_checkinteger(L, index);

  luaL_argcheck(
      L, status >= 200 && status <= 599, index, "a status is 200 to 599");
  return (int)status;
}

static int respond(lua_State *L) {
  struct request *request = check_request(L);
  reverst_response response = { .status = check_status(L, 2) };
  int r;

  response.body = luaL_optlstring(L, 4, "", &response.body_length);
  if (!request)
    return push_closed(L);
  response.headers = rv_lua_check_pairs(L, 3);
  r = reverst_respond(request->request, &response);
  if (r == 0)
    request->has_answered = request->has_finished = true;
  return push_answer_outcome(L, request, r);
}

/* Such an answer has its end with its head. */
static bool is_bodiless(const reverst_request *request, int status) {
  return status == 204 || status == 304 ||
         strcmp(reverst_request_method(request), "HEAD") == 0;
}

static int start(lua_State *L) {
  struct request *request = check_request(L);
  reverst_response response = { .status = check_status(L, 2) };
  bool bodiless;
  int r;

  if (!request)
    return push_closed(L);
  response.headers = rv_lua_check_pairs(L, 3);
  bodiless = is_bodiless(request->request, response.status);
  r = reverst_response_start(request->request, &response);
  if (r == 0) {
    request->has_answered = true;
    request->is_bodiless = request->has_finished = bodiless;
  }
  return push_answer_outcome(L, request, r);
}

static int go_on_writing(lua_State *L, int status, lua_KContext context) {
  struct request *request = check_request(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  int r;

  (void)status;
  (void)context;
  if (!request)
    return push_closed(L);
  if (request->is_bodiless)
    return push_outcome(L, 0);
  r = reverst_response_write(request->request, bytes, length);
  if (r == REVERST_ERR_AGAIN)
    return wait_for(L, &request->writable, "write", go_on_writing);
  return push_answer_outcome(L, request, r);
}

static int write_body(lua_State *L) {
  return go_on_writing(L, LUA_OK, 0);
}

static int finish(lua_State *L) {
  struct request *request = check_request(L);
  const reverst_field *trailers;
  int r;

  if (!request)
    return push_closed(L);
  if (request->is_bodiless)
    return push_outcome(L, 0);
  trailers = rv_lua_check_pairs(L, 2);
  r = reverst_response_end(request->request, trailers);
  if (r == 0)
    request->has_finished = true;
  return push_answer_outcome(L, request, r);
}

static const luaL_Reg methods[] = {
  { "head", head },
  { "read", read_body },
  { "respond", respond },
  { "start", start },
  { "write", write_body },
  { "finish", finish },
  { NULL, NULL },
};

/* ---- the task ---- */

static int push_handle(struct rv_lua_task *task, lua_State *L) {
  struct request *request = (struct request *)task;
  struct request **cell = lua_newuserdatauv(L, sizeof(struct request *), 0);

  *cell = NULL;
  rv_lua_push_class(L, type_name, methods, collect);
  lua_setmetatable(L, -2);
  *cell = request;
  request->handle = cell;
  return 1;
}

static void fail_request(struct request *request) {
  static const reverst_field text[] = {
    { "Content-Type", "text/plain; charset=utf-8" },
    { NULL, NULL },
  };
  static const char body[] = "500 Internal Server Error\n";
  const reverst_response response = { 500, text, body, sizeof(body) - 1 };

  if (request->has_answered || reverst_respond(request->request, &response) < 0)
    reverst_response_abort(request->request);
}

/* An answer that is not whole though nothing went wrong. */
static const char *omission(const struct request *request) {
  if (!request->request || request->has_finished || request->has_failed)
    return NULL;
  return request->has_answered
             ? "handle is over without request:finish()"
             : "handle returned nothing (is \"return\" missing?)";
}

static void complain(struct rv_lua *lua, const char *error) {
  rv_lua_complain(lua, &lua->handle_complaint,
      &(struct rv_lua_problem){
          .event = "handle_failed", .function = "handle", .error = error });
}

static void on_ended(struct rv_lua_task *task, const char *error) {
  struct request *request = (struct request *)task;

  if (!error)
    error = omission(request);
  if (error && !task->cancelled)
    complain(task->lua, error);
  request->has_task = false;
  if (request->request && !request->has_finished)
    fail_request(request);
  free_if_unused(request);
}

static const struct rv_lua_task_type request_type = {
  .push_arguments = push_handle,
  .on_ended = on_ended,
  /* an answer may be a stream of events; it is ended with the request */
  .timeout = REVERST_NEVER,
  .is_budget_renewed = true,
};

void rv_lua_request_start(
    reverst_request *handle, struct rv_lua *lua, int function) {
  struct request *request = calloc(1, sizeof(*request));

  if (!request) {
    reverst_response_abort(handle);
    return;
  }
  request->request = handle;
  request->has_task = true;
  reverst_request_set_events(handle, &events, request);
  rv_lua_task_start(&request->task, lua, &request_type, function);
}
