/* SPDX-License-Identifier: MIT */
/* Requests and responses, as applications on the library see them. */
#ifndef REVERST_HTTP_H
#define REVERST_HTTP_H

#include <reverst/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One field. In responses and trailers an array of these ends with a NULL name;
   values are NUL terminated texts. */
typedef struct reverst_field {
  const char *name, *value;
} reverst_field;

/* A request that the application answers: handed to on_request of a client.
   Valid until its on_closed. */
typedef struct reverst_request reverst_request;

/* Texts are NUL terminated and valid as long as the request is; NULL where
   absent. */
const char *reverst_request_method(const reverst_request *request);
const char *reverst_request_scheme(const reverst_request *request);
/* With its port. */
const char *reverst_request_host(const reverst_request *request);
/* With its query. */
const char *reverst_request_path(const reverst_request *request);

/* The first field of that name, compared without case; NULL: none. */
const char *reverst_request_header(
    const reverst_request *request, const char *name);
/* The field at `index`; false behind the last one. */
bool reverst_request_header_at(const reverst_request *request, size_t index,
    const char **name, const char **value);

/* Events of one request; each may be NULL. */
typedef struct reverst_request_events {
  void (*on_readable)(reverst_request *request, void *user_data);
  void (*on_writable)(reverst_request *request, void *user_data);
  /* The last call, whatever happened; `complete`: the answer was delivered
     whole to the tunnel. The request is invalid afterwards. */
  void (*on_closed)(reverst_request *request, bool complete, void *user_data);
} reverst_request_events;

void reverst_request_set_events(reverst_request *request,
    const reverst_request_events *events, void *user_data);

/* Copies body bytes out: how many; 0: the end; REVERST_ERR_AGAIN: none yet,
   on_readable comes; REVERST_ERR_CLOSED: the visitor broke off. Reading gives
   credit, so what is not read holds the sender back. */
ssize_t reverst_request_read(reverst_request *request, void *data, size_t size);

typedef struct reverst_response {
  int status;                   /* 200 to 599; 0: 200 */
  const reverst_field *headers; /* may be NULL */
  const void *body;             /* copied */
  size_t body_length;
} reverst_response;

/* The whole answer at once. Content-Length is set by the library.
   REVERST_ERR_INVALID (a bad status or field; nothing was sent),
   REVERST_ERR_CLOSED (the visitor went, or there was an answer already),
   REVERST_ERR_NO_MEMORY. */
int reverst_respond(reverst_request *request, const reverst_response *response);

/* In parts. `body` of the response must be NULL, else REVERST_ERR_INVALID;
   other errors as above. */
int reverst_response_start(
    reverst_request *request, const reverst_response *response);

/* Takes all bytes, or none: REVERST_ERR_AGAIN when the reader is behind;
   on_writable comes when there is room again. REVERST_ERR_CLOSED: nobody reads
   any more; REVERST_ERR_NO_MEMORY. */
int reverst_response_write(
    reverst_request *request, const void *data, size_t length);

/* The end, with trailers or NULL. REVERST_ERR_INVALID (a bad trailer),
   REVERST_ERR_CLOSED, REVERST_ERR_NO_MEMORY. */
int reverst_response_end(
    reverst_request *request, const reverst_field *trailers);

/* Breaks the answer off so that the visitor can tell. */
void reverst_response_abort(reverst_request *request);

#ifdef __cplusplus
}
#endif
#endif
