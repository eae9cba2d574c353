/* SPDX-License-Identifier: MIT */
/* inotify on folders says when to look; what stat says of the files decides. */
#include "lua/control/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <lauxlib.h>

#include "lua/control/lineage.h"
#include "lua/engine/log.h"

enum {
  MAX_FILES = 256,
  MAX_LINKS = 40,       /* as the kernel follows */
  QUIET_MS = 200,       /* who writes several files is done by then */
  MAX_UNQUIET_MS = 1000 /* a folder that is never quiet */
};

static const uint32_t mask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
                             IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB |
                             IN_DELETE_SELF | IN_MOVE_SELF;

struct file {
  char *path;
  struct stat status; /* zeros: it cannot be looked at */
};

struct rv_lua_watch {
  struct rv_lua_lineage *lineage;
  int fd;
  struct event *readable, *timer;
  struct timeval unquiet_since; /* zero: it is quiet */
  struct file *files;
  size_t count;
};

/* ---- what the files are like ---- */

static void look(struct file *file) {
  if (stat(file->path, &file->status) < 0)
    file->status = (struct stat){ 0 };
}

static bool is_same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
         a->st_size == b->st_size && is_same_time(&a->st_mtim, &b->st_mtim) &&
         is_same_time(&a->st_ctim, &b->st_ctim);
}

static bool has_news(const struct rv_lua_watch *watch) {
  struct stat before;
  bool news = false;
  size_t i;

  for (i = 0; i < watch->count; ++i) {
    before = watch->files[i].status;
    look(&watch->files[i]);
    news = news || !is_same(&before, &watch->files[i].status);
  }
  return news;
}

/* ---- which folders ---- */

/* The folder that the first `length` bytes of a path are an entry of. */
static void watch_folder_of(
    const struct rv_lua_watch *watch, const char *path, size_t length) {
  char folder[PATH_MAX];

  while (length > 0 && path[length - 1] != '/')
    --length;
  if (length >= sizeof(folder))
    return;
  snprintf(folder, sizeof(folder), "%.*s", (int)length, path);
  /* where this fails the folder above is watched: the part is missing */
  (void)inotify_add_watch(
      watch->fd, length > 0 ? folder : ".", mask | IN_ONLYDIR);
}

/* A path whose first `length` bytes are a link is replaced by where that leads.
   false: it cannot be told. */
static bool follow(char path[static PATH_MAX], size_t length) {
  char target[PATH_MAX], end = path[length];
  size_t folder = length, rest = strlen(path + length);
  ssize_t n;

  path[length] = '\0';
  n = readlink(path, target, sizeof(target));
  path[length] = end;
  while (folder > 0 && path[folder - 1] != '/')
    --folder;
  if (n < 0 || target[0] == '/')
    folder = 0;
  if (n < 0 || folder + (size_t)n + rest >= PATH_MAX)
    return false;
  memmove(path + folder + n, path + length, rest + 1);
  memcpy(path + folder, target, (size_t)n);
  return true;
}

/* The length of the first part of a path that is a link, or is missing; 0: none
   is. */
static size_t find_turn(const char *path, bool *is_link) {
  char part[PATH_MAX];
  struct stat status;
  size_t length;

  for (length = 1; length <= strlen(path); ++length) {
    if ((path[length] != '/' && path[length] != '\0') ||
        path[length - 1] == '/')
      continue;
    snprintf(part, sizeof(part), "%.*s", (int)length, path);
    if (lstat(part, &status) < 0) {
      *is_link = false;
      return length;
    }
    *is_link = S_ISLNK(status.st_mode);
    if (*is_link)
      return length;
  }
  return 0;
}

/* All folders in which a change makes the path lead elsewhere. */
static void watch_path(const struct rv_lua_watch *watch, const char *path) {
  char rest[PATH_MAX];
  bool is_link = false;
  size_t length;
  int links;

  if (strlen(path) >= sizeof(rest))
    return;
  snprintf(rest, sizeof(rest), "%s", path);
  for (links = 0; links < MAX_LINKS; ++links) {
    length = find_turn(rest, &is_link);
    watch_folder_of(watch, rest, length > 0 ? length : strlen(rest));
    if (length == 0 || !is_link || !follow(rest, length))
      return;
  }
}

/* ---- events ---- */

static void on_readable(evutil_socket_t fd, short what, void *user_data);

/* Folders are watched anew each time: others may have come in their places. */
static int open_inotify(struct rv_lua_watch *watch) {
  int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  struct event *readable;
  size_t i;

  if (fd < 0)
    return -1;
  readable = event_new(
      watch->lineage->base, fd, EV_READ | EV_PERSIST, on_readable, watch);
  if (!readable || event_add(readable, NULL) < 0) {
    if (readable)
      event_free(readable);
    close(fd);
    errno = ENOMEM;
    return -1;
  }
  if (watch->readable)
    event_free(watch->readable);
  if (watch->fd >= 0)
    close(watch->fd);
  watch->fd = fd;
  watch->readable = readable;
  for (i = 0; i < watch->count; ++i)
    watch_path(watch, watch->files[i].path);
  return 0;
}

static void start_timer(struct rv_lua_watch *watch) {
  const struct timeval wait = { 0, QUIET_MS * 1000 };

  event_add(watch->timer, &wait);
}

