/* SPDX-License-Identifier: MIT */
/* Requests as an application answers them: the upstream of their exchanges. */
#ifndef RV_CLIENT_REQUEST_H
#define RV_CLIENT_REQUEST_H

#include "http/exchange.h"
#include <reverst/http.h>

/* Takes requests and hands them to a callback, in the script phase. */
struct rv_application {
  struct rv_handler handler;
  struct rv_engine *engine;
  void (*on_request)(reverst_request *request, void *user_data);
  void *user_data;
  bool closed; /* set by the owner: on_request is not called any more */
};

void rv_application_init(struct rv_application *application,
    struct rv_engine *engine,
    void (*on_request)(reverst_request *request, void *user_data),
    void *user_data);

#endif
