/* SPDX-License-Identifier: MIT */
/* All of libreverst: a server and a client of HTTP reverse tunnels, each on the
   caller's own libevent base. No globals, no threads, no signals, no printing.
   One object belongs to the thread that dispatches its base. */
#ifndef REVERST_REVERST_H
#define REVERST_REVERST_H

#include <reverst/client.h>
#include <reverst/crypto.h>
#include <reverst/error.h>
#include <reverst/fetch.h>
#include <reverst/group.h>
#include <reverst/http.h>
#include <reverst/log.h>
#include <reverst/server.h>
#include <reverst/visit.h>

#endif
