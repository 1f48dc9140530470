#!/bin/sh
# Installs the packages for tests in a browser: playwright-core and axe-core from npm, into target/browser. Chromium and node
# come from the system (apt-get install chromium nodejs npm). Prints the folder.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
into=${CARGO_TARGET_DIR:-$here/target}/browser
for program in node npm; do
  command -v "$program" > /dev/null || { echo "$program is missing: install it first" >&2; exit 3; }
done
chromium=${MLLOOP_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$chromium" ] || { echo "chromium is missing: install it, or set its path in MLLOOP_CHROMIUM" >&2; exit 3; }
mkdir -p "$into"
if [ ! -d "$into/node_modules/playwright-core" ] || [ ! -d "$into/node_modules/axe-core" ]; then
  npm install --prefix "$into" --no-audit --no-fund --no-save playwright-core@1 axe-core@4 >&2
fi
echo "$into"
