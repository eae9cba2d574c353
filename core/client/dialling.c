/* SPDX-License-Identifier: MIT */
/* Keeps the client connected: resolves, lets the addresses race, waits and
   begins again after a loss. */
#include "client/client.h"

#include "base/log.h"
#include <reverst/error.h>
#include <stdlib.h>

/* How often retired tunnels are looked at. */
#define PATROL RV_SECOND

static void set_timer(
    struct reverst_client *client, struct rv_timer *timer, uint64_t wait) {
  rv_timer_set(&client->engine->timers, timer,
      wait == RV_NEVER ? RV_NEVER : client->engine->now + wait);
}

/* ---- losses ---- */

const char *reverst_disconnect_text(const reverst_disconnect *disconnect) {
  if (disconnect->refused)
    return "the server refused the registration";
  return disconnect->error == REVERST_ERR_CLOSED
             ? "the server closed the tunnel"
             : reverst_strerror(disconnect->error);
}

static void log_loss(const struct reverst_client *client,
    enum reverst_log_level level, const reverst_disconnect *loss,
    uint64_t wait) {
  rv_log(client->engine, level, "disconnected",
      rv_log_text("error", reverst_disconnect_text(loss)),
      rv_log_number("refused", loss->refused),
      rv_log_number("code", (int64_t)loss->code),
      rv_log_text("reason", loss->reason ? loss->reason : ""),
      rv_log_number("retry_in_ms",
          wait == RV_NEVER ? -1 : (int64_t)(wait / RV_MILLISECOND)));
}

/* While there is a tunnel that may recover, nothing is lost. */
static void tell_loss(struct reverst_client *client,
    const reverst_disconnect *loss, uint64_t wait) {
  bool is_lost = client->current == NULL;
  reverst_disconnect told = *loss;

  told.retry_in = wait;
  log_loss(client, is_lost ? REVERST_LOG_WARN : REVERST_LOG_DEBUG, loss, wait);
  if (is_lost && client->on_disconnected != NULL)
    client->on_disconnected(client, &told, client->user_data);
}

/* Wrong credentials do not get better by hurrying; a busy server may. */
static bool is_lasting(const reverst_disconnect *loss) {
  static const char *const reasons[] = { "unauthorized", "not found",
    "bad request" };

  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
    if (loss->refused && strcmp(loss->reason, reasons[i]) == 0)
      return true;
  return false;
}

static void dial_later(
    struct reverst_client *client, const reverst_disconnect *loss) {
  uint64_t wait = is_lasting(loss)
                      ? RV_BACKOFF_REFUSED
                      : rv_backoff_next(&client->backoff, client->engine);

  set_timer(client, &client->retry_timer, wait);
  tell_loss(client, loss, wait);
}

void rv_client_on_race_lost(
    struct reverst_client *client, const reverst_disconnect *loss) {
  dial_later(client, loss);
}

/* The tunnel is no more; another one may be on its way already. */
static void lose_tunnel(
    struct reverst_client *client, const reverst_disconnect *loss) {
  uint64_t retry_at = client->retry_timer.deadline;
  uint64_t now = client->engine->now;

  if (client->state != RV_CLIENT_RUNNING)
    log_loss(client, REVERST_LOG_DEBUG, loss, RV_NEVER); /* it was told to */
  else if (client->race.chosen != NULL && strcmp(loss->reason, "replaced") == 0)
    log_loss(client, REVERST_LOG_DEBUG, loss, 0); /* by the one to come */
  else if (client->race.running || client->resolution != NULL)
    tell_loss(client, loss, 0);
  else if (retry_at != RV_NEVER)
    tell_loss(client, loss, retry_at > now ? retry_at - now : 0);
  else
    dial_later(client, loss);
}

/* ---- tunnels that end ---- */

static void patrol(struct rv_timer *timer) {
  struct reverst_client *client =
      rv_container_of(timer, struct reverst_client, drain_timer);
  bool any = false;

  rv_list_each(node, &client->dials) {
    struct rv_client_dial *entry =
        rv_container_of(node, struct rv_client_dial, node);

    if (entry->role != RV_CLIENT_RETIRED)
      continue;
    any = true;
    /* a silent one would not hear that it is over */
    if (!rv_dial_is_silent(entry->dial) && rv_dial_active(entry->dial) == 0)
      rv_dial_close(entry->dial);
  }
  if (any)
    set_timer(client, &client->drain_timer, PATROL);
}

static void retire(struct rv_client_dial *entry) {
  entry->role = RV_CLIENT_RETIRED;
  if (!rv_dial_is_silent(entry->dial))
    rv_dial_drain(entry->dial);
  set_timer(entry->client, &entry->client->drain_timer, PATROL);
}

/* ---- dials ---- */

static void resolve(struct reverst_client *client);

static void begin(struct reverst_client *client) {
  if (client->state == RV_CLIENT_RUNNING && !client->race.running &&
      client->resolution == NULL) {
    set_timer(client, &client->retry_timer, RV_NEVER);
    resolve(client);
  }
}

static void on_ready(struct rv_dial *dial, void *user_data) {
  (void)dial;
  rv_client_race_on_ready(user_data);
}

static void on_registered(struct rv_dial *dial, void *user_data) {
  struct rv_client_dial *entry = user_data;
  struct reverst_client *client = entry->client;
  struct rv_client_dial *older = client->current;

  (void)dial;
  if (entry->role != RV_CLIENT_CHOSEN)
    return;
  rv_client_race_on_registered(client);
  entry->role = RV_CLIENT_CURRENT;
  client->current = entry;
  if (older != NULL)
    retire(older);
  client->connects++;
  rv_backoff_connected(&client->backoff, client->engine->now);
  rv_log(client->engine, REVERST_LOG_INFO, "connected",
      rv_log_span("group", client->registration.group),
      rv_log_text("server", client->host));
  if (client->on_connected != NULL)
    client->on_connected(client, client->user_data);
}