static void on_quiet(evutil_socket_t fd, short what, void *user_data) {
  struct rv_lua_watch *watch = user_data;

  (void)fd;
  (void)what;
  timerclear(&watch->unquiet_since);
  if (open_inotify(watch) < 0)
    rv_lua_log_text(watch->lineage->current, REVERST_LOG_ERROR, "watch_failed",
        "error", strerror(errno));
  if (has_news(watch))
    rv_lua_lineage_want_reload(watch->lineage, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *user_data) {
  const struct timeval patience = { MAX_UNQUIET_MS / 1000, 0 };
  struct rv_lua_watch *watch = user_data;
  struct timeval now, until;
  char events[4096];

  (void)what;
  while (read(fd, events, sizeof(events)) > 0)
    continue;
  event_base_gettimeofday_cached(watch->lineage->base, &now);
  if (!timerisset(&watch->unquiet_since))
    watch->unquiet_since = now;
  timeradd(&watch->unquiet_since, &patience, &until);
  if (timercmp(&now, &until, <) ||
      !event_pending(watch->timer, EV_TIMEOUT, NULL))
    start_timer(watch);
}

/* ---- which files ---- */

static void free_files(struct file *files, size_t count) {
  size_t i;

  for (i = 0; i < count; ++i)
    free(files[i].path);
  free(files);
}

static void free_watch(struct rv_lua_watch *watch) {
  if (watch->readable)
    event_free(watch->readable);
  if (watch->timer)
    event_free(watch->timer);
  if (watch->fd >= 0)
    close(watch->fd);
  free_files(watch->files, watch->count);
  free(watch);
}

static struct rv_lua_watch *new_watch(struct rv_lua_lineage *lineage) {
  struct rv_lua_watch *watch = calloc(1, sizeof(*watch));

  if (!watch)
    return NULL;
  watch->lineage = lineage;
  watch->fd = -1;
  watch->timer = event_new(lineage->base, -1, 0, on_quiet, watch);
  if (!watch->timer) {
    free_watch(watch);
    return NULL;
  }
  return watch;
}

static struct file *find_file(
    const struct rv_lua_watch *watch, const char *path) {
  size_t i;

  for (i = 0; i < watch->count; ++i) {
    if (strcmp(watch->files[i].path, path) == 0)
      return &watch->files[i];
  }
  return NULL;
}

/* What is known of a file that was watched before stays known. */
static bool add_file(const struct rv_lua_watch *before, const char *path,
    struct file *files, size_t *count) {
  const struct file *known = find_file(before, path);
  struct file *file = &files[*count];

  file->path = strdup(path);
  if (!file->path)
    return false;
  if (known)
    file->status = known->status;
  else
    look(file);
  ++*count;
  return true;
}

struct request {
  const char *paths[MAX_FILES];
  size_t count;
};

static bool has_path(const struct request *request, const char *path) {
  size_t i;

  for (i = 0; i < request->count; ++i) {
    if (strcmp(request->paths[i], path) == 0)
      return true;
  }
  return false;
}

static void add_path(struct request *request, const char *path) {
  if (request->count < MAX_FILES && !has_path(request, path))
    request->paths[request->count++] = path;
}

/* The texts stay in the table. */
static void read_request(lua_State *L, struct request *request) {
  size_t i, count;

  luaL_checktype(L, 1, LUA_TTABLE);
  count = lua_rawlen(L, 1);
  for (i = 1; i <= count; ++i) {
    if (lua_rawgeti(L, 1, (lua_Integer)i) != LUA_TSTRING)
      luaL_error(L, "paths: expected texts, got %s", luaL_typename(L, -1));
    add_path(request, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
}

static bool set_files(
    struct rv_lua_watch *watch, const struct request *request) {
  struct file *files = calloc(request->count + 1, sizeof(*files));
  size_t i, count = 0;

  if (!files)
    return false;
  for (i = 0; i < request->count; ++i) {
    if (!add_file(watch, request->paths[i], files, &count)) {
      free_files(files, count);
      return false;
    }
  }
  free_files(watch->files, watch->count);
  watch->files = files;
  watch->count = count;
  return true;
}

static int push_failure(lua_State *L, const char *why) {
  lua_pushnil(L);
  lua_pushfstring(L, "files cannot be watched: %s", why);
  return 2;
}

int rv_lua_watch_files(lua_State *L) {
  struct rv_lua_lineage *lineage = rv_lua_of(L)->lineage;
  struct request request = { .count = 0 };
  bool keep = lua_toboolean(L, 2);
  size_t i;

  if (lua_isnoneornil(L, 1)) {
    rv_lua_watch_close(lineage);
    lua_pushboolean(L, 1);
    return 1;
  }
  read_request(L, &request);
  if (!lineage->watch)
    lineage->watch = new_watch(lineage);
  if (!lineage->watch)
    return push_failure(L, "not enough memory");
  for (i = 0; keep && i < lineage->watch->count; ++i)
    add_path(&request, lineage->watch->files[i].path);
  if (!set_files(lineage->watch, &request))
    return push_failure(L, "not enough memory");
  if (open_inotify(lineage->watch) < 0)
    return push_failure(L, strerror(errno));
  /* what has changed since it was read */
  start_timer(lineage->watch);
  lua_pushboolean(L, 1);
  return 1;
}

int rv_lua_is_watching(lua_State *L) {
  lua_pushboolean(L, rv_lua_of(L)->lineage->watch != NULL);
  return 1;
}

void rv_lua_watch_mark(struct rv_lua_lineage *lineage) {
  if (lineage->watch)
    (void)has_news(lineage->watch);
}

void rv_lua_watch_close(struct rv_lua_lineage *lineage) {
  if (lineage->watch)
    free_watch(lineage->watch);
  lineage->watch = NULL;
}
