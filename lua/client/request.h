/* SPDX-License-Identifier: MIT */
/* Requests that a client answers in Lua: a task for each. */
#ifndef REVERST_LUA_REQUEST_H
#define REVERST_LUA_REQUEST_H

#include <reverst/http.h>

#include "lua/engine/engine.h"

/* Calls a function, given as a reference into the registry, with a handle, in a
   task.  When the function fails the visitor gets 500, or sees the answer break
   off if it has begun; the same when it has not answered at its end.  When the
   visitor goes before the end of the answer, the task is ended.

   Methods of the handle; where the request is over they return nil and
   "closed":
   head(): method, scheme, host, path, and a list of names and values in turns;
   read(max): up to so many bytes of the body (waits); "" at its end;
   respond(status, fields, body): the whole answer; fields as in head;
   start(status, fields), write(bytes) (waits for room), finish(trailers): the
   same in parts.  The last four return true; or nil, why and the error's name.
   */
void rv_lua_request_start(
    reverst_request *request, struct rv_lua *lua, int function);

#endif
