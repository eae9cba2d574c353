# What every build keeps (frame pointers, for profilers and stack traces),
# hardening, and link-time optimisation where the compiler has it.
option(REVERST_LTO "Link-time optimisation" OFF)

add_compile_options(
  -fno-omit-frame-pointer -fstack-protector-strong)
if(NOT REVERST_SANITIZE)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
add_link_options(-Wl,-z,relro,-z,now)

if(REVERST_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT lto_works OUTPUT lto_output LANGUAGES C)
  if(lto_works)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  else()
    message(STATUS "no link-time optimisation: ${lto_output}")
  endif()
endif()

# reverst_installed_archive(TARGET): others link this static library, so that
# it must hold machine code, whatever else is in it.
function(reverst_installed_archive target)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    if(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
      target_compile_options(${target} PRIVATE -ffat-lto-objects)
    endif()
  else()
    set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
  endif()
endfunction()
