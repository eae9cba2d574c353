/* SPDX-License-Identifier: MIT */
/* Listeners on TCP and Unix sockets. */
#include "event/tcp.h"

#include "base/log.h"
#include "event/socket.h"
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <reverst/error.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 64 };
#define PAUSE_TIME (100 * RV_MILLISECOND)
#define LOG_INTERVAL (60 * RV_SECOND)

struct rv_listener {
  struct rv_loop *loop;
  struct rv_engine *engine;
  void (*on_accept)(int fd, const struct rv_address *peer, void *user_data);
  void *user_data;
  struct event event;
  struct rv_timer pause;
  struct rv_job free_job;
  int fd;
  bool closed;
  uint64_t quiet_until; /* the lack of descriptors was logged */
  struct rv_address address;
  dev_t device; /* of our Unix socket: which is to be removed */
  ino_t inode;
};

/* ---- accepting ---- */

static void resume(struct rv_timer *timer) {
  struct rv_listener *listener =
      rv_container_of(timer, struct rv_listener, pause);
  if (event_add(&listener->event, NULL) < 0)
    (void)rv_timer_set(
        &listener->engine->timers, timer, listener->engine->now + PAUSE_TIME);
}

/* The socket stays readable for as long as nothing can be accepted. */
static void pause_accepting(struct rv_listener *listener, int error) {
  struct rv_engine *engine = listener->engine;
  if (rv_timer_set(
          &engine->timers, &listener->pause, engine->now + PAUSE_TIME) < 0)
    return;
  event_del(&listener->event);
  if (engine->now < listener->quiet_until)
    return;
  listener->quiet_until = engine->now + LOG_INTERVAL;
  char text[RV_ADDRESS_TEXT_SIZE];
  rv_log(engine, REVERST_LOG_WARN, "accept_paused",
      rv_log_text("address", rv_address_print(&listener->address, text)),
      rv_log_text("reason", strerror(error)));
}

static bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS ||
         error == ENOMEM;
}

/* False when the batch is over. Errors of one connection, which accept(2)
   passes on, are that connection's. */
static bool accept_one(struct rv_listener *listener) {
  struct rv_address peer = { .length = sizeof(peer.path) };
  int fd = accept4(
      listener->fd, &peer.any, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    int error = errno;
    if (is_shortage(error))
      pause_accepting(listener, error);
    return error != EAGAIN && !is_shortage(error);
  }
  if (peer.length == 0)
    peer.any.sa_family = listener->address.any.sa_family;
  rv_address_unmap(&peer);
  listener->on_accept(fd, &peer, listener->user_data);
  return true;
}

static void on_readable(evutil_socket_t fd, short what, void *argument) {
  struct rv_listener *listener = argument;
  (void)fd;
  (void)what;
  rv_engine_refresh(listener->engine);
  for (int i = 0; i < ACCEPT_BATCH && !listener->closed; i++) {
    if (!accept_one(listener))
      return;
  }
}

/* ---- opening ---- */

static void prepare(int fd, int family) {
  if (family == AF_UNIX)
    return;
  rv_socket_set_tcp(fd);
  rv_socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

static void prepare_beside(int fd, int family) {
  prepare(fd, family);
  if (family != AF_UNIX)
    rv_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

/* A Unix socket stays behind when its process is killed: it is one that nobody
   listens on. Anything else is left alone. */
static bool remove_stale(const struct rv_address *address) {
  struct stat status;
  if (address->any.sa_family != AF_UNIX || address->path.sun_path[0] == '\0' ||
      lstat(address->path.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
    return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  bool is_stale =
      connect(fd, &address->any, address->length) < 0 && errno == ECONNREFUSED;
  close(fd);
  return is_stale && unlink(address->path.sun_path) == 0;
}

static int open_socket(const struct rv_address *address, bool beside) {
  int fd =
      rv_socket_bind(address, SOCK_STREAM, beside ? prepare_beside : prepare);
  if (fd == -EADDRINUSE && remove_stale(address))
    fd = rv_socket_bind(address, SOCK_STREAM, prepare);
  if (fd < 0)
    return fd;
  /* the kernel lowers it to net.core.somaxconn */
  if (listen(fd, 65535) == 0)
    return fd;
  int error = errno;
  close(fd);
  return -error;
}

static void remember_path(struct rv_listener *listener) {
  struct stat status;
  if (listener->address.any.sa_family != AF_UNIX ||
      lstat(listener->address.path.sun_path, &status) < 0)
    return;
  listener->device = status.st_dev;
  listener->inode = status.st_ino;
}

/* Only if it is ours still: a successor may have taken the place. */
static void remove_path(const struct rv_listener *listener) {
  struct stat status;
  const char *path = listener->address.path.sun_path;
  if (listener->address.any.sa_family == AF_UNIX && listener->inode != 0 &&
      lstat(path, &status) == 0 && status.st_dev == listener->device &&
      status.st_ino == listener->inode)
    (void)unlink(path);
}

static void run_free(struct rv_job *job) {
  struct rv_listener *listener =
      rv_container_of(job, struct rv_listener, free_job);
  rv_loop_release(listener->loop);
  free(listener);
}

static struct rv_listener *listener_new(
    const struct rv_listener_options *options, int fd) {
  struct rv_listener *listener = malloc(sizeof(*listener));
  if (listener == NULL)
    return NULL;
  *listener = (struct rv_listener){
    .loop = options->loop,
    .engine = rv_loop_engine(options->loop),
    .on_accept = options->on_accept,
    .user_data = options->user_data,
    .free_job = { .run = run_free },
    .fd = fd,
  };
  rv_timer_init(&listener->pause, resume);
  rv_socket_get_address(fd, &listener->address);
  if (event_assign(&listener->event, rv_loop_base(options->loop), fd,
          EV_READ | EV_PERSIST, on_readable, listener) < 0 ||
      event_add(&listener->event, NULL) < 0) {
    free(listener);
    return NULL;
  }
  remember_path(listener);
  rv_loop_hold(options->loop);
  return listener;
}

int rv_listener_open(
    struct rv_listener **listener, const struct rv_listener_options *options) {
  int fd = open_socket(options->address, options->beside);
  if (fd < 0) {
    rv_log_listen_failure(rv_loop_engine(options->loop), options->address, -fd);
    return REVERST_ERR_LISTEN;
  }
  *listener = listener_new(options, fd);
  if (*listener == NULL) {
    close(fd);
    return REVERST_ERR_NO_MEMORY;
  }
  if (options->beside)
    rv_listener_let_beside(*listener, false);
  return 0;
}

void rv_listener_let_beside(struct rv_listener *listener, bool may) {
  if (listener->address.any.sa_family != AF_UNIX)
    rv_socket_set(listener->fd, SOL_SOCKET, SO_REUSEPORT, may);
}

void rv_listener_close(struct rv_listener *listener) {
  if (listener == NULL || listener->closed)
    return;
  listener->closed = true;
  event_del(&listener->event);
  rv_timer_stop(&listener->engine->timers, &listener->pause);
  close(listener->fd);
  remove_path(listener);
  rv_turn_add(&listener->engine->turn, &listener->free_job, RV_PHASE_FREE);
}

const struct rv_address *rv_listener_address(
    const struct rv_listener *listener) {
  return &listener->address;
}
