/* SPDX-License-Identifier: MIT */
/* Who is dialled when, and who wins. */
#include "client/client.h"

#include "base/log.h"
#include <reverst/error.h>
#include <stdio.h>

/* RFC 8305 section 8 */
#define STAGGER (250 * RV_MILLISECOND)

static void end_race(struct reverst_client *client) {
  struct rv_client_race *race = &client->race;

  if (!race->running)
    return;
  race->running = false;
  race->chosen = NULL;
  race->racing = 0;
  rv_timer_stop(&client->engine->timers, &race->stagger);
  rv_message_deinit(&race->registration);
}

/* ---- losing ---- */

static void lose(struct reverst_client *client) {
  reverst_disconnect loss = client->race.loss;

  end_race(client);
  rv_client_on_race_lost(client, &loss);
}

/* What a server said counts more than that another address did not answer. */
static void note_loss(
    struct rv_client_race *race, const reverst_disconnect *loss) {
  if (race->loss.error != 0 && race->loss.error != REVERST_ERR_CONNECT)
    return;
  race->loss = *loss;
  snprintf(race->reason, sizeof(race->reason), "%s",
      loss->reason ? loss->reason : "");
  race->loss.reason = race->reason;
}

static void note_error(
    struct rv_client_race *race, int error, const char *reason) {
  note_loss(race, &(reverst_disconnect){ .error = error, .reason = reason });
}

/* ---- dialling ---- */

static void dial_next(struct reverst_client *client) {
  struct rv_client_race *race = &client->race;
  int r = REVERST_ERR_CONNECT;

  while (r < 0 && race->next < race->count) {
    char text[RV_ADDRESS_TEXT_SIZE];
    const struct rv_address *address = &race->addresses[race->next++];

    rv_log(client->engine, REVERST_LOG_DEBUG, "dialling",
        rv_log_text("address", rv_address_print(address, text)));
    r = rv_client_open_dial(client, address, &race->registration);
    if (r < 0)
      note_error(race, r, "the server cannot be dialled");
    else
      race->racing++;
  }
  if (race->racing == 0)
    lose(client);
  else if (race->next < race->count)
    rv_timer_set(
        &client->engine->timers, &race->stagger, client->engine->now + STAGGER);
}

static void on_stagger(struct rv_timer *timer) {
  dial_next(rv_container_of(timer, struct reverst_client, race.stagger));
}

static int compose(struct reverst_client *client) {
  struct rv_client_race *race = &client->race;
  struct rv_registration_fault fault;
  char reason[sizeof(race->reason)];
  int r = rv_client_registration_compose(
      &client->registration, &race->registration, &fault);

  if (r < 0) {
    snprintf(reason, sizeof(reason), "%s%s%s", fault.value,
        fault.why && *fault.why ? ": " : "", fault.why ? fault.why : "");
    note_error(race, r, reason);
  }
  return r;
}

void rv_client_race_start(struct reverst_client *client,
    const struct rv_address *addresses, size_t count) {
  struct rv_client_race *race = &client->race;

  if (count > RV_RESOLVER_MAX_ADDRESSES)
    count = RV_RESOLVER_MAX_ADDRESSES;
  memcpy(race->addresses, addresses, count * sizeof(*addresses));
  race->count = count;
  race->next = 0;
  race->loss = (reverst_disconnect){ .reason = "" };
  race->running = true;
  rv_message_init(&race->registration);
  if (compose(client) < 0)
    lose(client);
  else
    dial_next(client);
}

static void close_racing(struct reverst_client *client) {
  rv_list_each(node, &client->dials) {
    struct rv_client_dial *dial =
        rv_container_of(node, struct rv_client_dial, node);

    if (dial->role != RV_CLIENT_RACING)
      continue;
    dial->role = RV_CLIENT_RETIRED;
    rv_dial_close(dial->dial);
  }
  client->race.racing = 0;
}

void rv_client_race_stop(struct reverst_client *client) {
  struct rv_client_dial *chosen = client->race.chosen;

  if (!client->race.running)
    return;
  close_racing(client);
  if (chosen != NULL) {
    chosen->role = RV_CLIENT_RETIRED;
    rv_dial_close(chosen->dial);
  }
  end_race(client);
}

/* ---- what happened ---- */

void rv_client_race_on_ready(struct rv_client_dial *dial) {
  struct reverst_client *client = dial->client;
  struct rv_client_race *race = &client->race;

  if (dial->role != RV_CLIENT_RACING)
    return;
  dial->role = RV_CLIENT_CHOSEN;
  race->chosen = dial;
  rv_timer_set(&client->engine->timers, &race->stagger, RV_NEVER);
  close_racing(client);
  rv_dial_register(dial->dial);
}

void rv_client_race_on_registered(struct reverst_client *client) {
  end_race(client);
}

void rv_client_race_on_ended(
    struct rv_client_dial *dial, const reverst_disconnect *end) {
  struct rv_client_race *race = &dial->client->race;

  if (dial->role == RV_CLIENT_CHOSEN) {
    race->loss = (reverst_disconnect){ .reason = "" };
    note_loss(race, end);
    lose(dial->client);
    return;
  }
  note_loss(race, end);
  race->racing--;
  dial_next(dial->client);
}

void rv_client_race_init(struct reverst_client *client) {
  rv_timer_init(&client->race.stagger, on_stagger);
}
