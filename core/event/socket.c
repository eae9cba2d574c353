/* SPDX-License-Identifier: MIT */
/* Sockets that are bound: opening them, and their addresses. */
#include "event/socket.h"

#include "base/log.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

void rv_socket_set(int fd, int level, int name, int value) {
  (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* Bytes that were not even sent yet, beyond which the kernel takes no more. */
enum { UNSENT_AHEAD = 256 * 1024 };

void rv_socket_set_tcp(int fd) {
  rv_socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  rv_socket_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_AHEAD);
  rv_socket_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  rv_socket_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  rv_socket_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  rv_socket_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

static int open_and_bind(const struct rv_address *address, int type,
    void (*prepare)(int fd, int family)) {
  int family = address->any.sa_family;
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  if (family == AF_INET6)
    rv_socket_set(
        fd, IPPROTO_IPV6, IPV6_V6ONLY, !rv_address_is_wildcard(address));
  if (prepare != NULL)
    prepare(fd, family);
  if (bind(fd, &address->any, address->length) == 0)
    return fd;
  int error = errno;
  close(fd);
  return -error;
}

int rv_socket_bind(const struct rv_address *address, int type,
    void (*prepare)(int fd, int family)) {
  int r = open_and_bind(address, type, prepare);
  if ((r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL) ||
      address->any.sa_family != AF_INET6 || !rv_address_is_wildcard(address))
    return r;
  struct rv_address any = {
    .v4 = { .sin_family = AF_INET, .sin_port = address->v6.sin6_port },
    .length = sizeof(any.v4),
  };
  return open_and_bind(&any, type, prepare);
}

void rv_socket_get_address(int fd, struct rv_address *address) {
  *address = (struct rv_address){ 0 };
  address->length = sizeof(address->path);
  if (getsockname(fd, &address->any, &address->length) < 0)
    address->length = 0;
}

void rv_address_unmap(struct rv_address *address) {
  const struct sockaddr_in6 v6 = address->v6;
  if (address->any.sa_family != AF_INET6 ||
      !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
    return;
  address->v4 = (struct sockaddr_in){
    .sin_family = AF_INET,
    .sin_port = v6.sin6_port,
  };
  memcpy(&address->v4.sin_addr, &v6.sin6_addr.s6_addr[12], 4);
  address->length = sizeof(address->v4);
}

void rv_address_map(struct rv_address *address) {
  const struct sockaddr_in v4 = address->v4;
  if (address->any.sa_family != AF_INET)
    return;
  address->v6 = (struct sockaddr_in6){
    .sin6_family = AF_INET6,
    .sin6_port = v4.sin_port,
  };
  address->v6.sin6_addr.s6_addr[10] = 0xff;
  address->v6.sin6_addr.s6_addr[11] = 0xff;
  memcpy(&address->v6.sin6_addr.s6_addr[12], &v4.sin_addr, 4);
  address->length = sizeof(address->v6);
}

bool rv_address_is_wildcard(const struct rv_address *address) {
  if (address->any.sa_family == AF_INET)
    return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
  return address->any.sa_family == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

void rv_log_listen_failure(
    struct rv_engine *engine, const struct rv_address *address, int error) {
  char text[RV_ADDRESS_TEXT_SIZE];
  rv_log(engine, REVERST_LOG_ERROR, "listen_failed",
      rv_log_text("address", rv_address_print(address, text)),
      rv_log_text("reason", strerror(error)));
}
