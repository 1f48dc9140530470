#!/usr/bin/env bash
# Packs a built binary for a release: MLLOOP-VERSION-TARGET.tar.gz with man pages, completions, licence and README,
# and its SHA-256 beside it. Usage:
#
#   package.sh BINARY TARGET DIRECTORY
#
# The same binary gives the same bytes. SHARE=DIR also leaves man pages and completions in DIR (for cargo-deb).
# HOST_BINARY generates them if BINARY is for another machine.
set -euo pipefail

if [ $# -ne 3 ]; then
    echo "usage: package.sh BINARY TARGET DIRECTORY" >&2
    exit 2
fi
binary=$(realpath "$1") target=$2
mkdir -p "$3"
to=$(realpath "$3")
root=$(realpath "$(dirname "$0")/..")
host=${HOST_BINARY:-$binary}
version=$("$host" --version | cut -d' ' -f2)
name=mlloop-$version-$target

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
share=$work/$name/share
mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
install -m755 "$binary" "$work/$name/mlloop"
install -m644 "$root"/{LICENSE,README.md,CHANGELOG.md} "$work/$name/"
"$host" man --to "$share/man/man1"
"$host" completions bash -o "$share/bash-completion/completions/mlloop"
"$host" completions zsh -o "$share/zsh/site-functions/_mlloop"
"$host" completions fish -o "$share/fish/vendor_completions.d/mlloop.fish"
find "$work/$name" -type f -name '*.1' -exec chmod 644 {} +
chmod -R u=rwX,go=rX "$work/$name"
if [ -n "${SHARE:-}" ]; then
    mkdir -p "$SHARE"
    cp -r "$share/." "$SHARE/"
fi

# Sorted names, one owner, one time: the archive depends only on its files. Python's tarfile does this on every system.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)} \
    python3 - "$work" "$name" "$to/$name.tar.gz" <<'PYTHON'
import gzip, os, sys, tarfile

work, name, archive = sys.argv[1:]
when = int(os.environ["SOURCE_DATE_EPOCH"])

def plain(member):
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mtime = when
    return member

def paths(top):
    yield top
    if os.path.isdir(os.path.join(work, top)):
        for entry in sorted(os.listdir(os.path.join(work, top))):
            yield from paths(os.path.join(top, entry))

with open(archive, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=when) as packed:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in paths(name):
            tar.add(os.path.join(work, path), path, recursive=False, filter=plain)
PYTHON
cd "$to"
if command -v sha256sum >/dev/null; then sha256sum "$name.tar.gz"; else shasum -a 256 "$name.tar.gz"; fi >"$name.tar.gz.sha256"
echo "$to/$name.tar.gz"
