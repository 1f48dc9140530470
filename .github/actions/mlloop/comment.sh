#!/usr/bin/env bash
# Writes the state of the loop to one comment on the pull request; its first line identifies it, and it is updated in place.
# A token without write permission, as on a pull request from a fork, is not a failure: the job's summary has the same text.
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
fi || echo "::notice title=mlloop::cannot write the comment; the job's summary has the same text"
