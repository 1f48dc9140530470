#!/usr/bin/env bash
# Puts mlloop on the PATH of the steps that follow: as it is there, from an address, or built from a repository.
set -euo pipefail

if [ -n "${MLLOOP_URL:-}" ]; then
    : "${MLLOOP_SHA256:?sha256 is needed with url}"
    bin=$RUNNER_TEMP/mlloop-bin
    mkdir -p "$bin"
    curl --fail --silent --show-error --location --retry 3 --output "$bin/mlloop" "$MLLOOP_URL"
    echo "$MLLOOP_SHA256  $bin/mlloop" | sha256sum --check --quiet
    chmod +x "$bin/mlloop"
elif command -v mlloop >/dev/null; then
    bin=$(dirname "$(command -v mlloop)")
elif [ -n "${MLLOOP_GIT:-}" ]; then
    : "${MLLOOP_REV:?rev is needed with git}"
    cargo install --locked --git "$MLLOOP_GIT" --rev "$MLLOOP_REV" --root "$RUNNER_TEMP/mlloop" mlloop
    bin=$RUNNER_TEMP/mlloop/bin
else
    echo "::error::there is no mlloop on PATH: give url and sha256, or git and rev"
    exit 1
fi
echo "$bin" >>"$GITHUB_PATH"
"$bin/mlloop" --version
