/* SPDX-License-Identifier: MIT */
/* Counts signals: the first drains, the second ends, a third kills. */
#include "signals.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

enum { SIGNAL_COUNT = 3 };

static const int caught[SIGNAL_COUNT] = { SIGTERM, SIGINT, SIGHUP };

struct signals {
  struct event *events[SIGNAL_COUNT];
  signals_on_ending on_ending;
  signals_on_reload on_reload;
  void *user_data;
  int seen;
};

static void on_signal(evutil_socket_t number, short what, void *user_data) {
  struct signals *signals = user_data;

  (void)what;
  if (number == SIGHUP && signals->on_reload(signals->user_data))
    return;
  if (++signals->seen > 2)
    _exit(128 + (int)number);
  signals->on_ending(signals->seen == 1, signals->user_data);
}

struct signals *signals_new(struct event_base *base,
    signals_on_ending on_ending, signals_on_reload on_reload, void *user_data) {
  struct signals *signals = calloc(1, sizeof(*signals));
  int i;

  if (!signals)
    return NULL;
  signals->on_ending = on_ending;
  signals->on_reload = on_reload;
  signals->user_data = user_data;
  signal(SIGPIPE, SIG_IGN);
  for (i = 0; i < SIGNAL_COUNT; ++i) {
    signals->events[i] = evsignal_new(base, caught[i], on_signal, signals);
    if (!signals->events[i] || event_add(signals->events[i], NULL) < 0) {
      signals_free(signals);
      return NULL;
    }
  }
  return signals;
}

void signals_free(struct signals *signals) {
  int i;

  if (!signals)
    return;
  for (i = 0; i < SIGNAL_COUNT; ++i) {
    if (signals->events[i])
      event_free(signals->events[i]);
    signal(caught[i], SIG_IGN);
  }
  free(signals);
}
