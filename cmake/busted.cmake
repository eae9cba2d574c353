# busted, and the modules in Lua that it needs, as Debian installs them: the
# program has them within, for reverst test.  Sets REVERST_BUSTED_FOLDER and
# REVERST_BUSTED_MODULES, paths below it.
find_path(REVERST_BUSTED_FOLDER busted/core.lua
  PATHS /usr/share/lua/5.4 /usr/local/share/lua/5.4 NO_DEFAULT_PATH
  DOC "Where busted and its modules are")
if(NOT REVERST_BUSTED_FOLDER)
  message(FATAL_ERROR "busted is missing: apt install lua-busted, or run "
    "cmake/dependencies.sh")
endif()

set(REVERST_BUSTED_MODULES busted.lua cliargs.lua dkjson.lua mediator.lua)
file(GLOB_RECURSE modules CONFIGURE_DEPENDS
  RELATIVE "${REVERST_BUSTED_FOLDER}"
  "${REVERST_BUSTED_FOLDER}/busted/*.lua"
  "${REVERST_BUSTED_FOLDER}/cliargs/*.lua"
  "${REVERST_BUSTED_FOLDER}/luassert/*.lua"
  "${REVERST_BUSTED_FOLDER}/say/*.lua"
  "${REVERST_BUSTED_FOLDER}/system/*.lua"
  "${REVERST_BUSTED_FOLDER}/term/*.lua")
list(APPEND REVERST_BUSTED_MODULES ${modules})
# of Penlight, what these use
foreach(name List Map app class compat dir lexer path pretty stringx tablex types
    utils xml)
  list(APPEND REVERST_BUSTED_MODULES "pl/${name}.lua")
endforeach()
