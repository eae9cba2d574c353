/* SPDX-License-Identifier: MIT */
/* Sending by a UDP socket: one system call per batch of equal datagrams. */
#include "event/udp_internal.h"

#include "base/log.h"
#include "event/socket.h"
#include <errno.h>
#include <event2/event.h>
#include <netinet/udp.h>
#include <reverst/error.h>

enum {
  MAX_SEGMENTS = 64, /* Linux: UDP_MAX_SEGMENTS */
  MAX_BYTES = 65507, /* of one UDP datagram over IPv4, which a batch is first */
  CONTROL_SIZE = CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                 CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))
};

/* The head of sendmsg, the same for all calls of one batch but for the
   segment size, which comes last. */
struct envelope {
  struct msghdr header;
  struct rv_address remote;
  _Alignas(struct cmsghdr) uint8_t control[CONTROL_SIZE];
};

static void add_control(struct msghdr *header, int level, int type,
    const void *data, size_t length) {
  uint8_t *place = (uint8_t *)header->msg_control + header->msg_controllen;
  struct cmsghdr control = {
    .cmsg_level = level,
    .cmsg_type = type,
    .cmsg_len = CMSG_LEN(length),
  };
  memcpy(place, &control, sizeof(control));
  memcpy(place + CMSG_LEN(0), data, length);
  header->msg_controllen += CMSG_SPACE(length);
}

static void add_source_v4(
    struct msghdr *header, const struct sockaddr_in *source) {
  struct in_pktinfo info = { .ipi_spec_dst = source->sin_addr };
  if (source->sin_addr.s_addr != htonl(INADDR_ANY))
    add_control(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static void add_source_v6(
    struct msghdr *header, const struct sockaddr_in6 *source) {
  struct in6_pktinfo info = { .ipi6_addr = source->sin6_addr };
  if (IN6_IS_ADDR_LINKLOCAL(&source->sin6_addr))
    info.ipi6_ifindex = source->sin6_scope_id;
  if (!IN6_IS_ADDR_UNSPECIFIED(&source->sin6_addr))
    add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/* To a mapped address an IPv6 socket sends IPv4, with the options of IPv4. */
static void address_envelope(const struct rv_udp *udp,
    struct envelope *envelope, const struct rv_datagram *datagram) {
  const struct rv_address *local = datagram->local;
  int family = datagram->remote->any.sa_family;
  int ecn = datagram->ecn;
  envelope->remote = *datagram->remote;
  if (udp->family == AF_INET6)
    rv_address_map(&envelope->remote);
  envelope->header = (struct msghdr){
    .msg_name = &envelope->remote.any,
    .msg_namelen = envelope->remote.length,
    .msg_iovlen = 1,
    .msg_control = envelope->control,
  };
  if (udp->wildcard && local != NULL && local->any.sa_family == family) {
    if (family == AF_INET)
      add_source_v4(&envelope->header, &local->v4);
    else
      add_source_v6(&envelope->header, &local->v6);
  }
  if (ecn != 0 && family == AF_INET)
    add_control(&envelope->header, IPPROTO_IP, IP_TOS, &ecn, sizeof(ecn));
  else if (ecn != 0)
    add_control(
        &envelope->header, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof(ecn));
}

/* 0 or an errno. */
static int send_bytes(const struct rv_udp *udp, const struct envelope *envelope,
    const uint8_t *data, size_t length, size_t segment_size) {
  struct msghdr header = envelope->header;
  union {
    const uint8_t *from;
    void *to;
  } pointer = { .from = data };
  struct iovec vector = { .iov_base = pointer.to, .iov_len = length };
  uint16_t size = (uint16_t)segment_size;
  header.msg_iov = &vector;
  if (length > segment_size)
    add_control(&header, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
  if (header.msg_controllen == 0)
    header.msg_control = NULL;
  ssize_t n;
  do
    n = sendmsg(udp->fd, &header, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? errno : 0;
}

static void stop_segmenting(struct rv_udp *udp, int error) {
  udp->can_segment = false;
  rv_log(udp->engine, REVERST_LOG_INFO, "udp_segmentation_off",
      rv_log_text("reason", strerror(error)));
}

/* The system refused a batch: one datagram alone tells whether it cannot
   segment, or has something against all of them, such as a source address that
   is not ours any more. */
static int send_first(struct rv_udp *udp, const struct envelope *envelope,
    const uint8_t *data, size_t segment_size, int refusal) {
  int error = send_bytes(udp, envelope, data, segment_size, segment_size);
  if (error == 0)
    stop_segmenting(udp, refusal);
  return error;
}

/* How many bytes one call may take. */
static size_t batch_length(
    const struct rv_udp *udp, size_t length, size_t segment_size) {
  size_t segments = MAX_BYTES / segment_size;
  if (segments > MAX_SEGMENTS)
    segments = MAX_SEGMENTS;
  if (!udp->can_segment || segments == 0)
    segments = 1;
  return length < segments * segment_size ? length : segments * segment_size;
}

static void wait_until_writable(struct rv_udp *udp) {
  if (event_add(&udp->write_event, NULL) < 0)
    rv_log(udp->engine, REVERST_LOG_ERROR, "udp_wait_failed",
        rv_log_text("reason", "out of memory"));
}

/* Errors but EAGAIN are a loss to QUIC: a probe that exceeds the MTU, a route
   that is gone, a full queue of the device. */
int rv_udp_send(
    struct rv_datagram_sink *sink, const struct rv_datagram *datagram) {
  struct rv_udp *udp = rv_container_of(sink, struct rv_udp, sink);
  size_t segment_size = datagram->segment_size, offset = 0;
  struct envelope envelope;
  if (udp->closed)
    return 0;
  if (segment_size == 0 || segment_size > datagram->length)
    segment_size = datagram->length;
  address_envelope(udp, &envelope, datagram);
  while (offset < datagram->length) {
    size_t length = batch_length(udp, datagram->length - offset, segment_size);
    int error = send_bytes(
        udp, &envelope, datagram->data + offset, length, segment_size);
    if ((error == EIO || error == EINVAL) && length > segment_size) {
      error = send_first(
          udp, &envelope, datagram->data + offset, segment_size, error);
      if (error == 0)
        length = segment_size;
    }
    if (error == EAGAIN) {
      wait_until_writable(udp);
      return offset > 0 ? (int)offset : REVERST_ERR_AGAIN;
    }
    offset += length;
  }
  return 0;
}
