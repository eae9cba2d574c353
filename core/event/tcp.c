/* SPDX-License-Identifier: MIT */
/* Streams over TCP and Unix sockets. */
#include "event/tcp.h"

#include "event/socket.h"
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  READ_MINIMUM = 4096,       /* bytes of room worth a system call */
  READ_ROUNDS = 4,           /* reads per event: up to 64 KiB */
  DRAIN_ROUNDS = 64,         /* reads after a failed write */
  WRITE_ROUNDS = 16,         /* writes per turn */
  WRITE_VECTORS = 64,        /* up to 1 MiB in full chunks */
  LINGER_BYTES = 1024 * 1024 /* read and dropped after close */
};
#define LINGER_TIME (2 * RV_SECOND)

enum tcp_state { TCP_DIALLING, TCP_OPEN, TCP_LINGERING, TCP_GONE };

/* A stream starts level-triggered, for reading only: one system call per event.
   When first it cannot read what is there, or not write, it becomes
   edge-triggered in both directions for the rest of its life: neither a pause
   nor the end of one costs a change of the poll set, a reset is noticed while
   nothing is read, and a FIN does not spin. */
struct tcp {
  struct rv_stream stream;
  struct rv_loop *loop;
  struct rv_engine *engine;
  struct rv_stream_user *user; /* who hears on_closed, once state is GONE */
  struct event event;
  struct rv_job read_job, write_job, free_job;
  struct rv_timer timer; /* of dialling, of lingering */
  int fd;
  enum tcp_state state;
  bool watched;        /* the event is in the base */
  bool edge_triggered; /* see above */
  bool readable;       /* edge-triggered: there may be something to read */
  bool reading;        /* the user wants bytes */
  bool ended;          /* FIN was read */
  bool blocked;        /* the socket took no more */
  bool wants_shutdown, is_shut;
  bool reset_on_close;
  int error;
  size_t dropped; /* bytes read while lingering */
};

static struct tcp *tcp_of(struct rv_stream *stream) {
  return rv_container_of(stream, struct tcp, stream);
}

/* ---- the end ---- */

