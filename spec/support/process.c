/* SPDX-License-Identifier: MIT */
/* Child processes, for specs: arguments, environment, pipes, signals and exit.
   Nothing here waits but poll.  A child dies with this process. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#define TYPE "spec.process"

enum { INPUT, OUTPUT, ERRORS, STREAMS };
enum { PIECE_SIZE = 65536, MAX_ARGUMENTS = 256, MAX_POLLED = 512 };

struct process {
  pid_t pid;
  int handle;        /* a pidfd: readable once the child has ended */
  int ends[STREAMS]; /* ours of its pipes; -1: closed */
  bool reaped;
  int status;
};

int luaopen_spec_process(lua_State *L);

static struct process *check_process(lua_State *L, int index) {
  return luaL_checkudata(L, index, TYPE);
}

static void close_end(struct process *process, int stream) {
  if (process->ends[stream] >= 0)
    close(process->ends[stream]);
  process->ends[stream] = -1;
}

/* ---- in the child ---- */

static void set_environment(lua_State *L, int index) {
  if (!lua_istable(L, index))
    return;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
    if (lua_isstring(L, -1))
      setenv(lua_tostring(L, -2), lua_tostring(L, -1), 1);
    else
      unsetenv(lua_tostring(L, -2));
}

static void run_child(
    char **arguments, const int theirs[static STREAMS], pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(127);
  signal(SIGPIPE, SIG_DFL);
  for (int i = 0; i < STREAMS; i++)
    dup2(theirs[i], i);
  execvp(arguments[0], arguments);
  dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
  _exit(127);
}

/* ---- spawning ---- */

static int make_pipes(
    struct process *process, int theirs[static STREAMS], bool with_input) {
  for (int i = 0; i < STREAMS; i++) {
    int ends[2];
    int ours = i == INPUT ? 1 : 0;

    if (i == INPUT && !with_input) {
      theirs[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
      continue;
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
      return -1;
    process->ends[i] = ends[ours];
    theirs[i] = ends[1 - ours];
    fcntl(process->ends[i], F_SETFL, O_NONBLOCK);
  }
  return 0;
}

static void read_arguments(lua_State *L, char **arguments) {
  lua_Integer count = luaL_len(L, 1);

  luaL_argcheck(L, count > 0 && count < MAX_ARGUMENTS, 1, "1 to 255 strings");
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, 1, i + 1);
    arguments[i] = (char *)(uintptr_t)luaL_checkstring(L, -1);
    /* the table keeps the string */
    lua_pop(L, 1);
  }
  arguments[count] = NULL;
}

static struct process *push_process(lua_State *L) {
  struct process *process = lua_newuserdatauv(L, sizeof(*process), 0);

  *process =
      (struct process){ .handle = -1, .ends = { -1, -1, -1 }, .reaped = true };
  luaL_setmetatable(L, TYPE);
  return process;
}

/* spawn({program, argument, …}, {NAME = "value" or false, …}, with_input) */
static int spawn(lua_State *L) {
  char *arguments[MAX_ARGUMENTS];
  int theirs[STREAMS] = { -1, -1, -1 };
  struct process *process;
  pid_t parent = getpid();
  int r;

  read_arguments(L, arguments);
  process = push_process(L);
  r = make_pipes(process, theirs, lua_toboolean(L, 3));
  if (r == 0)
    process->pid = fork();
  if (r == 0 && process->pid == 0) {
    set_environment(L, 2);
    run_child(arguments, theirs, parent);
  }
  for (int i = 0; i < STREAMS; i++)
    if (theirs[i] >= 0)
      close(theirs[i]);
  if (r < 0 || process->pid < 0)
    return luaL_error(L, "%s: %s", arguments[0], strerror(errno));
  process->reaped = false;
  process->handle = (int)syscall(SYS_pidfd_open, process->pid, 0);
  if (process->handle < 0)
    return luaL_error(L, "pidfd_open: %s", strerror(errno));
  return 1;
}

/* ---- afterwards ---- */

static int get_pid(lua_State *L) {
  lua_pushinteger(L, check_process(L, 1)->pid);
  return 1;
}

/* read(process, "output" or "errors") -> bytes, "" when there are none yet, nil
   at the end */
static int read_stream(lua_State *L) {
  static const char *const names[] = { "output", "errors", NULL };
  struct process *process = check_process(L, 1);
  int stream = OUTPUT + luaL_checkoption(L, 2, NULL, names);
  luaL_Buffer buffer;
  char *piece;
  ssize_t n;

  if (process->ends[stream] < 0)
    return 0;
  piece = luaL_buffinitsize(L, &buffer, PIECE_SIZE);
  n = read(process->ends[stream], piece, PIECE_SIZE);
  luaL_pushresultsize(&buffer, n > 0 ? (size_t)n : 0);
  if (n > 0 || (n < 0 && errno == EAGAIN))
    return 1;
  close_end(process, stream); /* the end, or a reset */
  return 0;
}

/* write(process, bytes) -> how many were taken, or nil if nobody reads */
static int write_input(lua_State *L) {
  struct process *process = check_process(L, 1);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  ssize_t n = write(process->ends[INPUT], bytes, length);

  if (n < 0 && errno != EAGAIN)
    return 0;
  lua_pushinteger(L, n < 0 ? 0 : n);
  return 1;
}

static int close_input(lua_State *L) {
  close_end(check_process(L, 1), INPUT);
  return 0;
}

