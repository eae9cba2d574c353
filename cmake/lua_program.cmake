# reverst_lua_program(TARGET): TARGET holds a whole Lua and lets C modules that
# it loads at run time use it (they bring no Lua of their own).
function(reverst_lua_program target)
  set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
  get_target_property(lua reverst::lua IMPORTED_LOCATION)
  target_link_options(${target} PRIVATE
    "LINKER:--whole-archive,${lua},--no-whole-archive")
endfunction()
