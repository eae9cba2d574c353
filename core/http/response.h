/* SPDX-License-Identifier: MIT */
/* Responses that the application wrote, made into heads and bodies. */
#ifndef RV_HTTP_RESPONSE_H
#define RV_HTTP_RESPONSE_H

#include "http/exchange.h"
#include <reverst/http.h>

/* Appends copies of the fields, which end with a NULL name (`from` may be
   NULL); without Content-Length unless `with_length`. REVERST_ERR_NO_MEMORY. */
int rv_response_fields(
    struct rv_fields *fields, const reverst_field *from, bool with_length);

/* Makes the head of an answer to a request with this method. `whole`: the body
   is the response's own, and so is its length. Initialises `head`, which is
   left empty on REVERST_ERR_INVALID (a bad status or field) and
   REVERST_ERR_NO_MEMORY. */
int rv_response_head(const reverst_response *response, struct rv_span method,
    bool whole, struct rv_head *head);

/* The whole answer, by an upstream or in place of one. REVERST_ERR_INVALID:
   nothing was sent; REVERST_ERR_CLOSED, REVERST_ERR_NO_MEMORY as
   rv_exchange_respond; without memory for the body the exchange has failed. */
int rv_exchange_answer(
    struct rv_exchange *exchange, const reverst_response *response);

#endif