/* The old tunnel goes on with what it has; the patrol closes it when that is
   done. */
static void on_draining(struct rv_dial *dial, void *user_data) {
  struct rv_client_dial *entry = user_data;
  struct reverst_client *client = entry->client;

  (void)dial;
  if (entry->role != RV_CLIENT_CURRENT || client->state != RV_CLIENT_RUNNING)
    return;
  rv_log(client->engine, REVERST_LOG_INFO, "server_is_draining",
      rv_log_text("server", client->host));
  entry->role = RV_CLIENT_RETIRED;
  client->current = NULL;
  set_timer(client, &client->drain_timer, PATROL);
  begin(client);
  if (client->on_draining != NULL)
    client->on_draining(client, client->user_data);
}

/* It answers again: a second tunnel is not needed, unless it is nearly there.
 */
static void give_up_second(struct reverst_client *client) {
  if (client->race.chosen != NULL)
    return;
  rv_client_race_stop(client);
  rv_resolver_cancel(client->resolution);
  client->resolution = NULL;
  set_timer(client, &client->retry_timer, RV_NEVER);
}

static void on_silence(struct rv_dial *dial, void *user_data) {
  struct rv_client_dial *entry = user_data;
  struct reverst_client *client = entry->client;
  bool silent = rv_dial_is_silent(dial);

  rv_log(client->engine, silent ? REVERST_LOG_WARN : REVERST_LOG_INFO,
      silent ? "server_is_silent" : "server_answers_again",
      rv_log_text("server", client->host));
  if (client->state != RV_CLIENT_RUNNING)
    return;
  if (entry->role == RV_CLIENT_RETIRED && !silent)
    rv_dial_drain(dial);
  else if (entry->role == RV_CLIENT_CURRENT && silent)
    begin(client);
  else if (entry->role == RV_CLIENT_CURRENT)
    give_up_second(client);
}

static void on_ended(
    struct rv_dial *dial, const reverst_disconnect *end, void *user_data) {
  struct rv_client_dial *entry = user_data;
  struct reverst_client *client = entry->client;

  (void)dial;
  rv_list_remove(&entry->node);
  switch (entry->role) {
  case RV_CLIENT_RACING:
  case RV_CLIENT_CHOSEN:
    rv_client_race_on_ended(entry, end);
    break;
  case RV_CLIENT_CURRENT:
    client->current = NULL;
    lose_tunnel(client, end);
    break;
  case RV_CLIENT_RETIRED:
    break;
  }
  free(entry);
  rv_client_check_closing(client);
}

static const struct rv_dial_events dial_events = {
  .on_ready = on_ready,
  .on_registered = on_registered,
  .on_draining = on_draining,
  .on_silence = on_silence,
  .on_ended = on_ended,
};

int rv_client_open_dial(struct reverst_client *client,
    const struct rv_address *address, const struct rv_message *registration) {
  struct rv_client_dial *entry = calloc(1, sizeof(*entry));
  struct rv_dial_options options = {
    .loop = client->loop,
    .remote = address,
    .tls = client->tls,
    .server_name = client->server_name,
    .settings = client->settings,
    .registration = registration,
    .registration_timeout = client->registration_timeout,
    .qpack = client->qpack,
    .handler = &client->counter,
    .events = &dial_events,
    .user_data = entry,
  };
  int r;

  if (entry == NULL)
    return REVERST_ERR_NO_MEMORY;
  entry->client = client;
  r = rv_dial_start(&entry->dial, &options);
  if (r < 0)
    free(entry);
  else
    rv_list_push(&client->dials, &entry->node);
  return r;
}

/* ---- names ---- */

static void on_resolved(int error, const struct rv_address *addresses,
    size_t count, void *user_data) {
  struct reverst_client *client = user_data;

  client->resolution = NULL;
  if (client->state != RV_CLIENT_RUNNING)
    return;
  if (error < 0)
    dial_later(client, &(reverst_disconnect){ .error = error, .reason = "" });
  else
    rv_client_race_start(client, addresses, count);
}

static void resolve(struct reverst_client *client) {
  int r = rv_resolver_resolve(client->resolver, &client->resolution,
      rv_span_of(client->host), client->port, on_resolved, client);

  if (r < 0)
    dial_later(client, &(reverst_disconnect){ .error = r, .reason = "" });
}

/* From the loop, so that no callback comes before its caller has the client. */
int rv_client_start_dialling(struct reverst_client *client) {
  return rv_timer_set(
      &client->engine->timers, &client->retry_timer, client->engine->now);
}

static void on_retry_timer(struct rv_timer *timer) {
  begin(rv_container_of(timer, struct reverst_client, retry_timer));
}

void rv_client_init_dialling(struct reverst_client *client) {
  rv_list_init(&client->dials);
  rv_client_race_init(client);
  rv_timer_init(&client->retry_timer, on_retry_timer);
  rv_timer_init(&client->drain_timer, patrol);
}

void rv_client_stop_dialling(struct reverst_client *client) {
  rv_client_race_stop(client);
  rv_timer_stop(&client->engine->timers, &client->retry_timer);
  rv_timer_stop(&client->engine->timers, &client->drain_timer);
  rv_resolver_cancel(client->resolution);
  client->resolution = NULL;
  rv_list_each(node, &client->dials)
      rv_dial_close(rv_container_of(node, struct rv_client_dial, node)->dial);
}