static void run_free(struct rv_job *job) {
  struct tcp *tcp = rv_container_of(job, struct tcp, free_job);
  if (tcp->reset_on_close && tcp->fd >= 0) {
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(tcp->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  if (tcp->fd >= 0)
    close(tcp->fd);
  tcp->engine->live.streams--;
  if (tcp->user != NULL)
    tcp->user->ops->on_closed(tcp->user, tcp->error);
  free(tcp);
}

static void unwatch(struct tcp *tcp) {
  if (tcp->watched)
    event_del(&tcp->event);
  tcp->watched = false;
}

/* The user hears of it at the end of the turn. */
static void finish(struct tcp *tcp, int error) {
  if (tcp->state == TCP_GONE)
    return;
  tcp->state = TCP_GONE;
  tcp->error = error;
  if (tcp->stream.user != NULL)
    tcp->user = tcp->stream.user;
  unwatch(tcp);
  rv_timer_stop(&tcp->engine->timers, &tcp->timer);
  rv_turn_remove(&tcp->read_job);
  rv_turn_remove(&tcp->write_job);
  rv_turn_add(&tcp->engine->turn, &tcp->free_job, RV_PHASE_FREE);
}

/* ---- events ---- */

static void on_event(evutil_socket_t fd, short what, void *argument);

static void watch(struct tcp *tcp, short what) {
  unwatch(tcp);
  tcp->edge_triggered = (what & EV_ET) != 0;
  if (event_assign(&tcp->event, rv_loop_base(tcp->loop), tcp->fd,
          (short)(what | EV_PERSIST), on_event, tcp) < 0 ||
      event_add(&tcp->event, NULL) < 0)
    finish(tcp, ENOMEM);
  else
    tcp->watched = true;
}

/* What is ready already is reported again by the new registration. */
static void become_edge_triggered(struct tcp *tcp) {
  if (!tcp->edge_triggered)
    watch(tcp, EV_READ | EV_WRITE | EV_ET);
}

static int pending_error(const struct tcp *tcp) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
    return errno;
  return error;
}

/* ---- reading ---- */

static bool can_read(const struct tcp *tcp) {
  return tcp->state == TCP_OPEN && tcp->reading && !tcp->ended;
}

/* Reads once and tells the user; true when there may be more. */
static bool read_once(struct tcp *tcp) {
  struct rv_chunk_pool *pool = &tcp->engine->chunks;
  size_t size;
  uint8_t *space = rv_chunk_pool_space(pool, READ_MINIMUM, &size);
  if (space == NULL) {
    finish(tcp, ENOMEM);
    return false;
  }
  ssize_t n = recv(tcp->fd, space, size, 0);
  if (n > 0) {
    struct rv_slice slice = rv_chunk_pool_commit(pool, (size_t)n);
    tcp->stream.user->ops->on_data(tcp->stream.user, slice);
    return tcp->edge_triggered || (size_t)n == size;
  }
  if (n < 0 && errno == EINTR)
    return true;
  tcp->readable = false;
  if (n == 0) {
    tcp->ended = true;
    tcp->stream.user->ops->on_end(tcp->stream.user);
  } else if (errno != EAGAIN) {
    finish(tcp, errno);
  }
  return false;
}

static void read_some(struct tcp *tcp) {
  bool more = true;
  for (int i = 0; i < READ_ROUNDS && more && can_read(tcp); i++)
    more = read_once(tcp);
  if (more && tcp->edge_triggered && can_read(tcp))
    rv_turn_add(&tcp->engine->turn, &tcp->read_job, RV_PHASE_PROCESS);
}

static void drop_some(struct tcp *tcp) {
  uint8_t data[RV_CHUNK_SIZE];
  for (;;) {
    ssize_t n = recv(tcp->fd, data, sizeof(data), 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return;
    if (n > 0)
      tcp->dropped += (size_t)n;
    if (n <= 0 || tcp->dropped > LINGER_BYTES) {
      finish(tcp, 0);
      return;
    }
  }
}

/* A peer that went away while nothing is read from it would else be noticed
   only when reading goes on, which may be never. */
static void look_for_hangup(struct tcp *tcp) {
  struct pollfd poll_fd = { .fd = tcp->fd, .events = POLLRDHUP };
  struct rv_stream_user *user = tcp->stream.user;
  if (tcp->state == TCP_OPEN && !tcp->ended && user->ops->on_hangup != NULL &&
      poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLRDHUP))
    user->ops->on_hangup(user);
}

static void run_read(struct rv_job *job) {
  struct tcp *tcp = rv_container_of(job, struct tcp, read_job);
  if (tcp->state == TCP_LINGERING)
    drop_some(tcp);
  else if (can_read(tcp) && tcp->readable)
    read_some(tcp);
  else if (!tcp->reading)
    look_for_hangup(tcp);
}

static void on_readable(struct tcp *tcp) {
  tcp->readable = true;
  if (can_read(tcp)) {
    read_some(tcp);
    return;
  }
  if (!tcp->edge_triggered) {
    become_edge_triggered(tcp);
    return;
  }
  int error = pending_error(tcp);
  if (error != 0)
    finish(tcp, error);
  else
    look_for_hangup(tcp);
}

/* ---- writing ---- */

static void touch(struct rv_stream *stream) {
  struct tcp *tcp = tcp_of(stream);
  if (tcp->state == TCP_OPEN && !tcp->blocked && !tcp->is_shut)
    rv_turn_add(&tcp->engine->turn, &tcp->write_job, RV_PHASE_WRITE);
}

static void shut_if_wanted(struct tcp *tcp) {
  if (!tcp->wants_shutdown || tcp->is_shut)
    return;
  tcp->is_shut = true;
  (void)shutdown(tcp->fd, SHUT_WR);
}

/* The peer may have answered before it broke the connection: the user hears
   that first. */
static void on_write_failed(struct tcp *tcp, int error) {
  for (int i = 0; i < DRAIN_ROUNDS && can_read(tcp); i++) {
    tcp->readable = true;
    (void)read_once(tcp);
    if (!tcp->readable)
      break;
  }
  if (tcp->state == TCP_OPEN)
    finish(tcp, error);
}

enum write_result { WRITE_MORE, WRITE_DONE, WRITE_STOPPED };

static enum write_result write_once(struct tcp *tcp) {
  struct rv_stream_user *user = tcp->stream.user;
  struct iovec vectors[WRITE_VECTORS];
  size_t count = user->ops->gather(user, vectors, WRITE_VECTORS);
  size_t length = 0;
  assert(count <= WRITE_VECTORS);
  for (size_t i = 0; i < count; i++)
    length += vectors[i].iov_len;
  if (length == 0)
    return WRITE_DONE;
  struct msghdr message = { .msg_iov = vectors, .msg_iovlen = count };
  ssize_t n = sendmsg(tcp->fd, &message, MSG_NOSIGNAL);
  if (n < 0 && errno == EINTR)
    return WRITE_MORE;
  if (n < 0 && errno == EAGAIN) {
    tcp->blocked = true;
    become_edge_triggered(tcp);
    return WRITE_STOPPED;
  }
  if (n < 0) {
    on_write_failed(tcp, errno);
    return WRITE_STOPPED;
  }
  user->ops->on_sent(user, (size_t)n);
  return (size_t)n == length && count < WRITE_VECTORS ? WRITE_DONE : WRITE_MORE;
}

static void run_write(struct rv_job *job) {
  struct tcp *tcp = rv_container_of(job, struct tcp, write_job);
  enum write_result result = WRITE_MORE;
  for (int i = 0; i < WRITE_ROUNDS && result == WRITE_MORE; i++) {
    if (tcp->state != TCP_OPEN || tcp->blocked || tcp->is_shut)
      return;
    result = write_once(tcp);
  }
  if (tcp->state != TCP_OPEN)
    return;
  if (result == WRITE_MORE)
    touch(&tcp->stream);
  else if (result == WRITE_DONE)
    shut_if_wanted(tcp);
}

/* ---- events, continued ---- */

static void on_dialled(struct tcp *tcp) {
  int error = pending_error(tcp);
  if (error != 0) {
    finish(tcp, error);
    return;
  }
  (void)rv_timer_set(&tcp->engine->timers, &tcp->timer, RV_NEVER);
  tcp->state = TCP_OPEN;
  watch(tcp, EV_READ);
  if (tcp->state != TCP_OPEN)
    return;
  touch(&tcp->stream);
  tcp->stream.user->ops->on_connected(tcp->stream.user);
}

static void on_event(evutil_socket_t fd, short what, void *argument) {
  struct tcp *tcp = argument;
  (void)fd;
  rv_engine_refresh(tcp->engine);
  if (tcp->state == TCP_DIALLING) {
    on_dialled(tcp);
  } else if (tcp->state == TCP_LINGERING) {
    if (what & EV_READ)
      drop_some(tcp);
  } else {
    if ((what & EV_WRITE) && tcp->blocked) {
      tcp->blocked = false;
      touch(&tcp->stream);
    }
    if (what & EV_READ)
      on_readable(tcp);
  }
}

static void on_timer(struct rv_timer *timer) {
  struct tcp *tcp = rv_container_of(timer, struct tcp, timer);
  finish(tcp, tcp->state == TCP_DIALLING ? ETIMEDOUT : 0);
}

/* ---- the interface ---- */

static void set_reading(struct rv_stream *stream, bool reading) {
  struct tcp *tcp = tcp_of(stream);
  tcp->reading = reading;
  if (tcp->edge_triggered && tcp->readable && (can_read(tcp) || !reading))
    rv_turn_add(&tcp->engine->turn, &tcp->read_job, RV_PHASE_PROCESS);
}

static void shut(struct rv_stream *stream) {
  struct tcp *tcp = tcp_of(stream);
  tcp->wants_shutdown = true;
  touch(stream);
}

/* False when there is nothing to wait for. */
static bool linger(struct tcp *tcp) {
  if (tcp->state != TCP_OPEN)
    return false;
  tcp->wants_shutdown = true;
  shut_if_wanted(tcp);
  if (tcp->ended || rv_timer_set(&tcp->engine->timers, &tcp->timer,
                        tcp->engine->now + LINGER_TIME) < 0)
    return false;
  tcp->state = TCP_LINGERING;
  rv_turn_remove(&tcp->write_job);
  rv_turn_add(&tcp->engine->turn, &tcp->read_job, RV_PHASE_PROCESS);
  return true;
}

static void close_stream(struct rv_stream *stream, enum rv_stream_close how) {
  struct tcp *tcp = tcp_of(stream);
  if (stream->user == NULL)
    return;
  tcp->user = stream->user;
  stream->user = NULL;
  if (how == RV_STREAM_LINGER && linger(tcp))
    return;
  tcp->reset_on_close = how == RV_STREAM_ABORT;
  finish(tcp, 0);
}

static const struct rv_stream_ops tcp_ops = {
  .touch = touch,
  .set_reading = set_reading,
  .shutdown = shut,
  .close = close_stream,
};

static struct tcp *tcp_new(
    struct rv_loop *loop, int fd, struct rv_stream_user *user) {
  struct tcp *tcp = malloc(sizeof(*tcp));
  if (tcp == NULL)
    return NULL;
  *tcp = (struct tcp){
    .stream = { .ops = &tcp_ops, .user = user },
    .loop = loop,
    .engine = rv_loop_engine(loop),
    .read_job = { .run = run_read },
    .write_job = { .run = run_write },
    .free_job = { .run = run_free },
    .fd = fd,
    .reading = true,
  };
  rv_timer_init(&tcp->timer, on_timer);
  tcp->engine->live.streams++;
  return tcp;
}

int rv_tcp_stream_open(struct rv_stream **stream, struct rv_loop *loop, int fd,
    struct rv_stream_user *user) {
  struct tcp *tcp = tcp_new(loop, fd, user);
  if (tcp == NULL) {
    close(fd);
    return REVERST_ERR_NO_MEMORY;
  }
  tcp->state = TCP_OPEN;
  watch(tcp, EV_READ);
  *stream = &tcp->stream;
  return 0;
}

static int dial(const struct rv_address *address, int *fd) {
  int family = address->any.sa_family;
  *fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (*fd < 0)
    return errno;
  if (family != AF_UNIX)
    rv_socket_set_tcp(*fd);
  if (connect(*fd, &address->any, address->length) < 0 && errno != EINPROGRESS)
    return errno;
  return 0;
}

int rv_tcp_stream_connect(struct rv_stream **stream, struct rv_loop *loop,
    const struct rv_address *address, uint64_t timeout,
    struct rv_stream_user *user) {
  struct tcp *tcp = tcp_new(loop, -1, user);
  if (tcp == NULL)
    return REVERST_ERR_NO_MEMORY;
  *stream = &tcp->stream;
  int error = dial(address, &tcp->fd);
  if (error != 0) {
    finish(tcp, error);
    return 0;
  }
  uint64_t now = tcp->engine->now;
  uint64_t deadline = timeout < RV_NEVER - now ? now + timeout : RV_NEVER;
  watch(tcp, EV_WRITE);
  if (tcp->state == TCP_DIALLING &&
      rv_timer_set(&tcp->engine->timers, &tcp->timer, deadline) < 0)
    finish(tcp, ENOMEM);
  return 0;
}
