/* SPDX-License-Identifier: MIT */
/* The control socket: a Unix socket that only its owner may open.  One object
   of JSON in a line is a command, one line comes back for each, in order.  It
   stays open over reloads.

   | what                        | bound                       |
   | connections                 | 64: more are closed at once |
   | a command                   | 64 KiB: then it is closed   |
   | silence, or an answer that
     nobody reads                | 60 s: then it is closed     | */
#ifndef REVERST_LUA_CONTROL_H
#define REVERST_LUA_CONTROL_H

#include <lua.h>

struct rv_lua_lineage;

/* Closes it, with its connections, and removes the file, if it is still ours.
   What was answered is sent as far as it goes at once. */
void rv_lua_control_close(struct rv_lua_lineage *lineage);

/* Lua: open_control(path): true; or nil and why not.  A socket that is there is
   replaced if nobody listens at it.  Each line that comes is given to the
   function `answer` of the module reverst.control, which returns a text, and
   what is to be done after that: nothing, "reload" (then the reload's answer is
   sent instead) or "drain". */
int rv_lua_control_open(lua_State *L);

#endif
