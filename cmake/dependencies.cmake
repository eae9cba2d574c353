# The libraries: those pinned in the private prefix that dependencies.sh
# makes, and those of the system.  Targets: reverst::NAME.
set(REVERST_DEPENDENCIES_PREFIX "${PROJECT_SOURCE_DIR}/build/dependencies"
  CACHE PATH "Where cmake/dependencies.sh installed the pinned libraries")
if(DEFINED ENV{REVERST_DEPENDENCIES_PREFIX})
  set_property(CACHE REVERST_DEPENDENCIES_PREFIX PROPERTY VALUE
    "$ENV{REVERST_DEPENDENCIES_PREFIX}")
endif()

if(NOT EXISTS "${REVERST_DEPENDENCIES_PREFIX}/.complete")
  message(FATAL_ERROR
    "the pinned libraries are not in ${REVERST_DEPENDENCIES_PREFIX}\n"
    "Run cmake/dependencies.sh (bin/test and bin/demo do it too), or set "
    "REVERST_DEPENDENCIES_PREFIX to a prefix it made.")
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# reverst_archive(NAME FILE DIRECTORY LINKS...): the target reverst::NAME for
# one static library; what it needs in turn follows.
function(reverst_archive name file directory)
  set(path "${directory}/${file}")
  if(NOT EXISTS "${path}")
    message(FATAL_ERROR "${name}: ${path} does not exist")
  endif()
  add_library(reverst::${name} STATIC IMPORTED GLOBAL)
  set_target_properties(reverst::${name} PROPERTIES
    IMPORTED_LOCATION "${path}"
    INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()

# reverst_private_archive(NAME FILE LINKS...): one from the private prefix
function(reverst_private_archive name file)
  reverst_archive(${name} ${file} "${REVERST_DEPENDENCIES_PREFIX}/lib" ${ARGN})
  target_include_directories(reverst::${name} SYSTEM INTERFACE
    "${REVERST_DEPENDENCIES_PREFIX}/include")
endfunction()

# reverst_system_archive(NAME MODULE FILE LINKS...): one from the system, whose
# pkg-config module tells the folders
function(reverst_system_archive name module file)
  pkg_check_modules(${name} REQUIRED QUIET ${module})
  pkg_get_variable(directory ${module} libdir)
  if(NOT EXISTS "${directory}/${file}")
    set(directory "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
  endif()
  reverst_archive(${name} ${file} "${directory}" ${ARGN})
  target_include_directories(reverst::${name} SYSTEM INTERFACE
    ${${name}_INCLUDE_DIRS})
endfunction()

reverst_private_archive(wolfssl libwolfssl.a m Threads::Threads)
target_compile_definitions(reverst::wolfssl INTERFACE WOLFSSL_USER_SETTINGS)
reverst_private_archive(ngtcp2 libngtcp2.a)
reverst_private_archive(ngtcp2_crypto libngtcp2_crypto_wolfssl.a
  reverst::ngtcp2 reverst::wolfssl)
reverst_private_archive(nghttp3 libnghttp3.a)
reverst_private_archive(llhttp libllhttp.a)

reverst_system_archive(event_core libevent_core libevent_core.a
  Threads::Threads)
reverst_system_archive(event_extra libevent_extra libevent_extra.a
  reverst::event_core)
# Debian's libmpack.a is not position independent, so the shared one.
pkg_check_modules(mpack REQUIRED QUIET IMPORTED_TARGET GLOBAL mpack)
add_library(reverst::mpack ALIAS PkgConfig::mpack)
reverst_system_archive(lua lua5.4 liblua5.4.a m dl)
reverst_system_archive(cjson lua5.4-cjson liblua5.4-cjson.a)
reverst_system_archive(lfs lua5.4-filesystem liblua5.4-filesystem.a)
reverst_system_archive(yaml yaml-0.1 libyaml.a)
