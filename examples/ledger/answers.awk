# What reviewers say of predictions, as corrections for `mlloop feedback -`: id,verdict,actual,by,comment.
#   awk -F, -v target=priority -v near=1 -v most=120 -f answers.awk truth.csv predictions.csv
# near: a predicted number this close to the actual one is correct; 0 where classes are predicted.

FNR == 1 { file++; for (i = 1; i <= NF; i++) place[file, $i] = i; next }
file == 1 {
    actual[$1] = $place[1, target]
    if (target == "needs_attention") {
        flags = $place[1, "flags"]
        actual[$1] = flags ~ /late|disputed/ || $place[1, "open_items"] >= 4 ? "yes" : "no"
    }
    what[$1] = "account " $place[1, "account_code"] " " $place[1, "period"] " " $place[1, "entity"]
    next
}
said < most && ($1 in actual) {
    if (!said++) print "id,verdict,actual,by,comment"
    difference = $2 - actual[$1]
    right = near > 0 ? (difference < near && -difference < near) : $2 == actual[$1]
    print $1 "," (right ? "correct," : "incorrect," actual[$1]) ",ann," what[$1] ": predicted " $2 " actual " actual[$1]
}
