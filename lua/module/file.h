/* SPDX-License-Identifier: MIT */
/* The module reverst.file: reading small files without being held up. */
#ifndef REVERST_LUA_FILE_H
#define REVERST_LUA_FILE_H

#include <lua.h>

/* A lua_CFunction that opens the module.  file.read(path): the content of a
   regular file of at most 64 KiB; or nil and why not, with the path.  A pipe, a
   device or a folder is refused, since a task must not wait for one. */
int rv_lua_open_file(lua_State *L);

#endif
