/* SPDX-License-Identifier: MIT */
/* Settings and transport parameters (RFC 9000 section 18.2). */
#include "quic/internal.h"

enum {
  KIB = 1024,
  MIB = 1024 * 1024,
  MAX_CONNECTION_IDS = 7,
  /* Peers that reorder or repeat much are not attackers; the library's older
     defaults closed connections of some. */
  GLITCH_BURST = 10000,
  GLITCH_RATE = 330
};

static uint64_t or_default(uint64_t value, uint64_t otherwise) {
  return value ? value : otherwise;
}

struct rv_quic_settings rv_quic_settings_complete(
    const struct rv_quic_settings *settings) {
  return (struct rv_quic_settings){
    .max_idle_timeout = or_default(settings->max_idle_timeout, 60 * RV_SECOND),
    .keep_alive_period =
        or_default(settings->keep_alive_period, 30 * RV_SECOND),
    .handshake_timeout =
        or_default(settings->handshake_timeout, 10 * RV_SECOND),
    .max_streams_bidi = or_default(settings->max_streams_bidi, 100),
    .max_streams_uni = or_default(settings->max_streams_uni, 100),
    .connection_window = or_default(settings->connection_window, 128 * KIB),
    .stream_window = or_default(settings->stream_window, 128 * KIB),
    .max_connection_window =
        or_default(settings->max_connection_window, 24 * MIB),
    .max_stream_window = or_default(settings->max_stream_window, 4 * MIB),
  };
}

void rv_quic_settings_apply(const struct rv_quic_settings *settings,
    struct rv_engine *engine, ngtcp2_settings *transport,
    ngtcp2_transport_params *parameters) {
  ngtcp2_settings_default(transport);
  transport->initial_ts = engine->now;
  transport->rand_ctx.native_handle = engine;
  transport->handshake_timeout = settings->handshake_timeout;
  transport->max_window = settings->max_connection_window;
  transport->glitch_ratelim_burst = GLITCH_BURST;
  transport->glitch_ratelim_rate = GLITCH_RATE;

  ngtcp2_transport_params_default(parameters);
  /* requests come on streams of the server, registrations on those of the
     client, so both ends grant every kind */
  parameters->initial_max_stream_data_bidi_local = settings->stream_window;
  parameters->initial_max_stream_data_bidi_remote = settings->stream_window;
  parameters->initial_max_stream_data_uni = settings->stream_window;
  parameters->initial_max_data = settings->connection_window;
  parameters->initial_max_streams_bidi = settings->max_streams_bidi;
  parameters->initial_max_streams_uni = settings->max_streams_uni;
  parameters->max_idle_timeout =
      settings->max_idle_timeout == RV_NEVER ? 0 : settings->max_idle_timeout;
  parameters->active_connection_id_limit = MAX_CONNECTION_IDS;
  parameters->grease_quic_bit = 1;
}
