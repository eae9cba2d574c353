/* SPDX-License-Identifier: MIT */
/* A UDP socket: opening, receiving in batches. */
#include "event/udp_internal.h"

#include "base/log.h"
#include "event/socket.h"
#include <errno.h>
#include <event2/event.h>
#include <netinet/udp.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  INBOX_MESSAGES = 16,      /* per system call */
  INBOX_ROUNDS = 4,         /* system calls per event */
  INBOX_BYTES = 512 * 1024, /* or so many bytes, whatever comes first */
  MESSAGE_SIZE = 65536,
  CONTROL_SIZE = 256,
  SOCKET_BUFFER = 4 * 1024 * 1024
};

/* What all sockets of a loop receive into; pages that are never written cost
   nothing. */
struct inbox {
  struct mmsghdr messages[INBOX_MESSAGES];
  struct iovec vectors[INBOX_MESSAGES];
  struct rv_address remotes[INBOX_MESSAGES];
  _Alignas(struct cmsghdr) uint8_t control[INBOX_MESSAGES][CONTROL_SIZE];
  uint8_t data[INBOX_MESSAGES][MESSAGE_SIZE];
};

/* ---- receiving ---- */

static void prepare_message(struct inbox *inbox, int i) {
  inbox->vectors[i] = (struct iovec){ inbox->data[i], MESSAGE_SIZE };
  inbox->messages[i].msg_hdr = (struct msghdr){
    .msg_name = &inbox->remotes[i].any,
    .msg_namelen = sizeof(inbox->remotes[i].v6),
    .msg_iov = &inbox->vectors[i],
    .msg_iovlen = 1,
    .msg_control = inbox->control[i],
    .msg_controllen = CONTROL_SIZE,
  };
}

static void set_local_v4(struct rv_address *local, struct in_addr address) {
  in_port_t port = local->any.sa_family == AF_INET ? local->v4.sin_port
                                                   : local->v6.sin6_port;
  local->v4 = (struct sockaddr_in){
    .sin_family = AF_INET,
    .sin_port = port,
    .sin_addr = address,
  };
  local->length = sizeof(local->v4);
}

static void set_local_v6(
    struct rv_address *local, const struct in6_pktinfo *info) {
  local->v6.sin6_addr = info->ipi6_addr;
  if (IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
    local->v6.sin6_scope_id = info->ipi6_ifindex;
  rv_address_unmap(local);
}

static void read_control(struct cmsghdr *control, struct rv_datagram *datagram,
    struct rv_address *local) {
  const void *data = CMSG_DATA(control);
  int level = control->cmsg_level, type = control->cmsg_type, number;
  if (level == IPPROTO_IP && type == IP_PKTINFO) {
    struct in_pktinfo info;
    memcpy(&info, data, sizeof(info));
    set_local_v4(local, info.ipi_addr);
  } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
    struct in6_pktinfo info;
    memcpy(&info, data, sizeof(info));
    if (local->any.sa_family == AF_INET6)
      set_local_v6(local, &info);
  } else if (level == IPPROTO_IP && type == IP_TOS) {
    datagram->ecn = *(const uint8_t *)data & 3;
  } else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS) {
    memcpy(&number, data, sizeof(number));
    datagram->ecn = number & 3;
  } else if (level == IPPROTO_UDP && type == UDP_GRO) {
    memcpy(&number, data, sizeof(number));
    datagram->segment_size = (size_t)number;
  }
}

static void deliver(struct rv_udp *udp, struct inbox *inbox, int i) {
  struct msghdr *header = &inbox->messages[i].msg_hdr;
  struct rv_address local = udp->address;
  struct rv_datagram datagram = {
    .local = &local,
    .remote = &inbox->remotes[i],
    .data = inbox->data[i],
    .length = inbox->messages[i].msg_len,
  };
  inbox->remotes[i].length = header->msg_namelen;
  rv_address_unmap(&inbox->remotes[i]);
  for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
       control = CMSG_NXTHDR(header, control))
    read_control(control, &datagram, &local);
  if (datagram.segment_size >= datagram.length)
    datagram.segment_size = 0;
  udp->on_datagram(&datagram, udp->user_data);
}

/* True when there may be more. */
static bool receive_some(
    struct rv_udp *udp, struct inbox *inbox, size_t *received) {
  for (int i = 0; i < INBOX_MESSAGES; i++)
    prepare_message(inbox, i);
  int n = recvmmsg(udp->fd, inbox->messages, INBOX_MESSAGES, 0, NULL);
  if (n < 0) /* EAGAIN, or an error some earlier datagram has caused */
    return errno != EAGAIN;
  for (int i = 0; i < n && !udp->closed; i++) {
    *received += inbox->messages[i].msg_len;
    if (!(inbox->messages[i].msg_hdr.msg_flags & MSG_TRUNC))
      deliver(udp, inbox, i);
  }
  return n == INBOX_MESSAGES;
}

