# shellcheck shell=sh disable=SC2154
# How each pinned library is built into $prefix.  Sourced by dependencies.sh.
#
# recipe_NAME SOURCE: SOURCE is the folder its file was unpacked to.

case $(uname -m) in
x86_64) assembly=yes machine_flags=-maes ;;
*) assembly=no machine_flags= ;;
esac

# unpack FILE FOLDER
unpack() {
  rm -rf "$2"
  mkdir -p "$2"
  case $1 in
  *.deb) dpkg -x "$1" "$2" ;;
  *) tar -xf "$1" -C "$2" --strip-components=1 ;;
  esac
}

# cmake_install SOURCE C-FLAGS CMAKE-ARGUMENTS...
# The build type is none on purpose: ngtcp2 loses its assertions in Release.
cmake_install() {
  source=$1 flags="-O2 -g1 -fPIC $2"
  shift 2
  cmake -S "$source" -B "$source/build" -G Ninja \
    -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_TESTING=OFF "$@"
  ninja -C "$source/build" install
}

# user_settings.h instead of its options: those would install a header that
# lacks definitions the library was built with.
recipe_wolfssl() {
  cmake_install "$1" "-I$settings $machine_flags" \
    -DCMAKE_ASM_FLAGS="-I$settings" -DWOLFSSL_USER_SETTINGS=yes \
    -DWOLFSSL_QUIC=yes -DWOLFSSL_AESNI=$assembly \
    -DWOLFSSL_INTEL_ASM=$assembly -DWOLFSSL_EXAMPLES=no \
    -DWOLFSSL_CRYPT_TESTS=no -DBUILD_SHARED_LIBS=OFF
  cp "$settings/user_settings.h" "$prefix/include/"
}

recipe_ngtcp2() {
  cmake_install "$1" "" -DENABLE_WOLFSSL=ON -DENABLE_OPENSSL=OFF \
    -DENABLE_LIB_ONLY=ON -DENABLE_SHARED_LIB=OFF
}

recipe_nghttp3() {
  if [ -f "$1/CMakeLists.txt" ]; then
    cmake_install "$1" "" -DENABLE_LIB_ONLY=ON -DENABLE_SHARED_LIB=OFF
  else # Debian's package has it built
    cp -r "$1/usr/include/nghttp3" "$prefix/include/"
    cp "$1"/usr/lib/*/libnghttp3.a "$prefix/lib/"
  fi
}

recipe_llhttp() {
  cmake_install "$1/usr/src/llhttp" "" -DLLHTTP_BUILD_SHARED_LIBS=OFF \
    -DLLHTTP_BUILD_STATIC_LIBS=ON
}
