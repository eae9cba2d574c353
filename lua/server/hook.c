/* SPDX-License-Identifier: MIT */
/* Calls hooks in tasks, and decides by what they return. */
#include "lua/server/hook.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <reverst/error.h>

#include "lua/engine/engine.h"
#include "lua/engine/task.h"
#include "lua/server/answer.h"
#include "lua/server/group.h"
#include "lua/server/routing.h"
#include "lua/server/visit.h"

struct rv_lua_hook {
  struct rv_lua_task task; /* first: the two are converted */
  struct rv_lua_routing *routing;
  struct rv_lua_group *group; /* NULL: of route */
  reverst_visit *visit;       /* NULL: it has gone */
  struct rv_lua_visit *request;
  int reference;              /* keeps the request's userdata */
  reverst_response *response; /* what it returned; NULL: none */
  char *group_name;           /* likewise, of route */
};

static const struct rv_lua_task_type route_type, request_type, response_type;

static const char *name_of(const struct rv_lua_hook *hook) {
  if (hook->task.type == &route_type)
    return "route";
  return hook->task.type == &request_type ? "on_request" : "on_response";
}

/* `visit` is NULL when it has gone. */
static void complain(
    struct rv_lua_hook *hook, const reverst_visit *visit, const char *error) {
  struct rv_lua_group *group = hook->group;

  rv_lua_complain(hook->task.lua,
      group ? &group->hook_complaint : &hook->routing->complaint,
      &(struct rv_lua_problem){ .event = "hook_failed",
          .group = group ? group->name : NULL,
          .function = name_of(hook),
          .request = visit ? reverst_visit_id(visit) : NULL,
          .error = error });
}

/* ---- arguments ---- */

static void push_request(struct rv_lua_hook *hook, lua_State *L) {
  struct rv_lua_visit *request;

  rv_lua_task_limit(&hook->task,
      hook->group ? hook->group->hook_timeout : hook->routing->hook_timeout,
      "hook_timeout");
  request = rv_lua_visit_push(L, hook->visit);
  lua_pushvalue(L, -1);
  hook->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  /* not before it is kept: keeping it may fail */
  hook->request = request;
}

static int push_one(struct rv_lua_task *task, lua_State *L) {
  push_request((struct rv_lua_hook *)task, L);
  return 1;
}

static int push_both(struct rv_lua_task *task, lua_State *L) {
  push_request((struct rv_lua_hook *)task, L);
  rv_lua_visit_push_response(L, -1);
  return 2;
}

/* ---- results ---- */

static void take_name(struct rv_lua_hook *hook, lua_State *L) {
  size_t length;
  const char *name = lua_tolstring(L, -2, &length);

  if (strlen(name) != length)
    luaL_error(L, "route returned a name with a byte of value zero");
  hook->group_name = strdup(name);
  if (!hook->group_name)
    luaL_error(L, "not enough memory");
}

static void on_routed(struct rv_lua_task *task, lua_State *L) {
  struct rv_lua_hook *hook = (struct rv_lua_hook *)task;

  switch (lua_type(L, -2)) {
  case LUA_TNIL:
    break;
  case LUA_TSTRING:
    take_name(hook, L);
    break;
  case LUA_TTABLE:
    hook->response = rv_lua_answer_read(L, -2);
    break;
  default:
    luaL_error(L,
        "route returned a %s, expected the name of a group, a response or nil",
        luaL_typename(L, -2));
  }
}

static void on_request_done(struct rv_lua_task *task, lua_State *L) {
  struct rv_lua_hook *hook = (struct rv_lua_hook *)task;

  if (lua_istable(L, -2))
    hook->response = rv_lua_answer_read(L, -2);
  else if (!lua_isnil(L, -2))
    luaL_error(L, "on_request returned a %s, expected a response or nil",
        luaL_typename(L, -2));
}

static void on_response_done(struct rv_lua_task *task, lua_State *L) {
  (void)task;
  if (!lua_isnil(L, -2))
    luaL_error(L,
        "on_response returned a %s, expected nothing: it changes "
        "response.status and response.headers",
        luaL_typename(L, -2));
}

