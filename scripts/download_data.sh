#!/usr/bin/env bash
# Downloads one of three public tables from Kaggle and splits it into reference and current.
#
#   download_data.sh telco|fraud|paysim [LOOP_DIR]
#
#   telco    blastchar/telco-customer-churn: 7 043 customers, target Churn. It has no time column, so a hash of the
#            customer's id splits it; every customer is on one side.
#   fraud    mlg-ulb/creditcardfraud: 284 807 card payments of two days, 492 of them fraud, target Class. Time is in
#            seconds since the first payment: the earliest 70 % are the reference, the rest is current.
#   paysim   ealaxi/paysim1: 6 362 620 simulated mobile payments of 30 days, target isFraud; step is the hour. The earliest
#            80 % are the reference. isFlaggedFraud is another system's prediction and is ignored.
#
# Kaggle needs a token for some of them: https://www.kaggle.com/settings/api, then export KAGGLE_API_TOKEN=…
# MLLOOP is the binary (default: mlloop on PATH). Exit status: 0 the table exists, also if nothing is new; 2 error.
set -euo pipefail

mlloop=${MLLOOP:-mlloop}
dir=${2:-.}

case ${1:-} in
telco) source=kaggle:blastchar/telco-customer-churn; split=(hash --by customerID); init=(--target Churn) ;;
fraud) source=kaggle:mlg-ulb/creditcardfraud; split=(time --by Time); init=(--target Class --positive 1) ;;
paysim)
    source=kaggle:ealaxi/paysim1
    split=(time --by step --reference 0.8)
    init=(--target isFraud --positive 1 --ignore isFlaggedFraud)
    ;;
*)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

mkdir -p "$dir"
status=0
"$mlloop" -C "$dir" download "$source" --split "${split[@]}" --text || status=$?
[ "$status" -le 1 ] || exit "$status"
if [ ! -e "$dir/mlloop.toml" ]; then
    "$mlloop" -C "$dir" init "$dir/data/reference.csv" --text "${init[@]}"
fi
echo "next: $mlloop -C $dir train"