static void on_readable(evutil_socket_t fd, short what, void *argument) {
  struct rv_udp *udp = argument;
  struct inbox *inbox = rv_loop_scratch(udp->loop, sizeof(*inbox));
  size_t received = 0;
  bool more = inbox != NULL;
  (void)fd;
  (void)what;
  rv_engine_refresh(udp->engine);
  for (int i = 0;
       i < INBOX_ROUNDS && more && !udp->closed && received < INBOX_BYTES; i++)
    more = receive_some(udp, inbox, &received);
}

static void on_writable(evutil_socket_t fd, short what, void *argument) {
  struct rv_udp *udp = argument;
  (void)fd;
  (void)what;
  rv_engine_refresh(udp->engine);
  udp->on_writable(udp->user_data);
}

/* ---- opening ---- */

/* Beyond net.core.rmem_max only with CAP_NET_ADMIN. */
static void set_buffer(int fd, int force_name, int name) {
  int size = SOCKET_BUFFER;
  if (setsockopt(fd, SOL_SOCKET, force_name, &size, sizeof(size)) < 0)
    rv_socket_set(fd, SOL_SOCKET, name, size);
}

/* An IPv6 socket has the options of IPv4 as well, for mapped addresses.
   Datagrams are never fragmented, and the kernel's idea of a path's MTU is
   ignored: QUIC finds it out itself (RFC 9000 section 14). */
static void prepare(int fd, int family) {
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  rv_socket_set(fd, IPPROTO_IP, IP_RECVTOS, 1);
  rv_socket_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  rv_socket_set(fd, IPPROTO_UDP, UDP_GRO, 1);
  if (family != AF_INET6)
    return;
  rv_socket_set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  rv_socket_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

/* Which of our addresses a datagram was sent to, for the answer to come from
   the same. */
static void find_address(struct rv_udp *udp) {
  rv_socket_get_address(udp->fd, &udp->address);
  udp->family = udp->address.any.sa_family;
  udp->wildcard = rv_address_is_wildcard(&udp->address);
  if (!udp->wildcard)
    return;
  rv_socket_set(udp->fd, IPPROTO_IP, IP_PKTINFO, 1);
  if (udp->family == AF_INET6)
    rv_socket_set(udp->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static int assign_events(struct rv_udp *udp) {
  struct event_base *base = rv_loop_base(udp->loop);
  if (event_assign(&udp->read_event, base, udp->fd, EV_READ | EV_PERSIST,
          on_readable, udp) < 0 ||
      event_assign(
          &udp->write_event, base, udp->fd, EV_WRITE, on_writable, udp) < 0 ||
      event_add(&udp->read_event, NULL) < 0)
    return REVERST_ERR_NO_MEMORY;
  return 0;
}

static void run_free(struct rv_job *job) {
  struct rv_udp *udp = rv_container_of(job, struct rv_udp, free_job);
  rv_loop_release(udp->loop);
  free(udp);
}

int rv_udp_open(struct rv_udp **udp, const struct rv_udp_options *options) {
  struct rv_engine *engine = rv_loop_engine(options->loop);
  struct rv_udp *new_udp = calloc(1, sizeof(*new_udp));
  if (new_udp == NULL)
    return REVERST_ERR_NO_MEMORY;
  int fd = rv_socket_bind(options->address, SOCK_DGRAM, prepare);
  if (fd < 0) {
    rv_log_listen_failure(engine, options->address, -fd);
    free(new_udp);
    return REVERST_ERR_LISTEN;
  }
  *new_udp = (struct rv_udp){
    .sink = { .send = rv_udp_send },
    .loop = options->loop,
    .engine = engine,
    .on_datagram = options->on_datagram,
    .on_writable = options->on_writable,
    .user_data = options->user_data,
    .free_job = { .run = run_free },
    .fd = fd,
    .can_segment = true,
  };
  find_address(new_udp);
  if (assign_events(new_udp) < 0) {
    close(fd);
    free(new_udp);
    return REVERST_ERR_NO_MEMORY;
  }
  rv_loop_hold(options->loop);
  *udp = new_udp;
  return 0;
}

void rv_udp_close(struct rv_udp *udp) {
  if (udp == NULL || udp->closed)
    return;
  udp->closed = true;
  event_del(&udp->read_event);
  event_del(&udp->write_event);
  close(udp->fd);
  rv_turn_add(&udp->engine->turn, &udp->free_job, RV_PHASE_FREE);
}

struct rv_datagram_sink *rv_udp_sink(struct rv_udp *udp) {
  return &udp->sink;
}

const struct rv_address *rv_udp_address(const struct rv_udp *udp) {
  return &udp->address;
}
