#!/bin/sh
# Renders every page of the dashboard and every report, in light and dark, at 390 and 1280 pixels, into target/screenshots:
# check each picture. The loop is a demo with drift, a waiting request, an open batch, feedback and a rollout.
# usage: scripts/screenshots.sh [MLLOOP]
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
mlloop=${1:-$target/release/mlloop}
into=$target/screenshots
MLLOOP_BROWSER=$("$here/scripts/browser.sh")
export MLLOOP_BROWSER
work=$(mktemp -d)
trap 'kill "$server" 2> /dev/null || true; rm -rf "$work"' EXIT
server=0

"$mlloop" demo "$work/payments" > "$work/demo.log"
cd "$work/payments"
sed 's/^approval = "auto"/approval = "manual"/' mlloop.toml > new.toml
mv new.toml mlloop.toml
# 0 and 1 are results, 4 waits for approval; anything else is an error.
run() {
  status=0
  "$mlloop" "$@" > "$work/said" 2>&1 || status=$?
  case $status in 0 | 1 | 3 | 4) ;; *) cat "$work/said" >&2; exit 1 ;; esac
}
run rollback v0001 --by ann --reason "answers came too slowly"
run monitor data/current.csv
run monitor data/current.csv
tail -n +2 predictions.csv | head -40 | cut -d, -f1 > ids
head -30 ids | while read -r id; do run feedback "$id" correct --by lou; done
tail -n +31 ids | head -8 | while read -r id; do run feedback "$id" incorrect --by lou --actual 1; done
tail -n 2 ids | while read -r id; do run feedback "$id" uncertain --by lou; done
run train --seed 5
run promote --by carol --allow-equivalent "the same on the gate rows"
run ab-start --schedule gradual --planned-n 20000 --every 24h --name "v0004 step by step"
run ab-report
run label-export -n 60 --force --by ann

token=screenshots
MLLOOP_TOKEN=$token "$mlloop" serve --port 0 --no-log --json > "$work/serve.json" 2> "$work/serve.log" &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  BASE=$(sed -n 's/.*\(http:\/\/127[0-9.:]*\).*/\1/p' "$work/serve.json" | head -1)
  [ -z "$BASE" ] || break
  sleep 0.5
done
rm -rf "$into"
BASE=$BASE TOKEN=$token node "$here/scripts/browser/screenshots.mjs" "$into" reports/*.html
echo "$into"
