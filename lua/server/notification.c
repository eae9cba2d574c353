/* SPDX-License-Identifier: MIT */
/* Tells scripts of tunnels that come and go. */
#include "lua/server/notification.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "lua/engine/engine.h"
#include "lua/engine/task.h"
#include "lua/server/group.h"
#include "lua/server/routing.h"
#include "lua/server/tunnel.h"

/* of one routing, under way */
enum { MAX_NOTIFICATIONS = 10000, ERROR_SIZE = 1024 };

struct notification {
  struct rv_lua_task task; /* first: the two are converted */
  struct rv_lua_group *group;
  const char *name;       /* of the function */
  reverst_tunnel *tunnel; /* until its userdata is there */
  int reference;          /* keeps the userdata; LUA_NOREF: it came to none */
  char *reason;           /* NULL: it has come up */
};

static void complain(
    struct rv_lua_group *group, const char *function, const char *error) {
  rv_lua_complain(group->lua, &group->hook_complaint,
      &(struct rv_lua_problem){ .event = "hook_failed",
          .group = group->name,
          .function = function,
          .error = error });
}

static int push_arguments(struct rv_lua_task *task, lua_State *L) {
  const struct notification *notification = (struct notification *)task;

  rv_lua_task_limit(task, notification->group->hook_timeout, "hook_timeout");
  lua_rawgeti(L, LUA_REGISTRYINDEX, notification->reference);
  lua_pushstring(L, notification->reason);
  return 2;
}

static void on_ended(struct rv_lua_task *task, const char *error) {
  struct notification *notification = (struct notification *)task;
  struct rv_lua_group *group = notification->group;

  if (error && !task->cancelled)
    complain(group, notification->name, error);
  luaL_unref(task->lua->L, LUA_REGISTRYINDEX, notification->reference);
  group->routing->notifications--;
  rv_lua_routing_unref(group->routing);
  free(notification->reason);
  free(notification);
}

static const struct rv_lua_task_type type = {
  .push_arguments = push_arguments,
  .on_ended = on_ended,
  .timeout = REVERST_NEVER,
};

static int keep_tunnel(lua_State *L) {
  struct notification *notification = lua_touserdata(L, 1);

  rv_lua_tunnel_push(L, notification->group->routing, notification->tunnel);
  notification->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static void drop(struct notification *notification, const char *error) {
  complain(notification->group, notification->name, error);
  free(notification->reason);
  free(notification);
}

/* The tunnel has a userdata then. NULL: it was logged. */
static struct notification *prepare(struct rv_lua_group *group,
    const char *name, reverst_tunnel *tunnel, const char *reason) {
  struct notification *notification = calloc(1, sizeof(*notification));
  char error[ERROR_SIZE];

  if (!notification) {
    complain(group, name, "not enough memory");
    return NULL;
  }
  notification->group = group;
  notification->name = name;
  notification->tunnel = tunnel;
  notification->reference = LUA_NOREF;
  notification->reason = reason ? strdup(reason) : NULL;
  if (reason && !notification->reason)
    drop(notification, "not enough memory");
  else if (group->routing->notifications == MAX_NOTIFICATIONS)
    drop(notification, "too many of these functions are under way");
  else if (rv_lua_protect(
               group->lua, keep_tunnel, notification, error, sizeof(error)) < 0)
    drop(notification, error);
  else
    return notification;
  return NULL;
}

static void start(struct notification *notification, int function) {
  struct rv_lua_group *group = notification->group;

  group->routing->notifications++;
  rv_lua_routing_ref(group->routing);
  rv_lua_task_start(&notification->task, group->lua, &type, function);
}

void rv_lua_on_tunnel_up(reverst_tunnel *tunnel, void *user_data) {
  struct rv_lua_group *group = user_data;
  struct notification *notification =
      prepare(group, "on_tunnel_up", tunnel, NULL);

  if (notification)
    start(notification, group->on_tunnel_up);
}

void rv_lua_on_tunnel_down(
    reverst_tunnel *tunnel, const char *reason, void *user_data) {
  struct rv_lua_group *group = user_data;
  struct rv_lua_routing *routing = group->routing;
  struct notification *notification = NULL;

  rv_lua_routing_ref(routing);
  if (group->on_tunnel_down != LUA_NOREF)
    notification =
        prepare(group, "on_tunnel_down", tunnel, reason ? reason : "");
  rv_lua_tunnel_detach(routing, tunnel);
  if (notification)
    start(notification, group->on_tunnel_down);
  rv_lua_routing_unref(routing);
}
