#!/usr/bin/env bash
# Says on the pull request where the loop stands, in one comment that is found by its first line and updated in place.
# A token that may not write, as on a pull request from a fork, is no failure: the summary of the job says the same.
set -uo pipefail

marker="<!-- mlloop: ${LOOP_DIRECTORY:-.} -->"
body=$RUNNER_TEMP/mlloop-comment.md
{
    echo "$marker"
    head -c 60000 "$LOOP_REPORT"
} >"$body"

comments=repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments
id=$(MARKER=$marker gh api --paginate "$comments" --jq '.[] | select(.body | startswith(env.MARKER)) | .id' | head -n 1)
if [ -n "$id" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" -F "body=@$body" --silent
else
    gh api --method POST "$comments" -F "body=@$body" --silent
fi || echo "::notice title=mlloop::the comment could not be written; the summary of the job says the same"