/* ---- the decision ---- */

static void respond(struct rv_lua_hook *hook, reverst_visit *visit) {
  int r = reverst_visit_respond(visit, hook->response);

  if (r == 0)
    return;
  complain(hook, visit,
      r == REVERST_ERR_INVALID
          ? "the response has a field that cannot be sent: a bad "
            "name or value, or one that only the proxy sets"
          : reverst_strerror(r));
  reverst_visit_fail(visit);
}

static void decide(struct rv_lua_hook *hook, reverst_visit *visit) {
  if (hook->response)
    respond(hook, visit);
  else if (!hook->group_name)
    reverst_visit_continue(visit);
  else if (!reverst_visit_continue_to(visit, hook->group_name))
    rv_lua_complain(hook->task.lua, &hook->routing->complaint,
        &(struct rv_lua_problem){ .event = "route_not_found",
            .group = hook->group_name,
            .function = "route",
            .error = "there is no group of this name" });
}

static void let_go(struct rv_lua_hook *hook) {
  if (hook->visit)
    reverst_visit_set_user_data(hook->visit, NULL);
  if (hook->request)
    hook->request->visit = NULL;
  hook->request = NULL;
  hook->visit = NULL;
}

static void free_hook(struct rv_lua_hook *hook) {
  luaL_unref(hook->task.lua->L, LUA_REGISTRYINDEX, hook->reference);
  rv_lua_routing_unref(hook->routing);
  free(hook->response);
  free(hook->group_name);
  free(hook);
}

static void on_ended(struct rv_lua_task *task, const char *error) {
  struct rv_lua_hook *hook = (struct rv_lua_hook *)task;
  reverst_visit *visit = hook->visit;

  let_go(hook);
  if (error && !task->cancelled)
    complain(hook, visit, error);
  if (visit && error)
    reverst_visit_fail(visit);
  else if (visit)
    decide(hook, visit);
  free_hook(hook);
}

static const struct rv_lua_task_type route_type = {
  .push_arguments = push_one,
  .on_returned = on_routed,
  .on_ended = on_ended,
  .timeout = REVERST_NEVER,
};

static const struct rv_lua_task_type request_type = {
  .push_arguments = push_one,
  .on_returned = on_request_done,
  .on_ended = on_ended,
  .timeout = REVERST_NEVER,
};

static const struct rv_lua_task_type response_type = {
  .push_arguments = push_both,
  .on_returned = on_response_done,
  .on_ended = on_ended,
  .timeout = REVERST_NEVER,
};

/* ---- from the library ---- */

static void start(reverst_visit *visit, struct rv_lua_routing *routing,
    struct rv_lua_group *group, const struct rv_lua_task_type *type,
    int function) {
  struct rv_lua_hook *hook = calloc(1, sizeof(*hook));

  if (!hook) {
    reverst_visit_fail(visit);
    return;
  }
  hook->routing = routing;
  hook->group = group;
  hook->visit = visit;
  hook->reference = LUA_NOREF;
  rv_lua_routing_ref(routing);
  reverst_visit_set_user_data(visit, hook);
  rv_lua_task_start(&hook->task, routing->lua, type, function);
}

void rv_lua_on_route(reverst_visit *visit, void *user_data) {
  struct rv_lua_routing *routing = user_data;

  start(visit, routing, NULL, &route_type, routing->route);
}

void rv_lua_on_request(reverst_visit *visit, void *user_data) {
  struct rv_lua_group *group = user_data;

  start(visit, group->routing, group, &request_type, group->on_request);
}

void rv_lua_on_response(reverst_visit *visit, void *user_data) {
  struct rv_lua_group *group = user_data;

  start(visit, group->routing, group, &response_type, group->on_response);
}

void rv_lua_on_visit_cancelled(reverst_visit *visit, void *user_data) {
  struct rv_lua_hook *hook = reverst_visit_user_data(visit);

  (void)user_data;
  if (!hook)
    return;
  let_go(hook);
  rv_lua_task_cancel(&hook->task);
}
