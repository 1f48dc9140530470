#!/usr/bin/env bash
# Runs one round of the loop; writes the result to the job's summary and to the outputs of the step.
# The results no (1), cannot tell (3) and waiting for approval (4) are not failures; only an error (2) is.
set -uo pipefail

dir=${LOOP_DIRECTORY:-.}
report=$RUNNER_TEMP/mlloop-report.md
current=()
[ -n "${LOOP_CURRENT:-}" ] && current=("$LOOP_CURRENT")

fail() {
    echo "::error title=mlloop::$1"
    exit 1
}

# On the first run there is no version: train one.
mlloop -C "$dir" status -q
case $? in
0) ;;
1) mlloop -C "$dir" train --text || fail "the first version could not be trained" ;;
*) fail "$dir is no loop that can be read" ;;
esac

mlloop -C "$dir" monitor "${current[@]}" --text
status=$?
if [ "$status" -eq 0 ] && [ "${LOOP_RETRAIN:-false}" = true ]; then
    mlloop -C "$dir" run "${current[@]}" --text
    status=$?
fi
case $status in
0 | 1 | 3 | 4) ;;
*) fail "mlloop ended with status $status; the log says why" ;;
esac

mlloop -C "$dir" report -o "$report" || fail "the report could not be made"
cat "$report" >>"$GITHUB_STEP_SUMMARY"
json=$(mlloop -C "$dir" report --format json) || fail "the report could not be made"
role() { jq -r --arg role "$1" '[.versions[] | select(.role == $role) | .version][0] // ""' <<<"$json"; }
{
    echo "status=$status"
    echo "answer=$(jq -r '.retrain // ""' <<<"$json")"
    echo "severity=$(jq -r '.severity // ""' <<<"$json")"
    echo "production=$(role production)"
    echo "challenger=$(role challenger)"
    echo "report=$report"
} >>"$GITHUB_OUTPUT"
