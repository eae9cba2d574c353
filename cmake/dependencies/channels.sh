# shellcheck shell=sh disable=SC2034,SC2154
# Where the pinned files come from.  Sourced by dependencies.sh.
#
# A channel is a function channel_NAME FILE KIND PACKAGE PATH that puts FILE
# into $incoming, or sets $reason to one line that says why it could not (to
# nothing, if that is not worth a line), and returns 1.  It need not check what
# it got: obtain_file does.  "system" is no such function: it has libraries,
# not files (system.sh).

# The machine's own mirror before upstream, which many machines cannot reach.
channels="folder system kept debian upstream"

# What an earlier run obtained
channel_kept() {
  reason=
  [ -f "$downloads/$1" ] && cp "$downloads/$1" "$incoming/$1"
}

channel_folder() {
  if [ -z "${REVERST_DEPENDENCIES_DIR:-}" ]; then
    reason="REVERST_DEPENDENCIES_DIR is not set"
  elif [ ! -f "$REVERST_DEPENDENCIES_DIR/$1" ]; then
    reason="$REVERST_DEPENDENCIES_DIR has no $1"
  else
    cp "$REVERST_DEPENDENCIES_DIR/$1" "$incoming/$1" && return 0
    reason="$REVERST_DEPENDENCIES_DIR/$1 could not be copied"
  fi
  return 1
}

# The distribution's archive, through an apt whose sources and state are its
# own: the machine's apt keeps its suites.
channel_debian() {
  case $1 in
  *_all.deb | *.tar.*) ;;
  *"_$(dpkg --print-architecture).deb") ;;
  *)
    reason="$1 is for another architecture"
    return 1
    ;;
  esac
  private_apt_ready || return 1
  case $2 in
  source) set -- source --download-only --tar-only "$3" ;;
  package) set -- download "$3" ;;
  esac
  (cd "$incoming" && private_apt "$@") >"$work/apt.log" 2>&1 && return 0
  reason="apt: $(grep -m 1 '^E: ' "$work/apt.log" || tail -n 1 "$work/apt.log")"
  return 1
}

private_apt() {
  APT_CONFIG=$work/apt/apt.conf apt-get -qq "$@"
}

# The first use prepares; a failure is remembered, so that it costs once.
private_apt_ready() {
  if [ -z "${private_apt_state:-}" ]; then
    if private_apt_prepare; then
      private_apt_state=ready
    else
      private_apt_state=$reason
    fi
  fi
  reason=$private_apt_state
  [ "$private_apt_state" = ready ]
}

private_apt_prepare() {
  apt=$work/apt
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  mirror=$(debian_mirror)
  if [ -z "$mirror" ]; then
    reason="apt: this machine has no Debian mirror configured"
    return 1
  fi
  say "reading the package lists of $mirror"
  signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
  cat >"$apt/sources.list" <<LIST
deb $signed $mirror bookworm-backports main
deb $signed $mirror sid main
deb-src $signed $mirror sid main
LIST
  # An index past its date is no danger: what it names is pinned.
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$apt/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$apt/cache";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::Retries "1";
APT::Sandbox::User "root";
CONF
  private_apt update >"$work/apt.log" 2>&1 && return 0
  reason="apt: $(grep -m 1 '^[EW]: ' "$work/apt.log")"
  return 1
}

# The mirror this machine uses for Debian itself (not for security updates).
# Its apt knows once it has read package lists; where it has none, they are
# read into a folder of ours.
debian_mirror() {
  first_mirror && return
  mkdir -p "$apt/machine/partial"
  set -- -o Dir::State::Lists="$apt/machine" -o Dir::Cache="$apt/cache" \
    -o APT::Sandbox::User=root
  apt-get -qq "$@" update >/dev/null 2>&1
  first_mirror "$@" || :
}

first_mirror() {
  # shellcheck disable=SC2016
  apt-get "$@" indextargets --format '$(REPO_URI)' \
    'Created-By: Packages' 'Label: Debian' 2>/dev/null | grep -m 1 .
}

# The library's own release.  Fails soon where it cannot be reached; a transfer
# that stalls is given up too.
channel_upstream() {
  if [ "$4" = - ]; then
    reason="no release of its own is pinned for $1"
    return 1
  fi
  url=${REVERST_UPSTREAM:-https://github.com}/$4
  if command -v curl >/dev/null; then
    set -- curl -fsSL --connect-timeout 5 --speed-limit 1000 --speed-time 20 \
      -o "$incoming/$1" "$url"
  elif command -v wget >/dev/null; then
    set -- wget -nv --tries=1 --dns-timeout=5 --connect-timeout=5 \
      --read-timeout=20 -O "$incoming/$1" "$url"
  else
    reason="neither curl nor wget is installed"
    return 1
  fi
  "$@" >"$work/upstream.log" 2>&1 && return 0
  reason="$url: $(tail -n 1 "$work/upstream.log")"
  return 1
}
