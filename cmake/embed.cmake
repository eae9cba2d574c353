# Writes OUTPUT, a C file that holds Lua modules as byte arrays, in the table
# TABLE.
# MODULES: paths below FOLDER, separated by "|".
# reverst/auth.lua is the module "reverst.auth", reverst/init.lua "reverst" and
# "reverst.init"; so in folders below.
# CHUNK: what messages call a module: "name" (=reverst.auth), or "path"
# (@reverst/auth.lua).
cmake_minimum_required(VERSION 3.22)

set(arrays "")
set(rows "")
set(count 0)
set(names "")
string(REPLACE "|" ";" MODULES "${MODULES}")
foreach(path IN LISTS MODULES)
  string(REGEX REPLACE "\\.lua$" "" name "${path}")
  string(REPLACE "/" "." name "${name}")
  string(REGEX REPLACE "\\.init$" "" short_name "${name}")
  if(CHUNK STREQUAL "path")
    set(chunk "@${path}")
  else()
    set(chunk "=${short_name}")
  endif()
  file(READ "${FOLDER}/${path}" bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays
    "static const unsigned char module_${count}[] = {${bytes}0};\n")
  foreach(row_name IN ITEMS "${name}" "${short_name}")
    # x.lua goes before x/init.lua
    if(NOT "${row_name}" IN_LIST names)
      list(APPEND names "${row_name}")
      string(APPEND rows "  { \"${row_name}\", \"${chunk}\",\n"
        "    (const char *)module_${count}, sizeof(module_${count}) - 1 },\n")
    endif()
  endforeach()
  math(EXPR count "${count} + 1")
endforeach()

file(WRITE "${OUTPUT}" "#include \"lua/module/modules.h\"\n\n${arrays}\n"
  "const struct rv_lua_module ${TABLE}[] = {\n${rows}"
  "  { NULL, NULL, NULL, 0 }\n};\n")
