#!/usr/bin/env bash
# Runs one round of a loop, for cron or a systemd timer: fetch new data, then monitor, retrain, promote.
#
#   retrain.sh [LOOP_DIR] [options of `mlloop run`]
#
# LOOP_DIR defaults to the parent directory of this script's directory.
#
# Environment:
#   MLLOOP          the binary (default: the binary that wrote this script, else mlloop on PATH)
#   MLLOOP_SOURCE   if set, fetched into data/ first: kaggle:owner/set, https://…, or a path
#   MLLOOP_NOTIFY   a command that gets messages on its standard input, such as: mail -s "churn loop" ml@example.org
#
# Everything is logged to LOOP_DIR/runs/retrain-YYYY-MM.log. The first failure sends one message, by MLLOOP_NOTIFY, or else
# to stderr, which cron mails to MAILTO; recovery sends another one. These messages also cover failures to start mlloop; the
# notifications of mlloop itself ([notify] in mlloop.toml) are separate.
#
# Exit status: that of mlloop (0 a new version is in production, 1 nothing to do, 2 error, 3 cannot tell, 4 waiting for
# approval); 1 also if the previous round is still running.
set -uo pipefail

case ${1:-} in
"" | -*) dir=$(dirname "$0")/.. ;;
*)
    dir=$1
    shift
    ;;
esac
mlloop=${MLLOOP:-/path/to/mlloop}
# In the repository no binary is set; a set binary that is missing is a failure.
[ -n "${MLLOOP:-}" ] || command -v "$mlloop" >/dev/null || mlloop=mlloop

tell() {
    if [ -n "${MLLOOP_NOTIFY:-}" ]; then
        printf '%s\n' "$1" | sh -c "$MLLOOP_NOTIFY" >>"$log" 2>&1 || printf '%s\n' "$1" >&2
    else
        printf '%s\n' "$1" >&2
    fi
}

log=/dev/null
if ! { cd "$dir" && mkdir -p runs; } 2>/dev/null; then
    tell "retrain.sh: $dir does not exist or is not writable"
    exit 2
fi
dir=$PWD
log=runs/retrain-$(date +%Y-%m).log
failed=runs/.retrain-failed
say() { printf '%s %s\n' "$(date +%Y-%m-%dT%H:%M:%S%z)" "$1" >>"$log"; }

# One round at a time: the next one does not start while this one runs.
exec 9>runs/.retrain-lock
if ! flock -n 9; then
    say "the previous round is still running"
    exit 1
fi

status=0
if [ -n "${MLLOOP_SOURCE:-}" ]; then
    say "download $MLLOOP_SOURCE"
    "$mlloop" download "$MLLOOP_SOURCE" --force >>"$log" 2>&1
    status=$?
    # Status 1: nothing new at the source; there may be new labels.
    [ "$status" -le 1 ] && status=0
fi
if [ "$status" -eq 0 ]; then
    say "run"
    "$mlloop" run --text "$@" >>"$log" 2>&1
    status=$?
fi
say "status $status"

case $status in
0 | 1 | 3 | 4)
    if [ -e "$failed" ]; then
        rm -f "$failed"
        tell "mlloop: the loop in $dir works again"
    fi
    ;;
*)
    if [ ! -e "$failed" ]; then
        date >"$failed"
        tell "mlloop: the loop in $dir fails (status $status); the last lines of $dir/$log:
$(tail -n 12 "$log")"
    fi
    ;;
esac
exit "$status"
