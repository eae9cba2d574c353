/* SPDX-License-Identifier: MIT */
/* A visitor's connection: what the two halves of the server side share. Private
   to server.c (life, reading) and answer.c (writing). */
#ifndef RV_H1_CONNECTION_H
#define RV_H1_CONNECTION_H

#include "h1/message.h"
#include "h1/sender.h"
#include "h1/server.h"

/* How far the request is that is being read, or is answered. */
enum rv_h1_progress {
  RV_H1_WAITS,    /* for the first byte of a request */
  RV_H1_IN_HEAD,  /* a part of a head is there */
  RV_H1_IN_BODY,  /* its head is complete */
  RV_H1_COMPLETE, /* all of it was read, or no more of it is wanted */
};

/* Requests are served one at a time: while one is not answered, bytes of the
   next ones wait in `input`, and nothing more is read. */
struct rv_h1_server {
  struct rv_h1_server_options options;
  struct rv_engine *engine;
  struct rv_stream_user user;
  struct rv_stream *stream; /* NULL: not started, or closed */
  struct rv_waker waker;
  struct rv_job job, free_job;
  struct rv_timer timer;

  struct rv_slices input;
  struct rv_h1_parser parser;
  enum rv_h1_progress progress;
  size_t discarded;  /* bytes of a body that nobody wants */
  bool awaits_100;   /* Expect: 100-continue, and nothing came of it yet */
  bool stream_ended; /* FIN was read, and is to be acted upon */
  bool reading;      /* what the stream was told */

  struct rv_exchange *exchange; /* NULL: none, or answered */
  struct rv_h1_sender sender;
  unsigned minor;   /* of the request's version */
  bool answering;   /* a final head was written for the request */
  bool close_after; /* this answer is the last */
  bool draining;
  bool broken; /* the answer cannot go on: abort as soon as possible */
  enum rv_failure cause; /* why we ended the exchange, for its record */
  bool closing;          /* the stream was told to close */

  bool served;        /* an answer was given before */
  uint64_t active_ns; /* when a byte went either way */
  uint64_t head_ns;   /* when the head under way began */
};

/* ---- answer.c ---- */

/* Writes what the exchange has to say: 1xx, head, the end of the body, a
   failure. */
void rv_h1_answer_advance(struct rv_h1_server *server);

/* Instead of an answer by an upstream: the line of the failure table, and
   close. An exchange is cancelled. With an answer under way: abort; after it:
   close. */
void rv_h1_answer_refuse(struct rv_h1_server *server, enum rv_failure failure);

/* What the sender said about the body: after an error the answer is broken. */
void rv_h1_answer_check(struct rv_h1_server *server, int r);

/* The exchange is over in any case: reports and detaches it. */
void rv_h1_answer_end(struct rv_h1_server *server);

/* ---- server.c ---- */

/* Cancels the exchange, if any, and closes. */
void rv_h1_server_close(struct rv_h1_server *server, enum rv_stream_close how);

#endif
