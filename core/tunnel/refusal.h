/* SPDX-License-Identifier: MIT */
/* Refusals of a registration, and of what was a tunnel: the code and reason
   that close the connection. */
#ifndef RV_TUNNEL_REFUSAL_H
#define RV_TUNNEL_REFUSAL_H

#include "tunnel/link.h"

/* X(name, code, reason). Go clients know the first three by code 2; they try
   again after code 1. */
#define RV_REFUSALS(X)                                                         \
  X(UNAUTHORIZED, RV_LINK_CLIENT_ERROR, "unauthorized")                        \
  X(NOT_FOUND, RV_LINK_CLIENT_ERROR, "not found")                              \
  X(BAD_REQUEST, RV_LINK_CLIENT_ERROR, "bad request")                          \
  X(BUSY, RV_LINK_SERVER_ERROR, "busy")                                        \
  X(TIMEOUT, RV_LINK_SERVER_ERROR, "timeout")                                  \
  X(DRAINING, RV_LINK_SERVER_ERROR, "draining")                                \
  X(REPLACED, RV_LINK_SERVER_ERROR, "replaced")                                \
  X(SERVER_ERROR, RV_LINK_SERVER_ERROR, "server error")

enum rv_refusal {
#define RV_REFUSAL_ENUM(name, code, reason) RV_REFUSAL_##name,
  RV_REFUSALS(RV_REFUSAL_ENUM)
#undef RV_REFUSAL_ENUM
      RV_REFUSAL_COUNT
};

uint64_t rv_refusal_code(enum rv_refusal refusal);
struct rv_span rv_refusal_reason(enum rv_refusal refusal);

#endif
