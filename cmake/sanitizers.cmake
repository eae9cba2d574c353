# REVERST_SANITIZE: what to give to -fsanitize=, for instance
# "address,undefined".  Every report ends the program.
set(REVERST_SANITIZE "" CACHE STRING "Sanitizers to build with")

if(REVERST_SANITIZE)
  add_compile_options(
    -fsanitize=${REVERST_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${REVERST_SANITIZE})
endif()