static int send_signal(lua_State *L) {
  static const char *const names[] = { "TERM", "INT", "KILL", "STOP", "CONT",
    "USR1", "HUP", NULL };
  static const int numbers[] = { SIGTERM, SIGINT, SIGKILL, SIGSTOP, SIGCONT,
    SIGUSR1, SIGHUP };
  struct process *process = check_process(L, 1);
  int number = numbers[luaL_checkoption(L, 2, "TERM", names)];

  lua_pushboolean(L, !process->reaped && kill(process->pid, number) == 0);
  return 1;
}

static void reap(struct process *process, int flags) {
  if (!process->reaped)
    process->reaped =
        waitpid(process->pid, &process->status, flags) == process->pid;
}

/* status(process) -> nil while it runs, "exit" or "signal" and the number */
static int get_status(lua_State *L) {
  struct process *process = check_process(L, 1);

  reap(process, WNOHANG);
  if (!process->reaped)
    return 0;
  if (WIFSIGNALED(process->status)) {
    lua_pushliteral(L, "signal");
    lua_pushinteger(L, WTERMSIG(process->status));
  } else {
    lua_pushliteral(L, "exit");
    lua_pushinteger(L, WEXITSTATUS(process->status));
  }
  return 2;
}

static int collect(lua_State *L) {
  struct process *process = check_process(L, 1);

  if (!process->reaped)
    kill(process->pid, SIGKILL);
  reap(process, 0);
  for (int i = 0; i < STREAMS; i++)
    close_end(process, i);
  if (process->handle >= 0)
    close(process->handle);
  process->handle = -1;
  return 0;
}

/* ---- waiting ---- */

static nfds_t add_polled(struct pollfd *polled, const struct process *process) {
  nfds_t count = 0;

  for (int i = OUTPUT; i < STREAMS; i++)
    if (process->ends[i] >= 0)
      polled[count++] = (struct pollfd){ process->ends[i], POLLIN, 0 };
  if (!process->reaped)
    polled[count++] = (struct pollfd){ process->handle, POLLIN, 0 };
  return count;
}

/* poll({process, …}, seconds): until one has written something, or ended, or
   the time is over */
static int poll_processes(lua_State *L) {
  struct pollfd polled[MAX_POLLED];
  double seconds = luaL_checknumber(L, 2);
  nfds_t count = 0;
  lua_Integer length = luaL_len(L, 1);

  for (lua_Integer i = 1; i <= length && count + STREAMS <= MAX_POLLED; i++) {
    lua_geti(L, 1, i);
    count += add_polled(&polled[count], check_process(L, -1));
    lua_pop(L, 1);
  }
  if (poll(polled, count, seconds > 0 ? (int)(seconds * 1000) + 1 : 0) < 0 &&
      errno != EINTR)
    return luaL_error(L, "poll: %s", strerror(errno));
  return 0;
}

/* now() -> seconds of a clock that is never set */
static int now(lua_State *L) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  lua_pushnumber(L, (double)time.tv_sec + (double)time.tv_nsec / 1e9);
  return 1;
}

/* Connects to "127.0.0.1" and a port, or to a path; a descriptor, or -1. */
static int dial(lua_State *L) {
  const char *host = luaL_checkstring(L, 1);
  struct sockaddr_in ip = { .sin_family = AF_INET };
  struct sockaddr_un local = { .sun_family = AF_UNIX };
  bool is_path = host[0] == '/';
  int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int r;

  if (is_path) {
    luaL_argcheck(L, strlen(host) < sizeof(local.sun_path), 1, "too long");
    memcpy(local.sun_path, host, strlen(host));
    r = connect(fd, (struct sockaddr *)&local, sizeof(local));
  } else {
    ip.sin_port = htons((uint16_t)luaL_checkinteger(L, 2));
    luaL_argcheck(
        L, inet_pton(AF_INET, host, &ip.sin_addr) == 1, 1, "an IPv4 address");
    r = connect(fd, (struct sockaddr *)&ip, sizeof(ip));
  }
  if (r == 0)
    return fd;
  close(fd);
  return -1;
}

/* connect(host, port) or connect(path) -> a process that is none: its input and
   output are those of a connection, it never has a status but that of a success
 */
static int connect_to(lua_State *L) {
  struct process *process;

  lua_settop(L, 2);
  process = push_process(L);
  process->ends[INPUT] = dial(L);
  if (process->ends[INPUT] < 0)
    return luaL_error(L, "connect: %s", strerror(errno));
  fcntl(process->ends[INPUT], F_SETFL, O_NONBLOCK);
  process->ends[OUTPUT] = fcntl(process->ends[INPUT], F_DUPFD_CLOEXEC, 0);
  return 1;
}

/* free_port("tcp" or "udp") -> a port of 127.0.0.1 that nobody has just now,
   for programs that cannot tell which they got */
static int free_port(lua_State *L) {
  static const char *const names[] = { "tcp", "udp", NULL };
  static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
  int type = types[luaL_checkoption(L, 1, "tcp", names)];
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof(address);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&address, length) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) != 0)
    luaL_error(L, "no free port: %s", strerror(errno));
  close(fd);
  lua_pushinteger(L, ntohs(address.sin_port));
  return 1;
}

int luaopen_spec_process(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "spawn", spawn },
    { "pid", get_pid },
    { "read", read_stream },
    { "write", write_input },
    { "close_input", close_input },
    { "signal", send_signal },
    { "status", get_status },
    { "poll", poll_processes },
    { "now", now },
    { "free_port", free_port },
    { "connect", connect_to },
    { "close", collect },
    { NULL, NULL },
  };

  signal(SIGPIPE, SIG_IGN);
  luaL_newmetatable(L, TYPE);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
