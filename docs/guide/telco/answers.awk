# Simulated answers: fills in the batch that label-export wrote from the outcome that truth.csv kept aside.
# The target stands third from the end, before annotator and note.
BEGIN { FS = OFS = "," }
NR == FNR { truth[$1] = $2; next }
FNR > 1 { $(NF - 2) = truth[$1]; $(NF - 1) = "ann" }
{ print }
