# Simulated answers: of 300 customers that a hash picks, the outcome that truth.csv kept aside, as data/labels.csv.
BEGIN { FS = OFS = ","; print "id,label,annotator,labelled_at,source,batch,select_prob,model_version" }
function hash(text,    i, h) {
    for (i = 1; i <= length(text); i++) h = (h * 37 + index("0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ", substr(text, i, 1))) % 99991
    return h
}
NR > 1 && hash($1) % 7 == 0 && n < 300 { n++; print $1, $2, "ann", "2026-11-20T09:00:00Z", "human", "", "", "" }
