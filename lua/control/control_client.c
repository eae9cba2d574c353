/* SPDX-License-Identifier: MIT */
/* One question over a Unix socket, and its answer. */
#include "lua/control/control_client.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lauxlib.h>

#include "lua/control/control_socket.h"

enum { MAX_ANSWER = 64 * 1024 * 1024 };

static bool send_all(int fd, const char *bytes, size_t length) {
  ssize_t n;

  while (length > 0) {
    n = send(fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR)
      return false;
    if (n > 0) {
      bytes += n;
      length -= (size_t)n;
    }
  }
  return true;
}

/* NULL: the line is complete, without its end; else what is wrong. */
static const char *read_line(int fd, luaL_Buffer *line) {
  char bytes[4096];
  ssize_t n;

  while (luaL_bufflen(line) < MAX_ANSWER) {
    n = recv(fd, bytes, sizeof(bytes), 0);
    if (n == 0)
      return "it closed the connection without an answer";
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno == EAGAIN ? "no answer in time" : strerror(errno);
    if (bytes[n - 1] == '\n') {
      luaL_addlstring(line, bytes, (size_t)n - 1);
      return NULL;
    }
    luaL_addlstring(line, bytes, (size_t)n);
  }
  return "the answer is too long";
}

/* What holds the descriptor when an error is raised. */
static int close_descriptor(lua_State *L) {
  int *fd = lua_touserdata(L, 1);

  if (*fd >= 0)
    close(*fd);
  *fd = -1;
  return 0;
}

static int *push_descriptor(lua_State *L) {
  int *fd = lua_newuserdatauv(L, sizeof(*fd), 0);

  *fd = -1;
  lua_newtable(L);
  lua_pushcfunction(L, close_descriptor);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return fd;
}

int rv_lua_control_ask(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  size_t length;
  const char *line = luaL_checklstring(L, 2, &length);
  int seconds = (int)luaL_checkinteger(L, 3);
  int *fd = push_descriptor(L);
  const char *problem = NULL;
  char error[512];
  luaL_Buffer answer;

  *fd = rv_control_socket_connect(path, seconds, error, sizeof(error));
  if (*fd < 0) {
    lua_pushnil(L);
    lua_pushstring(L, error);
    lua_pushliteral(L, "nobody");
    return 3;
  }
  luaL_buffinit(L, &answer);
  if (!send_all(*fd, line, length) || !send_all(*fd, "\n", 1))
    problem = strerror(errno);
  else
    problem = read_line(*fd, &answer);
  luaL_pushresult(&answer);
  close(*fd);
  *fd = -1;
  if (!problem)
    return 1;
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, problem);
  return 2;
}
