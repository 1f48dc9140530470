# Made-up customers of a telecom as CSV; which of four plans suits one follows from spend, data, calls and device.
#   awk -v seed=7 -v n=3000 -v first=1 -v drift=0 -f plans.awk        drift: from 0 to 1, how far data usage has grown

function u() { state = (state * 16807) % 2147483647; return state / 2147483647 }
function normal(  k, sum) { sum = 0; for (k = 0; k < 12; k++) sum += u(); return sum - 6 }
function pick(list,  parts, k) { k = split(list, parts, " "); return parts[1 + int(u() * k)] }

BEGIN {
    state = seed * 7919 + 12345; for (i = 0; i < 10; i++) u()
    print "customer,spend,data_gb,voice_min,sms,plan_type,device,months,roaming,plan"
    for (i = first; i < first + n; i++) {
        type = pick("prepaid prepaid postpaid postpaid hybrid"); device = pick("Apple Samsung Samsung Xiaomi Google other")
        data = exp(1.6 + 0.7 * normal()) * (1 + drift); voice = exp(4.5 + 0.6 * normal()); months = 1 + int(u() * 72)
        spend = 8 + 0.9 * data + 0.04 * voice + (type == "postpaid" ? 9 : 0) + (device == "Apple" ? 6 : 0) + 3 * normal()
        if (u() < 0.02) spend *= 8
        spend = spend < 2 ? 2 : spend
        roaming = u() < 0.15 ? "yes" : "no"
        score = 0.35 * log(data) + 0.02 * spend + (roaming == "yes" ? 0.4 : 0) + (type == "postpaid" ? 0.3 : 0) + 0.12 * normal()
        family = voice > 160 && type != "prepaid" && u() < 0.75
        plan = family ? "family" : score > 1.6 ? "premium" : score > 1.05 ? "plus" : "basic"
        printf "C%06d,%.2f,%s,%.0f,%d,%s,%s,%d,%s,%s\n", i, spend, u() < 0.03 ? "" : sprintf("%.2f", data), voice, u() * 60, type, device, months, roaming, plan
    }
}
