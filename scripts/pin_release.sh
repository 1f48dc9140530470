#!/usr/bin/env bash
# Prints the contents of .github/actions/mlloop/release with which the action fetches this release by default. Usage:
#
#   pin_release.sh VERSION RELEASES SHA256SUMS
set -euo pipefail

if [ $# -ne 3 ]; then
    echo "usage: pin_release.sh VERSION RELEASES SHA256SUMS" >&2
    exit 2
fi
head -n 3 "$(dirname "$0")/../.github/actions/mlloop/release"
for machine in x86_64 aarch64; do
    target=$machine-unknown-linux-musl name=mlloop-$1-$machine-unknown-linux-musl.tar.gz
    digest=$(awk -v name="$name" '$2 == name { print $1 }' "$3")
    if [ "${#digest}" -ne 64 ]; then
        echo "pin_release.sh: no SHA-256 of $name in $3" >&2
        exit 2
    fi
    echo "$target $digest $2/v$1/$name"
done
