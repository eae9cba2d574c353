# Writes OUTPUT, a C file that holds the Lua modules as byte arrays.
# MODULES: paths below FOLDER, separated by "|".
# reverst/auth.lua is the module "reverst.auth", reverst/init.lua "reverst".

set(arrays "")
set(rows "")
set(count 0)
string(REPLACE "|" ";" MODULES "${MODULES}")
foreach(path IN LISTS MODULES)
  string(REGEX REPLACE "(/init)?\\.lua$" "" name "${path}")
  string(REPLACE "/" "." name "${name}")
  file(READ "${FOLDER}/${path}" bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays
    "static const unsigned char module_${count}[] = {${bytes}0};\n")
  string(APPEND rows "  { \"${name}\", (const char *)module_${count},\n"
    "    sizeof(module_${count}) - 1 },\n")
  math(EXPR count "${count} + 1")
endforeach()

file(WRITE "${OUTPUT}" "#include \"lua/modules.h\"\n\n${arrays}\n"
  "const struct rv_lua_module rv_lua_modules[] = {\n${rows}"
  "  { NULL, NULL, 0 }\n};\n")
