# Warnings for every target of ours; good on gcc 12 and clang 14.
option(REVERST_WERROR "Treat warnings as errors" OFF)

add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align
  -Wwrite-strings -Wundef -Wvla -Wformat=2
  -Wimplicit-fallthrough -Wdate-time)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()
if(REVERST_WERROR)
  add_compile_options(-Werror)
endif()
