/* SPDX-License-Identifier: MIT */
/* Requests and their answers by the public functions. */
#include "world_request.h"

#define CLASS "spec.world_request"

enum { MAX_READ = 65536 };

struct request {
  struct world *world;
  reverst_request *request; /* NULL: closed */
};

static struct request *check_request(lua_State *L) {
  struct request *request = luaL_checkudata(L, 1, CLASS);

  luaL_argcheck(L, request->request != NULL, 1, "the request is closed");
  return request;
}

/* ---- events ---- */

static void on_readable(reverst_request *public_request, void *user_data) {
  struct request *request = user_data;

  (void)public_request;
  if (world_push_handler(request->world, request, "readable"))
    world_call_handler(request->world, 0);
}

static void on_writable(reverst_request *public_request, void *user_data) {
  struct request *request = user_data;

  (void)public_request;
  if (world_push_handler(request->world, request, "writable"))
    world_call_handler(request->world, 0);
}

static void on_closed(
    reverst_request *public_request, bool complete, void *user_data) {
  struct request *request = user_data;

  (void)public_request;
  request->request = NULL;
  if (world_push_handler(request->world, request, "closed")) {
    lua_pushboolean(request->world->L, complete);
    world_call_handler(request->world, 1);
  }
  world_drop(request->world, request);
}

void world_push_request(struct world *world, reverst_request *public_request) {
  static const reverst_request_events events = {
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_closed = on_closed,
  };
  struct request *request;

  lua_newtable(world->L);
  request = world_new_object(world->L, sizeof(*request), CLASS, -1);
  lua_remove(world->L, -2);
  request->world = world;
  request->request = public_request;
  reverst_request_set_events(public_request, &events, request);
}

/* request:on{readable=, writable=, closed=} */
static int on(lua_State *L) {
  check_request(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

/* ---- the request ---- */

/* request:facts() -> method, scheme, host, path and headers, a list of
   { name, value } */
static int facts(lua_State *L) {
  reverst_request *request = check_request(L)->request;
  const char *name, *value;

  lua_newtable(L);
  lua_pushstring(L, reverst_request_method(request));
  lua_setfield(L, -2, "method");
  lua_pushstring(L, reverst_request_scheme(request));
  lua_setfield(L, -2, "scheme");
  lua_pushstring(L, reverst_request_host(request));
  lua_setfield(L, -2, "host");
  lua_pushstring(L, reverst_request_path(request));
  lua_setfield(L, -2, "path");
  lua_newtable(L);
  for (size_t i = 0; reverst_request_header_at(request, i, &name, &value);
       i++) {
    lua_createtable(L, 2, 0);
    lua_pushstring(L, name);
    lua_seti(L, -2, 1);
    lua_pushstring(L, value);
    lua_seti(L, -2, 2);
    lua_seti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "headers");
  return 1;
}

static int path(lua_State *L) {
  lua_pushstring(L, reverst_request_path(check_request(L)->request));
  return 1;
}

static int header(lua_State *L) {
  lua_pushstring(L, reverst_request_header(
                        check_request(L)->request, luaL_checkstring(L, 2)));
  return 1;
}

static int push_failure(lua_State *L, int error) {
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(error));
  return 2;
}

/* request:read([size]): bytes; "" at the end; nil, name of the error */
static int read_body(lua_State *L) {
  struct request *request = check_request(L);
  size_t size = (size_t)luaL_optinteger(L, 2, MAX_READ);
  luaL_Buffer buffer;
  char *space = luaL_buffinitsize(L, &buffer, size);
  ssize_t n = reverst_request_read(request->request, space, size);

  if (n < 0)
    return push_failure(L, (int)n);
  luaL_pushresultsize(&buffer, (size_t)n);
  return 1;
}

/* ---- the answer ---- */

/* The list of { name, value } at `index`, ended by a NULL name. */
static const reverst_field *read_fields(lua_State *L, int index,
    reverst_field fields[static WORLD_MAX_FIELDS + 1]) {
  int count = lua_istable(L, index) ? (int)luaL_len(L, index) : 0;

  index = lua_absindex(L, index);
  luaL_argcheck(L, count <= WORLD_MAX_FIELDS, index, "too many fields");
  for (int i = 0; i < count; i++) {
    lua_geti(L, index, i + 1);
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    fields[i].name = luaL_checkstring(L, -2); /* the list keeps them alive */
    fields[i].value = luaL_checkstring(L, -1);
    lua_pop(L, 3);
  }
  fields[count].name = NULL;
  return fields;
}

static int push_result(lua_State *L, int r) {
  if (r < 0)
    return push_failure(L, r);
  lua_pushboolean(L, true);
  return 1;
}

reverst_response world_read_response(lua_State *L, int index,
    reverst_field fields[static WORLD_MAX_FIELDS + 1]) {
  reverst_response response = { 0 };

  luaL_checktype(L, index, LUA_TTABLE);
  response.status = (int)world_number(L, index, "status", 0);
  lua_getfield(L, index, "headers");
  response.headers = read_fields(L, -1, fields);
  lua_getfield(L, index, "body");
  if (!lua_isnil(L, -1))
    response.body = luaL_checklstring(L, -1, &response.body_length);
  return response;
}

/* request:respond{status=, headers=, body=} */
static int respond(lua_State *L) {
  struct request *request = check_request(L);
  reverst_field fields[WORLD_MAX_FIELDS + 1];
  reverst_response response = world_read_response(L, 2, fields);

  return push_result(L, reverst_respond(request->request, &response));
}

/* request:start{status=, headers=} */
static int start(lua_State *L) {
  struct request *request = check_request(L);
  reverst_field fields[WORLD_MAX_FIELDS + 1];
  reverst_response response = world_read_response(L, 2, fields);

  return push_result(L, reverst_response_start(request->request, &response));
}

static int write_body(lua_State *L) {
  struct request *request = check_request(L);
  size_t length;
  const char *data = luaL_checklstring(L, 2, &length);

  return push_result(L, reverst_response_write(request->request, data, length));
}

/* request:finish([trailers]) */
static int finish(lua_State *L) {
  struct request *request = check_request(L);
  reverst_field fields[WORLD_MAX_FIELDS + 1];

  return push_result(
      L, reverst_response_end(request->request, read_fields(L, 2, fields)));
}

static int abort_answer(lua_State *L) {
  reverst_response_abort(check_request(L)->request);
  return 0;
}

static int is_closed(lua_State *L) {
  struct request *request = luaL_checkudata(L, 1, CLASS);

  lua_pushboolean(L, request->request == NULL);
  return 1;
}

int luaopen_spec_world_request(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "on", on },
    { "facts", facts },
    { "path", path },
    { "header", header },
    { "read", read_body },
    { "respond", respond },
    { "start", start },
    { "write", write_body },
    { "finish", finish },
    { "abort", abort_answer },
    { "is_closed", is_closed },
    { NULL, NULL },
  };

  world_new_class(L, CLASS, methods, NULL);
  lua_newtable(L);
  return 1;
}
