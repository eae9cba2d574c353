/* SPDX-License-Identifier: MIT */
/* Registrations are objects, tunnels are tables. */
#include "world_group.h"

#include "world_visit.h"

#include <string.h>

#define GROUP "spec.world_group"
#define REGISTRATION "spec.world_registration"

enum { MAX_HOSTS = 16, MAX_LABELS = 8 };

int luaopen_spec_world_group(lua_State *L);

/* Only carries the handlers. */
struct group {
  struct world *world;
};

struct registration {
  reverst_registration *registration; /* NULL: decided */
};

/* ---- registrations ---- */

static struct registration *check_registration(lua_State *L) {
  struct registration *registration = luaL_checkudata(L, 1, REGISTRATION);

  luaL_argcheck(L, registration->registration != NULL, 1, "it was decided");
  return registration;
}

static void authenticate(reverst_registration *registration, void *user_data) {
  struct group *group = user_data;
  struct registration *object;

  if (!world_push_handler(group->world, group, "authenticate"))
    return;
  object = lua_newuserdatauv(group->world->L, sizeof(*object), 0);
  object->registration = registration;
  luaL_setmetatable(group->world->L, REGISTRATION);
  world_call_handler(group->world, 1);
}

/* The texts stay in the table at `index`. */
static void read_labels(lua_State *L, int index, reverst_field *labels) {
  int count = 0;

  if (lua_getfield(L, index, "labels") == LUA_TTABLE) {
    lua_pushnil(L);
    while (count < MAX_LABELS && lua_next(L, -2)) {
      labels[count].name = luaL_checkstring(L, -2);
      labels[count++].value = luaL_checkstring(L, -1);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* registration:accept([{ name =, weight =, labels = }]) */
static int accept_registration(lua_State *L) {
  struct registration *registration = check_registration(L);
  reverst_registration *token = registration->registration;
  reverst_field labels[MAX_LABELS + 1] = { { NULL, NULL } };

  registration->registration = NULL;
  if (lua_istable(L, 2)) {
    reverst_tunnel_options options = {
      .name = world_text(L, 2, "name"),
      .weight = (unsigned)world_number(L, 2, "weight", 0),
      .labels = labels,
    };

    read_labels(L, 2, labels);
    reverst_registration_accept_as(token, &options);
  } else {
    reverst_registration_accept(token);
  }
  return 0;
}

static int reject_registration(lua_State *L) {
  struct registration *registration = check_registration(L);
  reverst_registration *token = registration->registration;

  registration->registration = NULL;
  reverst_registration_reject(token, luaL_optstring(L, 2, NULL));
  return 0;
}

static int fail_registration(lua_State *L) {
  struct registration *registration = check_registration(L);
  reverst_registration *token = registration->registration;

  registration->registration = NULL;
  reverst_registration_fail(token, luaL_optstring(L, 2, NULL));
  return 0;
}

static void set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

/* registration:facts() -> a table of all that it says */
static int registration_facts(lua_State *L) {
  const reverst_registration *registration =
      check_registration(L)->registration;
  const char *key, *value;

  lua_newtable(L);
  set_text(L, "group", reverst_registration_group(registration));
  set_text(L, "peer", reverst_registration_peer(registration));
  set_text(L, "server_name", reverst_registration_server_name(registration));
  set_text(L, "scheme", reverst_registration_scheme(registration));
  set_text(L, "credentials", reverst_registration_credentials(registration));
  lua_pushboolean(L, reverst_registration_is_repeated(registration));
  lua_setfield(L, -2, "repeated");
  lua_newtable(L);
  for (size_t i = 0;
       reverst_registration_metadata_at(registration, i, &key, &value); i++)
    set_text(L, key, value);
  lua_setfield(L, -2, "metadata");
  return 1;
}

/* ---- tunnels ---- */

static void set_fields(lua_State *L, const char *name,
    const reverst_tunnel *tunnel,
    bool (*at)(const reverst_tunnel *tunnel, size_t index, const char **name,
        const char **value)) {
  const char *key, *value;

  lua_newtable(L);
  for (size_t i = 0; at(tunnel, i, &key, &value); i++)
    set_text(L, key, value);
  lua_setfield(L, -2, name);
}

void world_push_tunnel(lua_State *L, const reverst_tunnel *tunnel) {
  luaL_checkstack(L, 8, "tunnels");
  lua_newtable(L);
  set_text(L, "name", reverst_tunnel_name(tunnel));
  set_text(L, "peer", reverst_tunnel_peer(tunnel));
  world_set_number(L, "id", reverst_tunnel_id(tunnel));
  world_set_number(L, "weight", reverst_tunnel_weight(tunnel));
  world_set_number(L, "active", reverst_tunnel_active(tunnel));
  world_set_number(L, "requests", reverst_tunnel_requests(tunnel));
  world_set_number(L, "latency", reverst_tunnel_latency(tunnel));
  world_set_number(L, "registered_at", reverst_tunnel_registered_at(tunnel));
  lua_pushboolean(L, reverst_tunnel_is_eligible(tunnel));
  lua_setfield(L, -2, "eligible");
  set_fields(L, "labels", tunnel, reverst_tunnel_label_at);
  set_fields(L, "metadata", tunnel, reverst_tunnel_metadata_at);
}

static void on_tunnel_up(reverst_tunnel *tunnel, void *user_data) {
  struct group *group = user_data;

  reverst_tunnel_set_user_data(tunnel, group);
  if (!world_push_handler(group->world, group, "on_tunnel_up"))
    return;
  world_push_tunnel(group->world->L, tunnel);
  world_call_handler(group->world, 1);
}

/* on_tunnel_down(group, tunnel, reason, was it this group that saw it come) */
static void on_tunnel_down(
    reverst_tunnel *tunnel, const char *reason, void *user_data) {
  struct group *group = user_data;

  if (!world_push_handler(group->world, group, "on_tunnel_down"))
    return;
  world_push_tunnel(group->world->L, tunnel);
  lua_pushstring(group->world->L, reason);
  lua_pushboolean(
      group->world->L, reverst_tunnel_user_data(tunnel) == user_data);
  world_call_handler(group->world, 3);
}

/* ---- groups ---- */

static const char **read_hosts(lua_State *L, int index) {
  const char **hosts =
      lua_newuserdatauv(L, (MAX_HOSTS + 1) * sizeof(*hosts), 0);

  memset(hosts, 0, (MAX_HOSTS + 1) * sizeof(*hosts));
  lua_getfield(L, index, "hosts");
  for (int i = 0; i < MAX_HOSTS && lua_istable(L, -1); i++) {
    lua_geti(L, -1, i + 1);
    hosts[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return hosts;
}

/* -1: none */
static unsigned read_count(lua_State *L, int index, const char *name) {
  lua_Integer count = world_number(L, index, name, 0);

  return count < 0 ? REVERST_NONE : (unsigned)count;
}

void world_read_group(lua_State *L, struct world *world, int index,
    reverst_group_options *options) {
  struct group *group;
  const char **hosts;

  index = lua_absindex(L, index);
  luaL_checkstack(L, 8, "groups");
  group = world_new_object(L, sizeof(*group), GROUP, index);
  group->world = world;
  hosts = read_hosts(L, index);
  *options = (reverst_group_options){
    .name = world_text(L, index, "name"),
    .hosts = hosts,
    .insecure = world_flag(L, index, "insecure"),
    .forget_credentials = world_flag(L, index, "forget_credentials"),
    .retries = read_count(L, index, "retries"),
    .response_timeout = world_duration(L, index, "response_timeout"),
    .queue_timeout = world_duration(L, index, "queue_timeout"),
    .max_fails = read_count(L, index, "max_fails"),
    .fail_duration = world_duration(L, index, "fail_duration"),
    .on_tunnel_up = on_tunnel_up,
    .on_tunnel_down = on_tunnel_down,
    .user_data = group,
  };
  world_set_hooks(L, index, options);
  lua_getfield(L, index, "authenticate");
  if (lua_toboolean(L, -1))
    options->authenticate = authenticate;
  lua_pop(L, 1);
}

void world_read_route(
    lua_State *L, struct world *world, int index, reverst_routing *routing) {
  struct group *object = world_new_object(L, sizeof(*object), GROUP, index);

  object->world = world;
  routing->user_data = object;
  world_set_route(L, index, routing);
}

/* Has no functions of its own: spec.world_server needs its classes. */
int luaopen_spec_world_group(lua_State *L) {
  static const luaL_Reg registration_methods[] = {
    { "facts", registration_facts },
    { "accept", accept_registration },
    { "reject", reject_registration },
    { "fail", fail_registration },
    { NULL, NULL },
  };
  static const luaL_Reg no_methods[] = { { NULL, NULL } };

  world_new_class(L, GROUP, no_methods, NULL);
  world_new_class(L, REGISTRATION, registration_methods, NULL);
  lua_pushboolean(L, true);
  return 1;
}
