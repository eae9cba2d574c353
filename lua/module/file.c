/* SPDX-License-Identifier: MIT */
/* Reads whole files that are small. */
#include "lua/module/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

enum { MAX_SIZE = 64 * 1024 };

static int fail(lua_State *L, const char *path, const char *why) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, why);
  return 2;
}

/* How many bytes; negative: errno.  More than there is room for are not told
   from as many as fit. */
static ssize_t read_all(int fd, char *bytes, size_t size) {
  size_t length = 0;
  ssize_t n;

  do {
    n = read(fd, bytes + length, size - length);
    if (n > 0)
      length += (size_t)n;
  } while ((n > 0 && length < size) || (n < 0 && errno == EINTR));
  return n < 0 ? n : (ssize_t)length;
}

/* NULL, or what is wrong; `length` of what was read. */
static const char *read_regular(
    int fd, char *bytes, size_t size, ssize_t *length) {
  struct stat status;

  if (fstat(fd, &status) < 0)
    return strerror(errno);
  if (S_ISDIR(status.st_mode))
    return strerror(EISDIR);
  if (!S_ISREG(status.st_mode))
    return "it is not a regular file";
  *length = read_all(fd, bytes, size);
  if (*length < 0)
    return strerror(errno);
  return *length == (ssize_t)size ? "it is larger than 64 KiB" : NULL;
}

/* read(path) */
static int read_file(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char *bytes = lua_newuserdatauv(L, MAX_SIZE + 1, 0);
  /* opening a pipe must not wait for its writer */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  ssize_t length = 0;
  const char *why;

  if (fd < 0)
    return fail(L, path, strerror(errno));
  why = read_regular(fd, bytes, MAX_SIZE + 1, &length);
  close(fd);
  if (why)
    return fail(L, path, why);
  lua_pushlstring(L, bytes, (size_t)length);
  explicit_bzero(bytes, (size_t)length); /* it may be a secret */
  return 1;
}

static const luaL_Reg functions[] = {
  { "read", read_file },
  { NULL, NULL },
};

int rv_lua_open_file(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
