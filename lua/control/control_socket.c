/* SPDX-License-Identifier: MIT */
/* Unix sockets in the file system: made, replaced when stale, removed. */
#include "lua/control/control_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, PROBE_SECONDS = 1 };

static int fail(
    char *error, size_t error_size, const char *path, const char *why) {
  snprintf(error, error_size, "%s: %s", path, why);
  return -1;
}

static const char *explain(int number) {
  switch (number) {
  case ENOENT:
    return "its folder does not exist; create it first";
  case EACCES:
  case EPERM:
    return "this user may not create files in its folder";
  case EADDRINUSE:
    return "another process made it just now";
  default:
    return strerror(number);
  }
}

static bool set_path(struct sockaddr_un *address, const char *path) {
  *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if (strlen(path) >= sizeof(address->sun_path))
    return false;
  memcpy(address->sun_path, path, strlen(path));
  return true;
}

static const char too_long[] =
    "a socket's path has at most 107 bytes; choose a shorter one";

/* A socket at which nobody listens is removed.  NULL, or what is in the way. */
static const char *make_room(const char *path) {
  struct stat status;
  char error[256];
  int fd;

  if (lstat(path, &status) < 0)
    return NULL;
  if (!S_ISSOCK(status.st_mode))
    return "there is a file of that name that is no socket; remove it, or "
           "choose another path";
  fd = rv_control_socket_connect(path, PROBE_SECONDS, error, sizeof(error));
  if (fd < 0 && errno == ECONNREFUSED)
    return unlink(path) < 0 ? strerror(errno) : NULL;
  if (fd >= 0)
    close(fd);
  return "another process listens there; stop it, or choose another path";
}

static int bind_and_listen(const struct sockaddr_un *address) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  mode_t before;
  int r, number;

  if (fd < 0)
    return -1;
  before = umask(0177);
  r = bind(fd, (const struct sockaddr *)address, sizeof(*address));
  number = errno;
  umask(before);
  if (r == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  if (r == 0) {
    number = errno;
    unlink(address->sun_path);
  }
  close(fd);
  errno = number;
  return -1;
}

int rv_control_socket_listen(
    const char *path, struct stat *status, char *error, size_t error_size) {
  struct sockaddr_un address;
  const char *problem;
  int fd;

  if (!set_path(&address, path))
    return fail(error, error_size, path, too_long);
  problem = make_room(path);
  if (problem)
    return fail(error, error_size, path, problem);
  fd = bind_and_listen(&address);
  if (fd < 0)
    return fail(error, error_size, path, explain(errno));
  if (lstat(path, status) < 0)
    *status = (struct stat){ 0 };
  return fd;
}

void rv_control_socket_remove(const char *path, const struct stat *status) {
  struct stat now;

  if (lstat(path, &now) == 0 && now.st_dev == status->st_dev &&
      now.st_ino == status->st_ino)
    unlink(path);
}

/* That of sending is connect's as well: it waits while the backlog is full. */
static bool set_timeout(int fd, int seconds) {
  const struct timeval wait = { seconds, 0 };

  return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0;
}

int rv_control_socket_connect(
    const char *path, int seconds, char *error, size_t error_size) {
  struct sockaddr_un address;
  int fd, number;

  if (!set_path(&address, path)) {
    errno = ENAMETOOLONG;
    return fail(error, error_size, path, too_long);
  }
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && set_timeout(fd, seconds) &&
      connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
    return fd;
  number = errno;
  if (fd >= 0)
    close(fd);
  fail(error, error_size, path,
      number == EAGAIN ? "no connection in time" : strerror(number));
  errno = number;
  return -1;
}
