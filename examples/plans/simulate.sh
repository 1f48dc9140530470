#!/usr/bin/env bash
# Sends the rows of a table to a running server, with their true labels: {"rows": [{…}], "labels": […]}. Each request is
# predicted and logged, and its labels are taken in at once.
#   simulate.sh TABLE.csv TARGET [ADDRESS] [ROWS_PER_REQUEST]
# MLLOOP_TOKEN is sent when it is set. The table has plain cells: no quotation marks, no commas inside of them.
set -euo pipefail
table=$1 target=$2 address=${3:-http://localhost:8080} size=${4:-100}
bodies=$(mktemp -d)
trap 'rm -rf "$bodies"' EXIT
LC_ALL=C awk -F, -v target="$target" -v size="$size" -v dir="$bodies" '
    function text(cell) {
        if (cell == "") return "null"
        return cell ~ /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/ ? cell : "\"" cell "\""
    }
    function flush() {
        if (!n) return
        file = sprintf("%s/%06d.json", dir, ++files)
        printf "{\"rows\": [%s], \"labels\": [%s]}\n", rows, labels > file
        close(file); rows = labels = ""; n = 0
    }
    NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
    {
        row = ""
        for (i = 1; i <= NF; i++) if (name[i] != target) row = row (row == "" ? "" : ", ") "\"" name[i] "\": " text($i)
        for (i = 1; i <= NF; i++) if (name[i] == target) labels = labels (n ? ", " : "") text($i)
        rows = rows (n ? ", " : "") "{" row "}"
        if (++n == size) flush()
    }
    END { flush() }' "$table"
sent=0
for body in "$bodies"/*.json; do
    curl --fail-with-body --silent --show-error --output /dev/null --header 'Content-Type: application/json' \
        ${MLLOOP_TOKEN:+--header "Authorization: Bearer $MLLOOP_TOKEN"} --data-binary "@$body" "$address/predict"
    sent=$((sent + 1))
done
echo "$sent requests of up to $size rows were predicted and labelled"
