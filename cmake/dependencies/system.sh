# shellcheck shell=sh disable=SC2034,SC2154
# Libraries that the system has, or a prefix in PKG_CONFIG_PATH: only those
# that are the same whoever built them, and only where
# REVERST_DEPENDENCIES_SYSTEM is 1, since otherwise the same sources would give
# other programs on other machines.  Sourced by dependencies.sh.

# find_system LIBRARY: sets $version, $headers and $archive to what pkg-config
# tells of it, or $reason to one line that says why it is not taken
find_system() {
  reason='' header=''
  case $1 in
  nghttp3) header=nghttp3 oldest=1.0.0 next=2 ;;
  llhttp) header=llhttp.h oldest=9 next=10 ;;
  wolfssl) reason="nothing tells which options a system's wolfSSL has" ;;
  ngtcp2) reason="a system's ngtcp2 is built against another wolfSSL" ;;
  esac
  if [ "${REVERST_DEPENDENCIES_SYSTEM:-}" != 1 ]; then
    reason="REVERST_DEPENDENCIES_SYSTEM is not 1"
  elif [ -z "$header" ]; then
    : "the reason is given above"
  elif ! version=$(pkg-config --modversion "lib$1" 2>/dev/null); then
    reason="pkg-config knows no lib$1"
  elif ! pkg-config --exists "lib$1 >= $oldest" "lib$1 < $next"; then
    reason="lib$1 is $version; wanted is $oldest or later, before $next"
  else
    headers=$(pkg-config --variable=includedir "lib$1")/$header
    archive=$(pkg-config --variable=libdir "lib$1")/lib$1.a
    [ -f "$archive" ] && [ -e "$headers" ] && return 0
    reason="lib$1 $version lacks $archive or $headers"
  fi
  return 1
}

# take_system LIBRARY: copies what find_system found into $prefix.  By way of
# $work, since it might be there already.
take_system() {
  say "taking $1 $version from the system: $archive"
  cp -RL "$headers" "$archive" "$work/"
  rm -rf "$prefix/include/${headers##*/}"
  mv "$work/${headers##*/}" "$prefix/include/"
  mv "$work/${archive##*/}" "$prefix/lib/"
}

# What would be taken, for the stamp's key; nothing where that is not asked for
describe_system() {
  [ "${REVERST_DEPENDENCIES_SYSTEM:-}" = 1 ] || return 0
  for name in nghttp3 llhttp; do
    if find_system "$name"; then cksum "$archive"; else echo "$name: none"; fi
  done
}
