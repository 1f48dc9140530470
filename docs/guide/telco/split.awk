# Splits telco.csv by a hash of the customer: seven in ten are the past (data/reference.csv), the others arrive later
# (data/current.csv, without the outcome; truth.csv keeps it aside). In the past nobody had a monthly contract.
BEGIN { FS = OFS = "," }
function hash(text,    i, h) {
    for (i = 1; i <= length(text); i++) h = (h * 31 + index("0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ", substr(text, i, 1))) % 99991
    return h
}
{ sub(/\r$/, "") }
NR == 1 { print > "data/reference.csv"; print > "data/current.csv"; print "id", "answer" > "truth.csv"; next }
hash($1) % 10 < 7 { if ($16 != "Month-to-month") print > "data/reference.csv"; next }
{ print $1, $NF > "truth.csv"; $NF = ""; print > "data/current.csv" }
