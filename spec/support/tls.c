/* SPDX-License-Identifier: MIT */
/* require "spec.tls": certificates and TLS contexts. */
#include "tls/context.h"
#include "tls/secret.h"

#include <lauxlib.h>
#include <reverst/error.h>
#include <string.h>

static int push_result(lua_State *L, int r) {
  if (r >= 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  return 2;
}

/* make_certificate(name, certificate_path, private_key_path) */
static int make_certificate(lua_State *L) {
  return push_result(L, rv_tls_make_certificate(luaL_checkstring(L, 1),
                            luaL_checkstring(L, 2), luaL_checkstring(L, 3)));
}

static void on_log(const struct reverst_log_entry *entry, void *user_data) {
  luaL_Buffer *log = user_data;

  luaL_addstring(log, entry->event);
  for (size_t i = 0; i < entry->field_count; ++i) {
    luaL_addchar(log, ' ');
    luaL_addstring(log, entry->fields[i].key);
    luaL_addchar(log, '=');
    if (entry->fields[i].text)
      luaL_addlstring(log, entry->fields[i].text, entry->fields[i].text_length);
  }
}

/* The result of making a context, and what was logged meanwhile. */
static int try(lua_State *L, bool server) {
  struct rv_engine engine;
  struct rv_tls_context *context = NULL;
  luaL_Buffer log;
  int r;

  lua_settop(L, 2);
  luaL_buffinit(L, &log);
  rv_engine_init(&engine,
      &(struct rv_engine_options){ .log = on_log, .log_user_data = &log });
  if (server)
    r = rv_tls_server_context_new(&context, &engine,
        &(struct rv_tls_server_options){
            lua_tostring(L, 1), lua_tostring(L, 2) });
  else
    r = rv_tls_client_context_new(&context, &engine,
        &(struct rv_tls_client_options){ .ca_path = lua_tostring(L, 1) });
  rv_tls_context_unref(context);
  rv_engine_deinit(&engine);
  luaL_pushresult(&log);
  lua_pushstring(L, r < 0 ? reverst_error_name(r) : "OK");
  lua_insert(L, -2);
  return 2;
}

/* server(certificate_path, private_key_path): name of the result, log */
static int server(lua_State *L) {
  return try(L, true);
}

/* client(ca_path): likewise; nil: the system's roots */
static int client(lua_State *L) {
  return try(L, false);
}

/* secret("file" or "private_key", path, label): the derived secret; or nil and
   the name of the error; and the log */
static int secret(lua_State *L) {
  bool is_key = strcmp(luaL_checkstring(L, 1), "private_key") == 0;
  const char *path = luaL_checkstring(L, 2), *label = luaL_checkstring(L, 3);
  struct rv_engine engine;
  struct rv_secret_root root;
  uint8_t derived[RV_SECRET_SIZE];
  luaL_Buffer log;
  int r;

  luaL_buffinit(L, &log);
  rv_engine_init(&engine,
      &(struct rv_engine_options){ .log = on_log, .log_user_data = &log });
  r = is_key ? rv_secret_root_read_private_key(&root, &engine, path)
             : rv_secret_root_read(&root, &engine, path);
  if (r == 0)
    r = rv_secret_derive(&root, label, derived);
  rv_engine_deinit(&engine);
  luaL_pushresult(&log);
  if (r == 0) {
    lua_pushlstring(L, (const char *)derived, sizeof(derived));
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, reverst_error_name(r));
  lua_pushvalue(L, -3);
  return 3;
}

int luaopen_spec_tls(lua_State *L);
int luaopen_spec_tls(lua_State *L) {
  const luaL_Reg functions[] = { { "make_certificate", make_certificate },
    { "server", server }, { "client", client }, { "secret", secret },
    { NULL, NULL } };

  luaL_newlib(L, functions);
  return 1;
}
