#!/bin/sh
# Makes what a build needs, where it is missing:
#   - Debian packages (as root, or through sudo)
#   - the pinned libraries of dependencies/pinned.txt, static, in a private
#     prefix: $REVERST_DEPENDENCIES_PREFIX, or build/dependencies
# usage: cmake/dependencies.sh [DEBIAN-PACKAGE...]   (more packages to install)
# Prints nothing, and takes no time, when all is there.  What the prefix holds
# is built anew when the pins, the recipes, wolfSSL's settings, or what is taken
# from the system changes.
# Where the libraries come from, and what says so: README.md beside this file.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
settings=$here/wolfssl
prefix=${REVERST_DEPENDENCIES_PREFIX:-$here/../build/dependencies}
packages="build-essential ca-certificates cmake ninja-build pkg-config xz-utils
  libevent-dev liblua5.4-dev libmpack-dev libyaml-dev lua-cjson-dev
  lua-busted lua-filesystem-dev"

say() {
  echo "dependencies: $*" >&2
}

die() {
  say "$@"
  exit 1
}

# --- Debian packages --------------------------------------------------------

missing_packages() {
  # shellcheck disable=SC2016,SC2086
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" \
    2>/dev/null || :)
  for package in "$@"; do
    case "
$installed
" in
    *"
installed $package
"*) ;;
    *) printf '%s ' "$package" ;;
    esac
  done
}

install_packages() {
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  as_root=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      die "install these Debian packages as root, then try again: $missing"
    as_root=sudo
  fi
  say "installing Debian packages: $missing"
  $as_root apt-get -qq -o DPkg::Lock::Timeout=300 update ||
    say "apt-get update failed; trying with the lists that are there"
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    --no-install-recommends install $missing >/dev/null ||
    die "could not install: $missing"
}

# --- pinned libraries -------------------------------------------------------

has_sum() {
  echo "$2  $1" | sha256sum -c --status - 2>/dev/null
}

# obtain_file FILE SHA-256 KIND PACKAGE PATH: $channel puts FILE, with that sum,
# into $downloads
obtain_file() {
  reason=
  if "channel_$channel" "$1" "$3" "$4" "$5"; then
    if has_sum "$incoming/$1" "$2"; then
      mv "$incoming/$1" "$downloads/$1"
      return 0
    fi
    reason="its $1 has another SHA-256 than the pinned one"
  fi
  rm -f "$incoming/$1"
  add_reason
  return 1
}

add_reason() {
  line="  $channel: $reason"
  case $reasons in
  *"$line"*) ;;
  *) [ -z "$reason" ] || reasons="$reasons
$line" ;;
  esac
}

# obtain LIBRARY: sets $file to the first of its files that can be had, or to
# nothing when the system's library does
obtain() {
  reasons=
  grep "^$1 " "$here/dependencies/pinned.txt" >"$work/pins"
  for channel in $channels; do
    if [ "$channel" = system ]; then
      file=
      find_system "$1" && return 0
      add_reason
      continue
    fi
    while read -r _ its_version file sum kind package path; do
      version=$its_version
      obtain_file "$file" "$sum" "$kind" "$package" "$path" && return 0
    done <"$work/pins"
  done
  die "no channel has $1 $version:$reasons
Put this file (where there are more, one of them) into a folder, set
REVERST_DEPENDENCIES_DIR to that folder, and try again:
$(awk '{ print "  " $3 "  (SHA-256 " $4 ")" }' "$work/pins")"
}

build_library() {
  log=$work/$1.log
  say "building $1 $version"
  unpack "$downloads/$file" "$work/$1"
  # in a subshell of its own, not in a condition: there -e has no effect
  (set -e; "recipe_$1" "$work/$1") >"$log" 2>&1 &
  if ! wait $!; then
    tail -n 30 "$log" >&2
    die "building $1 $version failed; the whole log: $log"
  fi
  rm -rf "${work:?}/$1"
}

build_libraries() {
  downloads=$prefix/downloads work=$prefix/work
  incoming=$work/incoming
  mkdir -p "$downloads" "$incoming" "$prefix/include" "$prefix/lib"
  rm -f "$stamp"
  for name in wolfssl ngtcp2 nghttp3 llhttp; do
    obtain "$name"
    if [ -n "$file" ]; then build_library "$name"; else take_system "$name"; fi
  done
  rm -rf "$work"
  echo "$key" >"$stamp"
}

# shellcheck source=cmake/dependencies/channels.sh
. "$here/dependencies/channels.sh"
# shellcheck source=cmake/dependencies/system.sh
. "$here/dependencies/system.sh"
# shellcheck source=cmake/dependencies/recipes.sh
. "$here/dependencies/recipes.sh"

# shellcheck disable=SC2086
install_packages $packages "$@"

mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
stamp=$prefix/.complete
key=$({
  cat "$here/dependencies/pinned.txt" "$here/dependencies/recipes.sh" \
    "$settings/user_settings.h"
  describe_system
} | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || exit 0

exec 9>"$prefix/.lock"
flock 9
[ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || exit 0
build_libraries
