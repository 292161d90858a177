#!/usr/bin/env bash
# Builds a wheel with the library inside and nothing beside it but what every Linux has: `./dev wheel`.
#
# What the library stands on is built here from Debian's source packages, because Debian's static
# libraries are not position independent; libcrypto alone is Debian's own, which is. Everything lies
# in build/wheel: sources/, prefix/ (the static libraries), library/ (tracelite's build), dist/.
#
# usage: wheel.sh [--sources-only]; JOBS=1 limits the compilers at work. Ends with 77 where the
# sources cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
JOBS=${JOBS:-2}
here=$PWD/build/wheel
prefix=$here/prefix
packages=(lmdb libzstd sqlite3 simdjson xxhash)
flags="-O2 -fPIC -fvisibility=hidden -DNDEBUG"

# The sources cannot be had: not a failure of the build, and told apart from one.
absent() { printf 'wheel: %s\n' "$*" >&2; exit 77; }
say() { printf '== %s\n' "$*"; }
die() { printf 'wheel: %s\n' "$*" >&2; exit 1; }

# -------------------------------------------------------------------------------------- sources

# fetch: the source packages, by a list of their own, so that the system's stays as it is
fetch() {
  local suite keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  # shellcheck disable=SC1091
  suite=$(. /etc/os-release && [[ $ID == debian ]] && printf '%s' "${VERSION_CODENAME:-}") ||
    absent 'source packages can be had on Debian only'
  mkdir -p "$here"/{sources,lists/partial}
  local mirror  # the one that this system installs from
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 2>/dev/null |
    sed -n "s/ $suite\$//p" | sort -u | head -n 1)
  printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" \
    "${TRACELITE_DEBIAN_MIRROR:-${mirror:-http://deb.debian.org/debian}}" "$suite" >"$here/sources.list"
  local apt=(apt-get -qq -o Dir::Etc::sourcelist="$here/sources.list" -o Dir::Etc::sourceparts=-
    -o Dir::State::lists="$here/lists" -o APT::Sandbox::User=root -o Debug::NoLocking=1
    -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=1)
  "${apt[@]}" update || absent 'the list of source packages cannot be had: is there a network?'
  (cd "$here/sources" && "${apt[@]}" source --download-only "${packages[@]}") ||
    absent 'the source packages cannot be had'
}

# source_of PACKAGE: the folder with its sources, patched as Debian does
source_of() {
  local folder=$here/sources/$1
  if [[ ! -d $folder ]]; then
    dpkg-source --no-check --extract "$here/sources/$1"_*.dsc "$folder.part" >/dev/null
    mv "$folder.part" "$folder"
  fi
  printf '%s' "$folder"
}

# ------------------------------------------------------------------------- the static libraries

compile() { # OUTPUT COMPILER ARG..: one object, unless it is there
  local output=$1
  shift
  [[ -f $output ]] || { "$@" -c -o "$output.part" && mv "$output.part" "$output"; }
}

archive() { # NAME OBJECT..
  local library=$prefix/lib/lib$1.a
  rm -f "$library"
  ar qcs "$library" "${@:2}"
}

describe() { # MODULE VERSION LIBRARY [REQUIRED]: its pkg-config file
  printf 'prefix=%s\nName: %s\nDescription: built for the wheel\nVersion: %s\n%s\n%s\n' \
    "$prefix" "$1" "$2" "Libs: -L\${prefix}/lib -l$3 ${4:-}" "Cflags: -I\${prefix}/include" \
    >"$prefix/lib/pkgconfig/$1.pc"
}

version_of() { dpkg-parsechangelog -l "$1/debian/changelog" -S Version | sed 's/[-+].*//'; }

build_lmdb() {
  local source objects=() each
  source=$(source_of lmdb)
  for each in mdb midl; do
    # shellcheck disable=SC2086
    compile "$here/objects/$each.o" cc $flags -pthread "$source/libraries/liblmdb/$each.c"
    objects+=("$here/objects/$each.o")
  done
  archive lmdb "${objects[@]}"
  cp "$source/libraries/liblmdb/lmdb.h" "$prefix/include"
  describe lmdb "$(version_of "$source")" lmdb -pthread
}

build_zstd() {
  local source file object objects=()
  source=$(source_of libzstd)
  for file in "$source"/lib/{common,compress,decompress,dictBuilder}/*.c; do
    object=$here/objects/zstd_$(basename "$file" .c).o
    # shellcheck disable=SC2086
    compile "$object" cc $flags -DZSTD_DISABLE_ASM -DXXH_NAMESPACE=ZSTD_ "$file"
    objects+=("$object")
  done
  archive zstd "${objects[@]}"
  cp "$source"/lib/{zstd,zdict,zstd_errors}.h "$prefix/include"
  describe libzstd "$(version_of "$source")" zstd
}

build_sqlite() {
  local source made=$here/sqlite
  source=$(source_of sqlite3)
  if [[ ! -f $made/sqlite3.c ]]; then # all of SQLite as one file, which its own scripts write
    mkdir -p "$made"
    (cd "$made" && "$source/configure" --disable-tcl --disable-shared --disable-readline &&
      make sqlite3.c) >"$made/log" 2>&1 || { tail -n 20 "$made/log"; die 'SQLite: see above'; }
  fi
  # shellcheck disable=SC2086
  compile "$here/objects/sqlite3.o" cc $flags -pthread -DSQLITE_THREADSAFE=1 \
    -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_COLUMN_METADATA "$made/sqlite3.c"
  archive sqlite3 "$here/objects/sqlite3.o"
  cp "$made/sqlite3.h" "$prefix/include"
  describe sqlite3 "$(version_of "$source")" sqlite3 -lm
}

build_simdjson() {
  local source
  source=$(source_of simdjson)
  # shellcheck disable=SC2086
  compile "$here/objects/simdjson.o" c++ $flags -std=c++17 -I"$source/include" -I"$source/src" \
    "$source/src/simdjson.cpp"
  archive simdjson "$here/objects/simdjson.o"
  cp -r "$source/include/." "$prefix/include"
  describe simdjson "$(version_of "$source")" simdjson
}

build_xxhash() {
  local source
  source=$(source_of xxhash)
  # shellcheck disable=SC2086
  compile "$here/objects/xxhash.o" cc $flags "$source/xxhash.c"
  archive xxhash "$here/objects/xxhash.o"
  cp "$source"/{xxhash,xxh3}.h "$prefix/include"
  describe libxxhash "$(version_of "$source")" xxhash
}

# OpenSSL is position independent in its static form, too; building it would take longer than all
# the others together.
take_libcrypto() {
  local library
  library=$(cc -print-file-name=libcrypto.a)
  [[ -f $library ]] || die 'libcrypto.a is missing: install libssl-dev'
  cp "$library" "$prefix/lib"
  describe libcrypto "$(pkg-config --modversion libcrypto)" crypto '-ldl -pthread'
}

# --------------------------------------------------------------------------------------- wheel

sources_are_there() {
  local package
  for package in "${packages[@]}"; do
    compgen -G "$here/sources/${package}_*.dsc" >/dev/null || return 1
  done
}

say 'sources'
sources_are_there || fetch
[[ ${1:-} != --sources-only ]] || exit 0

say 'libraries'
mkdir -p "$here"/objects "$prefix"/{include,lib/pkgconfig}
build_lmdb
build_zstd
build_sqlite
build_simdjson
build_xxhash
take_libcrypto

say 'tracelite'
export PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
cmake -S . -B "$here/library" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTRACELITE_TESTS=OFF \
  -DTRACELITE_CLI=OFF -DTRACELITE_UNITY=ON \
  -DCMAKE_SHARED_LINKER_FLAGS='-static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL' \
  >"$here/configure.log" 2>&1 || { cat "$here/configure.log"; die 'cmake: see above'; }
cmake --build "$here/library" --target tracelite --parallel "$JOBS"

say 'wheel'
mkdir -p "$here/dist"
TRACELITE_LIBRARY=$here/library/lib/libtracelite.so \
  python3 bindings/python/_build/backend.py "$here/dist"
