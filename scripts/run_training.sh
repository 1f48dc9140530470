#!/usr/bin/env bash
# From a table to a model in production: init (once), train, and a report.
#
#   run_training.sh TABLE [LOOP_DIR [options of `mlloop init`]]
#   run_training.sh data/customers.csv loops/churn --target churn
#
# MLLOOP is the binary (default: mlloop on PATH). Exit status: that of mlloop; 0 a version was stored.
set -euo pipefail

table=${1:?usage: run_training.sh TABLE [LOOP_DIR [options of mlloop init]]}
dir=${2:-.}
shift $(($# > 1 ? 2 : 1))
mlloop=${MLLOOP:-mlloop}

mkdir -p "$dir"
if [ ! -e "$dir/mlloop.toml" ]; then
    "$mlloop" -C "$dir" init "$table" --text "$@"
elif [ $# -gt 0 ]; then
    echo "run_training.sh: $dir/mlloop.toml exists: edit it, or remove it to start again" >&2
    exit 2
fi
"$mlloop" -C "$dir" train --text
"$mlloop" -C "$dir" report -o "$dir/training.md"
"$mlloop" -C "$dir" status --text
echo "report: $dir/training.md"
