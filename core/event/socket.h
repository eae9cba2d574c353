/* SPDX-License-Identifier: MIT */
/* What listeners and UDP sockets have in common. */
#ifndef RV_EVENT_SOCKET_H
#define RV_EVENT_SOCKET_H

#include "base/address.h"
#include "base/engine.h"

/* A non-blocking, close-on-exec socket bound to `address`; the result is the
   descriptor or a negated errno. "::" takes IPv4 too, and becomes 0.0.0.0 where
   there is no IPv6. `prepare` (may be NULL) sets options before it is bound. */
int rv_socket_bind(const struct rv_address *address, int type,
    void (*prepare)(int fd, int family));

/* setsockopt with an int; failures are of no interest to the caller. */
void rv_socket_set(int fd, int level, int name, int value);

/* What each TCP connection has; accepted ones inherit it. Small writes leave at
   once. The kernel takes little ahead of a slow reader, so that it is noticed
   early that he is slow. Peers that vanished without a word are noticed after
   two minutes, though nothing is sent. */
void rv_socket_set_tcp(int fd);

/* The address it is bound to; a zero length when it cannot be had. */
void rv_socket_get_address(int fd, struct rv_address *address);

/* Turns ::ffff:192.0.2.1 into 192.0.2.1; other addresses stay. */
void rv_address_unmap(struct rv_address *address);

/* The other way, for sending by an IPv6 socket. */
void rv_address_map(struct rv_address *address);

/* 0.0.0.0 or "::" */
bool rv_address_is_wildcard(const struct rv_address *address);

void rv_log_listen_failure(
    struct rv_engine *engine, const struct rv_address *address, int error);

#endif
