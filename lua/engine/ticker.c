/* SPDX-License-Identifier: MIT */
/* A POSIX timer on the CPU clock of each thread that runs Lua. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SIGEV_THREAD_ID */
#endif
#include "lua/engine/ticker.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { TICK_NS = 10 * 1000 * 1000 };

static void (*volatile tick)(void);

static _Thread_local struct {
  timer_t timer;
  unsigned users;
} ticker;

static void on_signal(int number) {
  int error = errno;

  (void)number;
  tick();
  errno = error;
}

/* The handler stays: a signal that was under way must not end the program. */
static bool take_signal(void) {
  struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
  struct sigaction before;

  if (sigaction(SIGVTALRM, NULL, &before) < 0)
    return false;
  if (before.sa_handler == on_signal)
    return true;
  return before.sa_handler == SIG_DFL &&
         sigaction(SIGVTALRM, &action, NULL) == 0;
}

static bool make_timer(void) {
  const struct itimerspec times = { { 0, TICK_NS }, { 0, TICK_NS } };
  struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID };

  event.sigev_signo = SIGVTALRM;
  event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &ticker.timer) < 0)
    return false;
  if (timer_settime(ticker.timer, 0, &times, NULL) == 0)
    return true;
  timer_delete(ticker.timer);
  return false;
}

/* Many programs block all signals in threads that are not to be bothered. */
static bool is_blocked(void) {
  sigset_t mask;

  return pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0 ||
         sigismember(&mask, SIGVTALRM);
}

bool rv_lua_ticker_start(void (*on_tick)(void)) {
  if (ticker.users == 0) {
    tick = on_tick;
    if (is_blocked() || !take_signal() || !make_timer())
      return false;
  }
  ticker.users++;
  return true;
}

void rv_lua_ticker_stop(void) {
  if (--ticker.users == 0)
    timer_delete(ticker.timer);
}
