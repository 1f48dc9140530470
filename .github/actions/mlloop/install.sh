#!/usr/bin/env bash
# Puts mlloop on the PATH of the following steps: from an address, from PATH, built from a repository, or from the
# release that the file `release` beside this script names. The SHA-256 of every download is checked.
set -euo pipefail

# Fetches a binary or a release's archive, and leaves the binary in $bin.
fetch() {
    local url=$1 sha256=$2 file=$RUNNER_TEMP/mlloop-fetched
    bin=$RUNNER_TEMP/mlloop-bin
    mkdir -p "$bin"
    curl --fail --silent --show-error --location --retry 3 --output "$file" "$url"
    echo "$sha256  $file" | sha256sum --check --quiet
    case $url in
    *.tar.gz) tar -xzf "$file" -C "$bin" --strip-components 1 ;;
    *) mv "$file" "$bin/mlloop" ;;
    esac
    chmod +x "$bin/mlloop"
}

release=$(awk -v target="$(uname -m)-unknown-linux-musl" '$1 == target' "$(dirname "$0")/release")
if [ -n "${MLLOOP_URL:-}" ]; then
    fetch "$MLLOOP_URL" "${MLLOOP_SHA256:?sha256 is needed with url}"
elif command -v mlloop >/dev/null; then
    bin=$(dirname "$(command -v mlloop)")
elif [ -n "${MLLOOP_GIT:-}" ]; then
    : "${MLLOOP_REV:?rev is needed with git}"
    cargo install --locked --git "$MLLOOP_GIT" --rev "$MLLOOP_REV" --root "$RUNNER_TEMP/mlloop" mlloop
    bin=$RUNNER_TEMP/mlloop/bin
elif [ -n "$release" ]; then
    read -r _ sha256 url <<<"$release"
    fetch "$url" "$sha256"
else
    echo "::error::no mlloop on PATH and no release for $(uname -m): give url and sha256, or git and rev"
    exit 1
fi
echo "$bin" >>"$GITHUB_PATH"
"$bin/mlloop" --version
