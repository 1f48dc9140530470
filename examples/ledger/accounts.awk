# Made-up general-ledger accounts as CSV, with planted anomalies. The same seed gives the same bytes with any awk.
#   awk -v seed=7 -v n=3000 -v first=1 -v drift=0 -v truth=1 -f accounts.awk
# drift: from 0 to 1, how far balances have grown and how many more accounts are changed late.
# truth: 1 fills in the targets and the findings of people (flags, open_items); 0 leaves them empty: unreviewed rows.

function u() { state = (state * 16807) % 2147483647; return state / 2147483647 }
function normal(  k, sum) { sum = 0; for (k = 0; k < 12; k++) sum += u(); return sum - 6 }
function clip(x, low, high) { return x < low ? low : x > high ? high : x }
function pick(list,  parts, k) { k = split(list, parts, " "); return parts[1 + int(u() * k)] }

# The date that many days after 1970-01-01.
function date(days,  z, era, doe, yoe, doy, mp, d, m, y) {
    z = days + 719468; era = int(z / 146097); doe = z - era * 146097
    yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
    doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100)); mp = int((5 * doy + 2) / 153)
    d = doy - int((153 * mp + 2) / 5) + 1; m = mp < 10 ? mp + 3 : mp - 9
    y = yoe + era * 400 + (m <= 2 ? 1 : 0)
    return sprintf("%04d-%02d-%02d", y, m, d)
}

BEGIN {
    state = seed * 7919 + 12345; for (i = 0; i < 10; i++) u()
    print "id,period,entity,account_code,account_type,category,status,balance,criticality,reviewers,modifications," \
          "created_at,modified_at,period_end,review_date,description,notes,flags,open_items," \
          "anomaly_score,priority,needs_attention,review_days"
    size["asset"] = 120000; size["liability"] = 80000; size["equity"] = 500000; size["revenue"] = 60000; size["expense"] = 25000
    code["asset"] = 1; code["liability"] = 2; code["equity"] = 3; code["revenue"] = 4; code["expense"] = 6
    split("20361 20392 20422 20453 20484 20512 20543 20573 20604 20634 20665 20696", ends, " ")   # 2025-09-30 to 2026-08-31
    for (i = first; i < first + n; i++) row(i)
}

function row(i,  end, type, balance, odd, bare, late, alone, level, words, notes, mods, reviewers, lag, anomaly, priority, open, flags, days) {
    end = ends[1 + int(u() * 12)]
    type = pick("asset asset liability equity revenue expense expense")
    odd = u() < 0.06; bare = u() < 0.08; late = u() < 0.10 + 0.15 * drift; alone = u() < 0.07
    level = u(); level = level < 0.40 ? 0 : level < 0.75 ? 1 : level < 0.93 ? 2 : 3
    balance = u() < 0.04 ? 0 : size[type] * exp(0.8 * normal()) * (1 + 0.8 * drift)
    if (odd) balance *= 12
    if (type == "liability" || type == "revenue") balance = -balance
    mods = int(u() * 4) + (late ? 6 + int(u() * 8) : 0)
    lag = int(u() * 12) + (late ? 20 + int(u() * 40) : 0)
    reviewers = alone ? 0 : 1 + int(u() * 3)
    words = bare ? "" : pick("Accrual Rent Payroll Transfer Manual Interest Tax") " " pick("booking correction payment entry")
    notes = u() < 0.3 ? pick("checked seen") " " pick("monthly yearly twice") : ""
    anomaly = clip(0.05 + 0.45 * odd + 0.15 * bare + 0.25 * late + 0.15 * alone + 0.04 * normal(), 0, 1)
    priority = clip(10 * (0.45 * anomaly + 0.40 * level / 3 + 0.15 * (balance > 300000 || balance < -300000)) + 0.4 * normal(), 0, 10)
    open = int(4 * anomaly + 0.5 * level + u() * 1.5)
    flags = late && u() < 0.7 ? "late" : ""
    if (u() < 0.5 * anomaly) flags = flags (flags == "" ? "" : ";") "disputed"
    days = 1 + 6 * anomaly + 2 * level + u() * 2
    printf "GL%06d,%s,%s,%d,%s,%s,%s,%.2f,%s,%d,%d,%s,%s,%s,%s,%s,%s,", i, substr(date(end), 1, 7), pick("AT01 DE01 DE02 FR01"), \
        code[type] * 1000 + int(u() * 400), type, pick("trade tax payroll interco other"), pick("open reconciled pending closed"), balance, \
        level == 3 ? "critical" : level == 2 ? "high" : level == 1 ? "medium" : "low", reviewers, mods, \
        date(end - 400 - int(u() * 2600)), date(end + lag), date(end), date(end + 90), words, notes
    if (truth) printf "%s,%d,%.4f,%.3f,,%.1f\n", flags, open, anomaly, priority, days
    else printf ",,,,,\n"
}
