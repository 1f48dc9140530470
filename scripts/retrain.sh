#!/usr/bin/env bash
# One round of a loop, for cron or a systemd timer: fetch what is new, then monitor, retrain, promote.
#
#   retrain.sh [LOOP_DIR] [options of `mlloop run`]
#
# LOOP_DIR is the directory above that of this script unless it is named.
#
# Environment:
#   MLLOOP          the binary (default: the one that wrote this script, else mlloop on PATH)
#   MLLOOP_SOURCE   fetched into data/ first when set: kaggle:owner/set, https://…, or a path
#   MLLOOP_NOTIFY   a command that is given a message on its standard input, such as: mail -s "churn loop" ml@example.org
#
# Everything is logged to LOOP_DIR/runs/retrain-YYYY-MM.log. When rounds begin to fail, one message goes out, by
# MLLOOP_NOTIFY, or else to stderr, which cron mails to MAILTO; the next one says that it works again. What mlloop itself
# tells people ([notify] in mlloop.toml) is besides; this is for what keeps mlloop from running at all.
#
# Exit status: that of mlloop (0 another version is in production, 1 nothing to do, 2 error, 3 cannot tell, 4 waiting for a
# person); 1 also when the round before is still at work.
set -uo pipefail

case ${1:-} in
"" | -*) dir=$(dirname "$0")/.. ;;
*)
    dir=$1
    shift
    ;;
esac
mlloop=${MLLOOP:-/path/to/mlloop}
# In the repository, where no binary is named yet; one that was named and is gone is a failure.
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
    tell "retrain.sh: $dir is not there, or nothing can be written to it"
    exit 2
fi
dir=$PWD
log=runs/retrain-$(date +%Y-%m).log
failed=runs/.retrain-failed
say() { printf '%s %s\n' "$(date +%Y-%m-%dT%H:%M:%S%z)" "$1" >>"$log"; }

# One at a time: a round that takes longer than the schedule's step is not overtaken.
exec 9>runs/.retrain-lock
if ! flock -n 9; then
    say "the round before is still at work"
    exit 1
fi

status=0
if [ -n "${MLLOOP_SOURCE:-}" ]; then
    say "download $MLLOOP_SOURCE"
    "$mlloop" download "$MLLOOP_SOURCE" --force >>"$log" 2>&1
    status=$?
    # 1 says that nothing is new at the source; labels may be.
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
