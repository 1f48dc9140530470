#!/bin/sh
# Installs mlloop from a release: fetches the archive for this machine, checks its SHA-256, and puts binary, man pages and
# completions under a prefix. Nothing is installed if the checksum differs or is not available.
#
#   sh install.sh [--version X.Y.Z] [--prefix DIR] [--from ADDRESS]
#
# --from (or MLLOOP_RELEASES)  the address of the releases: the parent of vX.Y.Z/, https:// or file://
# --version                    the version (default: that of this script)
# --prefix (or PREFIX)         default ~/.local
# --sha256                     the archive's SHA-256, from a separate source (default: that in the release's SHA256SUMS)
set -eu

# The release workflow sets these.
version=
releases=

die() {
    echo "install.sh: $*" >&2
    exit 2
}

prefix=${PREFIX:-${HOME:?}/.local}
releases=${MLLOOP_RELEASES:-$releases}
sha256=
while [ $# -gt 0 ]; do
    case $1 in
    --version | --prefix | --from | --sha256)
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --version) version=${2#v} ;;
        --prefix) prefix=$2 ;;
        --from) releases=${2%/} ;;
        --sha256) sha256=$2 ;;
        esac
        shift 2
        ;;
    -h | --help)
        sed -n '2,11s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *) die "unknown option $1 (--version, --prefix, --from, --sha256)" ;;
    esac
done
[ -n "$releases" ] || die "no address of the releases: give --from, or use the install.sh of a release"
[ -n "$version" ] || die "no version: give --version, or use the install.sh of a release"
case $releases in
https://* | file://* | http://127.0.0.1:* | http://localhost:*) ;;
*) die "$releases is neither https:// nor file://" ;;
esac

case $(uname -s) in
Linux) system=unknown-linux-musl ;;
Darwin) system=apple-darwin ;;
*) die "no binary for $(uname -s); build it with cargo (see README.md)" ;;
esac
case $(uname -m) in
x86_64 | amd64) machine=x86_64 ;;
aarch64 | arm64) machine=aarch64 ;;
*) die "no binary for $(uname -m); build it with cargo (see README.md)" ;;
esac
name=mlloop-$version-$machine-$system

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM

fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl --fail --silent --show-error --location --retry 3 --max-time 600 --output "$2" "$1"
    elif command -v wget >/dev/null 2>&1; then
        wget --quiet --tries=3 --timeout=60 --output-document="$2" "$1"
    else
        die "curl or wget is needed"
    fi || die "cannot fetch $1"
}

digest() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1"
    elif command -v shasum >/dev/null 2>&1; then
        shasum -a 256 "$1"
    elif command -v openssl >/dev/null 2>&1; then
        openssl dgst -sha256 -r "$1"
    else
        die "sha256sum, shasum or openssl is needed to check the download"
    fi | cut -d' ' -f1
}

if [ -z "$sha256" ]; then
    fetch "$releases/v$version/SHA256SUMS" "$work/sums"
    sha256=$(awk -v name="$name.tar.gz" '$2 == name || $2 == "*" name { print $1 }' "$work/sums")
fi
[ "${#sha256}" -eq 64 ] || die "no SHA-256 of $name.tar.gz in $releases/v$version/SHA256SUMS; nothing was installed"
fetch "$releases/v$version/$name.tar.gz" "$work/$name.tar.gz"
found=$(digest "$work/$name.tar.gz")
[ "$found" = "$sha256" ] ||
    die "$name.tar.gz has SHA-256 $found, but $sha256 is expected; nothing was installed"

tar -xzf "$work/$name.tar.gz" -C "$work"
[ -x "$work/$name/mlloop" ] || die "$name.tar.gz does not contain $name/mlloop; nothing was installed"
said=$("$work/$name/mlloop" --version) || die "$name does not run on this machine; nothing was installed"
case $said in
"mlloop $version" | "mlloop $version "*) ;;
*) die "$name.tar.gz calls itself \"$said\", not mlloop $version; nothing was installed" ;;
esac
mkdir -p "$prefix/bin" "$prefix/share"
cp -R "$work/$name/share/." "$prefix/share/"
# Written beside, then renamed: a running server keeps its binary, and no partial file is ever visible.
cp "$work/$name/mlloop" "$prefix/bin/.mlloop.$$"
chmod 755 "$prefix/bin/.mlloop.$$"
mv -f "$prefix/bin/.mlloop.$$" "$prefix/bin/mlloop"
echo "$said in $prefix/bin"
case :${PATH:-}: in
*":$prefix/bin:"*) ;;
*) echo "add it to PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
