# What `cmake --install` puts where; DESTDIR and --prefix are honoured, and the
# result may be moved as a whole.
#
#   program      bin/reverst, the manual, the Lua modules
#   development  include/reverst, lib/libreverst.a, lib/reverst (archives of
#                the pinned libraries), lib/pkgconfig/reverst.pc and
#                lib/cmake/reverst
#
# The pinned libraries are not merged into libreverst.a: they stay ordinary
# archives, so that their licences and versions can be told apart and one can
# be replaced.  A folder of our own keeps them from shadowing the system's.
#
# The program has its Lua modules within; the files are for people and for
# editors with a language server.  libreverst_lua.a stays in the build tree:
# its interface is the host program's own, and promises nothing.
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/reverst")
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# ---- program ----

install(TARGETS reverst
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program)
file(GLOB commands CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bin/man/*.1")
file(GLOB formats CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bin/man/*.5")
install(FILES ${commands}
  DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT program)
install(FILES ${formats}
  DESTINATION "${CMAKE_INSTALL_MANDIR}/man5" COMPONENT program)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/lua/reverst"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/reverst/lua" COMPONENT program
  FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/lua/annotations/"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/reverst/lua" COMPONENT program
  FILES_MATCHING PATTERN "*.lua")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT program)

# The terms of what the program has within, as the system states them
foreach(name lua-busted lua-cliargs lua-cjson lua-dkjson lua-filesystem
    lua-luassert lua-mediator lua-penlight lua-say lua-system lua-term liblua5.4-0
    libevent-core-2.1-7 libyaml-0-2)
  if(EXISTS "/usr/share/doc/${name}/copyright")
    install(FILES "/usr/share/doc/${name}/copyright"
      DESTINATION "${CMAKE_INSTALL_DOCDIR}/licences" RENAME "${name}"
      COMPONENT program)
  endif()
endforeach()

# ---- development ----

install(TARGETS reverst_core
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/core/include/reverst"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
  FILES_MATCHING PATTERN "*.h")

# Bytecode for link-time optimisation is of use to this very compiler only, and
# an error to others: the machine code beside it (see optimization.cmake) is
# what others get.
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  install(CODE "
    set(folder \"${CMAKE_INSTALL_LIBDIR}\")
    if(NOT IS_ABSOLUTE \"\${folder}\")
      string(PREPEND folder \"\${CMAKE_INSTALL_PREFIX}/\")
    endif()
    execute_process(
      COMMAND \"${CMAKE_OBJCOPY}\" --strip-symbol=__gnu_lto_v1
        --remove-section=.gnu.lto_* --remove-section=.gnu.debuglto_*
        \"\$ENV{DESTDIR}\${folder}/libreverst.a\"
      COMMAND_ERROR_IS_FATAL ANY)" COMPONENT development)
endif()

# In the order of linking, users before what they use
set(archives "")
foreach(name ngtcp2_crypto ngtcp2 wolfssl nghttp3 llhttp)
  get_target_property(path reverst::${name} IMPORTED_LOCATION)
  install(FILES "${path}"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/reverst" COMPONENT development)
  get_filename_component(file "${path}" NAME)
  list(APPEND archives "${file}")
endforeach()

# Programs that link an instrumented library must be linked like it.
set(sanitize "")
if(REVERST_SANITIZE)
  set(sanitize "-fsanitize=${REVERST_SANITIZE}")
endif()

set(package "${PROJECT_BINARY_DIR}/package")
list(TRANSFORM archives PREPEND "\${libdir}/reverst/" OUTPUT_VARIABLE paths)
list(JOIN paths " " archive_paths)
# from where the file lies, so that the prefix may be any
set(folder "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH libdir "${folder}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH includedir "${folder}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
string(REGEX REPLACE "/$" "" libdir "${libdir}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/package/reverst.pc.in"
  "${package}/reverst.pc" @ONLY)
install(FILES "${package}/reverst.pc"
  DESTINATION "${pkgconfig_dir}" COMPONENT development)

include(CMakePackageConfigHelpers)
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/package/reverst-config.cmake.in"
  "${package}/reverst-config.cmake"
  INSTALL_DESTINATION "${package_dir}"
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${package}/reverst-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${package}/reverst-config.cmake"
  "${package}/reverst-config-version.cmake"
  DESTINATION "${package_dir}" COMPONENT development)
