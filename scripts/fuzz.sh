#!/usr/bin/env bash
# Fuzzes every reader with coverage guidance (libFuzzer): scripts/fuzz.sh SECONDS [TARGET], SECONDS for each target.
# Prints executions, executions per second, code edges reached, and memory. The exit status is 1 if a fault was found;
# its input is kept in target/fuzz/finds, inputs that reached new code in target/fuzz/corpus. Needs a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?"usage: scripts/fuzz.sh SECONDS [TARGET]"} only=${2:-}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
work=$CARGO_TARGET_DIR/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
rm -rf "$work/seeds" "$work/loop" "$work/logs"
mkdir -p "$work/finds" "$work/logs"
MLLOOP_FUZZ_DIR=$work cargo test --quiet --test tests fuzz::seeds_are_written -- --ignored >&2

# The counters that libFuzzer reads: options of the stable compiler; no sanitizer is built in.
flags="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  flags+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS=$flags cargo build --locked --release --manifest-path fuzz/Cargo.toml --target "$host" >&2
program=$CARGO_TARGET_DIR/$host/release/fuzz

# Runs one target.
one() {
  local target=$1 loop
  loop=$(mktemp -d)
  cp -R "$work/loop/." "$loop"
  mkdir -p "$work/corpus/$target"
  MLLOOP_FUZZ=$target MLLOOP_FUZZ_DIR=$loop "$program" "$work/corpus/$target" "$work/seeds/$target" \
    -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=1024 -detect_leaks=0 -print_final_stats=1 \
    -seed="${MLLOOP_FUZZ_SEED:-0}" -artifact_prefix="$work/finds/$target-" > "$work/logs/$target" 2>&1 \
    || echo "FOUND" >> "$work/logs/$target"
  rm -rf "$loop"
}
export -f one
export work program seconds
[ -d "$work/seeds/${only:-csv}" ] || { echo "unknown target $only; the targets are: $(ls "$work/seeds" | xargs)" >&2; exit 2; }
find "$work/seeds" -mindepth 1 -maxdepth 1 -name "${only:-*}" -printf '%f\n' | sort \
  | xargs -P "$(getconf _NPROCESSORS_ONLN)" -I{} bash -c 'one {}'

printf '%-14s %12s %10s %8s %7s\n' target executions 'a second' edges MB
status=0
for log in "$work"/logs/*; do
  figure() { sed -n "s/^stat::$1: *//p" "$log" | tail -1; }
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
  printf '%-14s %12s %10s %8s %7s\n' "${log##*/}" "$(figure number_of_executed_units)" "$(figure average_exec_per_sec)" \
    "$edges" "$(figure peak_rss_mb)"
  if grep -q '^FOUND' "$log"; then status=1; grep -aE 'panicked|ERROR|Test unit written' "$log" | head -5 >&2; fi
done
exit $status
