/* SPDX-License-Identifier: MIT */
/* Asks a group's `authenticate` in a task, and decides by its answer. */
#include "lua/server/registration.h"

#include <stdlib.h>

#include <reverst/values.h>

#include "lua/engine/engine.h"
#include "lua/engine/task.h"
#include "lua/server/decision.h"
#include "lua/server/group.h"
#include "lua/server/routing.h"
#include "lua/value/fields.h"

struct rv_lua_authentication {
  struct rv_lua_task task; /* first: the two are converted */
  LIST_ENTRY(rv_lua_authentication) link;
  struct rv_lua_group *group;
  reverst_registration *registration;
  struct rv_lua_decision decision;
};

static void push_metadata(
    lua_State *L, const reverst_registration *registration) {
  const char *key, *value;
  size_t i;

  lua_newtable(L);
  for (i = 0; reverst_registration_metadata_at(registration, i, &key, &value);
       ++i)
    rv_lua_set_text(L, key, value);
}

static int push_registration(struct rv_lua_task *task, lua_State *L) {
  const reverst_registration *registration =
      ((struct rv_lua_authentication *)task)->registration;

  lua_createtable(L, 0, 6);
  rv_lua_set_text(L, "group", reverst_registration_group(registration));
  rv_lua_set_text(L, "peer", reverst_registration_peer(registration));
  rv_lua_set_text(
      L, "server_name", reverst_registration_server_name(registration));
  rv_lua_set_text(L, "scheme", reverst_registration_scheme(registration));
  rv_lua_set_text(
      L, "credentials", reverst_registration_credentials(registration));
  push_metadata(L, registration);
  lua_setfield(L, -2, "metadata");
  return 1;
}

static void on_returned(struct rv_lua_task *task, lua_State *L) {
  rv_lua_decision_read(L, &((struct rv_lua_authentication *)task)->decision);
}

static void apply(struct rv_lua_authentication *authentication) {
  rv_lua_decision_apply(
      &authentication->decision, authentication->registration);
  /* a tunnel that was there may say something else of itself now */
  if (authentication->decision.verdict == RV_LUA_ACCEPTED)
    authentication->group->routing->facts_version++;
}

static void on_ended(struct rv_lua_task *task, const char *error) {
  struct rv_lua_authentication *authentication =
      (struct rv_lua_authentication *)task;
  const struct rv_lua_decision *decision = &authentication->decision;

  LIST_REMOVE(authentication, link);
  if (!error && decision->verdict == RV_LUA_UNKNOWN)
    error = decision->reason;
  if (error && !task->cancelled)
    rv_lua_complain(task->lua, &authentication->group->auth_complaint,
        &(struct rv_lua_problem){ .event = "authenticate_failed",
            .group = authentication->group->name,
            .function = "authenticate",
            .error = error });
  if (error)
    reverst_registration_fail(
        authentication->registration, "authenticate failed");
  else
    apply(authentication);
  rv_lua_decision_deinit(&authentication->decision);
  rv_lua_routing_unref(authentication->group->routing);
  free(authentication);
}

/* How long it may take is the server's to say. */
static const struct rv_lua_task_type authentication_type = {
  .push_arguments = push_registration,
  .on_returned = on_returned,
  .on_ended = on_ended,
  .timeout = REVERST_NEVER,
};

/* A script that waits for somebody's answer need not wait on. */
static void on_abandoned(reverst_registration *registration, void *user_data) {
  struct rv_lua_authentication *authentication = user_data;

  (void)registration;
  rv_lua_task_cancel_soon(&authentication->task);
}

void rv_lua_authenticate(reverst_registration *registration, void *user_data) {
  struct rv_lua_group *group = user_data;
  struct rv_lua_authentication *authentication;

  if (group->routing->stopping) {
    reverst_registration_fail(registration, "the server is going away");
    return;
  }
  authentication = calloc(1, sizeof(*authentication));
  if (!authentication) {
    reverst_registration_fail(registration, "out of memory");
    return;
  }
  authentication->group = group;
  authentication->registration = registration;
  reverst_registration_on_abandoned(registration, on_abandoned, authentication);
  rv_lua_routing_ref(group->routing);
  LIST_INSERT_HEAD(&group->registrations, authentication, link);
  rv_lua_task_start(&authentication->task, group->lua, &authentication_type,
      group->authenticate);
}

static struct rv_lua_authentication *first_authentication(
    const struct rv_lua_group *group) {
  struct rv_lua_authentication *authentication;

  LIST_FOREACH(authentication, &group->registrations, link) {
    if (!rv_lua_task_is_over(&authentication->task))
      break;
  }
  return authentication;
}

void rv_lua_group_stop(struct rv_lua_group *group) {
  struct rv_lua_authentication *authentication;

  while ((authentication = first_authentication(group)))
    rv_lua_task_cancel(&authentication->task);
}
