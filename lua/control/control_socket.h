/* SPDX-License-Identifier: MIT */
/* The file of a control socket, on both sides of it. */
#ifndef REVERST_LUA_CONTROL_SOCKET_H
#define REVERST_LUA_CONTROL_SOCKET_H

#include <stddef.h>
#include <sys/stat.h>

/* Listens there, with mode 0600 from the first moment on; `status` is what the
   file is like.  A descriptor that does not block; or -1, and why with the path
   in `error`. */
int rv_control_socket_listen(
    const char *path, struct stat *status, char *error, size_t error_size);

/* Removes the file if it is still the same. */
void rv_control_socket_remove(const char *path, const struct stat *status);

/* A descriptor that blocks, as this does, at most so many seconds each time; or
   -1, and why, also in errno (EAGAIN: it took too long). */
int rv_control_socket_connect(
    const char *path, int seconds, char *error, size_t error_size);

#endif
