/* SPDX-License-Identifier: MIT */
/* Keeps the client connected: resolve, dial each address, register; wait and
   begin again after a loss. */
#include "client/client.h"

#include "base/log.h"
#include <reverst/error.h>
#include <stdlib.h>

static void dial_next_address(struct reverst_client *client);

/* ---- losses ---- */

static void tell_loss(
    struct reverst_client *client, reverst_disconnect *loss, uint64_t wait) {
  loss->retry_in = wait;
  rv_log(client->engine, REVERST_LOG_WARN, "disconnected",
      rv_log_text("error", reverst_strerror(loss->error)),
      rv_log_number("refused", loss->refused),
      rv_log_number("code", (int64_t)loss->code),
      rv_log_text("reason", loss->reason ? loss->reason : ""),
      rv_log_number("retry_in_ms",
          wait == RV_NEVER ? -1 : (int64_t)(wait / RV_MILLISECOND)));
  if (client->on_disconnected != NULL)
    client->on_disconnected(client, loss, client->user_data);
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

static void lose(struct reverst_client *client, reverst_disconnect loss) {
  uint64_t wait;

  if (client->state != RV_CLIENT_RUNNING) {
    tell_loss(client, &loss, RV_NEVER);
    return;
  }
  wait = is_lasting(&loss) ? RV_BACKOFF_REFUSED
                           : rv_backoff_next(&client->backoff, client->engine);
  rv_timer_set(&client->engine->timers, &client->retry_timer,
      client->engine->now + wait);
  tell_loss(client, &loss, wait);
}

static void lose_by_error(
    struct reverst_client *client, int error, const char *reason) {
  lose(client, (reverst_disconnect){ .error = error, .reason = reason });
}

/* ---- dials ---- */

static void on_registered(struct rv_dial *dial, void *user_data) {
  struct rv_client_dial *entry = user_data;
  struct reverst_client *client = entry->client;

  (void)dial;
  entry->registered = true;
  client->connects++;
  rv_backoff_connected(&client->backoff, client->engine->now);
  rv_log(client->engine, REVERST_LOG_INFO, "connected",
      rv_log_span("group", client->registration.group),
      rv_log_text("server", client->host));
  if (client->on_connected != NULL)
    client->on_connected(client, client->user_data);
}

/* The old tunnel goes on with what it has; the timer closes it when that is
 * done. */
static void on_draining(struct rv_dial *dial, void *user_data) {
  struct rv_client_dial *entry = user_data;
  struct reverst_client *client = entry->client;

  (void)dial;
  if (client->current != entry || client->state != RV_CLIENT_RUNNING)
    return;
  rv_log(client->engine, REVERST_LOG_INFO, "server_is_draining",
      rv_log_text("server", client->host));
  client->current = NULL;
  rv_timer_set(&client->engine->timers, &client->drain_timer,
      client->engine->now + RV_SECOND);
  rv_client_start_dialling(client);
}

static void on_drain_timer(struct rv_timer *timer) {
  struct reverst_client *client =
      rv_container_of(timer, struct reverst_client, drain_timer);
  bool any = false;

  rv_list_each(node, &client->dials) {
    struct rv_client_dial *entry =
        rv_container_of(node, struct rv_client_dial, node);
    if (entry == client->current)
      continue;
    if (rv_dial_active(entry->dial) == 0)
      rv_dial_close(entry->dial);
    else
      any = true;
  }
  if (any)
    rv_timer_set(&client->engine->timers, &client->drain_timer,
        client->engine->now + RV_SECOND);
}

static bool try_other_address(
    struct reverst_client *client, const reverst_disconnect *end) {
  return client->state == RV_CLIENT_RUNNING && !end->refused &&
         end->error == REVERST_ERR_CONNECT &&
         client->next_address < client->address_count;
}

static void on_ended(
    struct rv_dial *dial, const reverst_disconnect *end, void *user_data) {
  struct rv_client_dial *entry = user_data;
  struct reverst_client *client = entry->client;
  bool was_current = client->current == entry;
  bool registered = entry->registered;

  (void)dial;
  rv_list_remove(&entry->node);
  free(entry);
  if (was_current) {
    client->current = NULL;
    if (!registered && try_other_address(client, end))
      dial_next_address(client);
    else
      lose(client, *end);
  }
  rv_client_check_closing(client);
}

static const struct rv_dial_events dial_events = {
  .on_registered = on_registered,
  .on_draining = on_draining,
  .on_ended = on_ended,
};

static int start_dial(
    struct reverst_client *client, const struct rv_address *address) {
  struct rv_client_dial *entry = calloc(1, sizeof(*entry));
  struct rv_dial_options options = {
    .loop = client->loop,
    .remote = address,
    .tls = client->tls,
    .server_name = client->server_name,
    .settings = client->settings,
    .registration = &client->registration,
    .qpack = client->qpack,
    .handler = &client->counter,
    .events = &dial_events,
    .user_data = entry,
  };
  int r = REVERST_ERR_NO_MEMORY;

  if (entry == NULL)
    return r;
  entry->client = client;
  r = rv_dial_start(&entry->dial, &options);
  if (r < 0) {
    free(entry);
    return r;
  }
  rv_list_push(&client->dials, &entry->node);
  client->current = entry;
  return 0;
}

static void dial_next_address(struct reverst_client *client) {
  char text[RV_ADDRESS_TEXT_SIZE];
  int r = REVERST_ERR_CONNECT;

  while (client->next_address < client->address_count) {
    const struct rv_address *address =
        &client->addresses[client->next_address++];

    rv_log(client->engine, REVERST_LOG_DEBUG, "dialling",
        rv_log_text("address", rv_address_print(address, text)));
    r = start_dial(client, address);
    if (r == 0)
      return;
  }
  lose_by_error(client, r, "the server cannot be dialled");
}

/* ---- names ---- */

static void on_resolved(int error, const struct rv_address *addresses,
    size_t count, void *user_data) {
  struct reverst_client *client = user_data;

  client->resolution = NULL;
  if (client->state != RV_CLIENT_RUNNING)
    return;
  if (error < 0) {
    lose_by_error(client, error, "");
    return;
  }
  if (count > RV_RESOLVER_MAX_ADDRESSES)
    count = RV_RESOLVER_MAX_ADDRESSES;
  memcpy(client->addresses, addresses, count * sizeof(*addresses));
  client->address_count = count;
  client->next_address = 0;
  dial_next_address(client);
}

void rv_client_start_dialling(struct reverst_client *client) {
  int r = rv_resolver_resolve(client->resolver, &client->resolution,
      rv_span_of(client->host), client->port, on_resolved, client);

  if (r < 0)
    lose_by_error(client, r, "");
}

static void on_retry_timer(struct rv_timer *timer) {
  rv_client_start_dialling(
      rv_container_of(timer, struct reverst_client, retry_timer));
}

void rv_client_init_dialling(struct reverst_client *client) {
  rv_list_init(&client->dials);
  rv_timer_init(&client->retry_timer, on_retry_timer);
  rv_timer_init(&client->drain_timer, on_drain_timer);
}

void rv_client_stop_dialling(struct reverst_client *client) {
  rv_timer_stop(&client->engine->timers, &client->retry_timer);
  rv_timer_stop(&client->engine->timers, &client->drain_timer);
  if (client->resolution != NULL)
    rv_resolver_cancel(client->resolution);
  client->resolution = NULL;
  rv_list_each(node, &client->dials)
      rv_dial_close(rv_container_of(node, struct rv_client_dial, node)->dial);
}
