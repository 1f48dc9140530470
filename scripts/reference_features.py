#!/usr/bin/env python3
"""The results of pandas for every function of derived features, on missing cells, extremes and several time zones.

    python scripts/reference_features.py > fixtures/reference/derived.json

Needs pandas. src/features/derive/tests.rs compares each expression, in a table and row by row. Results that are not finite are
missing (null), as in docs/features.md; times are compared in UTC, or in the local time of the named zone.
"""

import json
import numpy as np
import pandas as pd

nan = np.nan
numbers = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.14159, 1e-12, -1e-300, 1e300, -1e300, 1e15 + 0.5, 123456.789, nan, 7.0, 100.0, -7.0, 0.3]
others = [1.0, 0.0, 3.0, -3.0, nan, 2.0, 0.1, 1e-10, -0.3, 5.0, 1e300, 1e300, 2.0, 3.0, 1e-3, 2.0, -2.0, 0.0, 3.0, nan]
texts = ["Gold", "gold card", "", "SILVER", "é", "Straße 12", "x", "a,b", "12.5", "1e3", "Gold", "", "silver", "Platin", "gold", "Gold", "--", "0", "SILVER", "end"]
times = [
    "2024-02-29T23:30:00Z", "2024-02-29T23:30:00+05:30", "2024-03-31T01:30:00Z", "2024-10-27T00:30:00Z", "1969-12-31T23:59:59Z",
    "", "2000-01-01T00:00:00-11:00", "2023-12-31T23:00:00-05:00", "1900-02-28T12:00:00Z", "2100-02-28T12:00:00Z",
    "2024-12-31T12:00:00Z", "2024-06-30T22:15:10Z", "", "2025-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
    "2024-01-31T08:00:00+14:00", "2024-04-30T00:00:00Z", "2023-02-28T23:59:59Z", "2024-07-01T12:34:56Z", "2030-09-09T09:09:09Z",
]
frame = pd.DataFrame({"a": numbers, "b": others, "t": pd.Series(texts).replace("", None)})
frame["at"] = pd.to_datetime(pd.Series(times).replace("", None), utc=True, format="ISO8601")
a, b, t, at = frame["a"], frame["b"], frame["t"], frame["at"]
nullable_a, nullable_b = a.astype("Float64"), b.astype("Float64")
# Float64 distinguishes NaN from a missing value; here both are missing.
nullable_a[a.isna()] = pd.NA
nullable_b[b.isna()] = pd.NA
positive, small = nullable_a > 0, nullable_b < 1
local = lambda zone: at.dt.tz_convert(zone).dt
month_end = lambda parts: parts.is_month_end.astype("Float64").where(at.notna())
# pandas treats a missing text as an empty one.
known = lambda found: found.astype("Float64").where(t.notna())
by = frame.groupby("t")

with np.errstate(all="ignore"):
    cases = {
        "a + b": a + b,
        "a - b": a - b,
        "a * b": a * b,
        "a / b": a / b,
        "a % b": a % b,
        "-a": -a,
        "abs(a)": a.abs(),
        "sqrt(a)": np.sqrt(a),
        "exp(a)": np.exp(a),
        "ln(a)": np.log(a),
        "log1p(a)": np.log1p(a),
        "floor(a)": np.floor(a),
        "ceil(a)": np.ceil(a),
        "round(a)": a.round(),
        "round(a, 2)": a.round(2),
        "round(a, -2)": a.round(-2),
        "clip(a, -1, 2.5)": a.clip(-1, 2.5),
        "min(a, b)": frame[["a", "b"]].min(axis=1),
        "max(a, b)": frame[["a", "b"]].max(axis=1),
        "coalesce(a, b)": a.fillna(b),
        "is_missing(a)": a.isna(),
        "a == b": nullable_a == nullable_b,
        "a != b": nullable_a != nullable_b,
        "a < b": nullable_a < nullable_b,
        "a <= b": nullable_a <= nullable_b,
        "a > b": nullable_a > nullable_b,
        "a >= b": nullable_a >= nullable_b,
        "a > 0 and b < 1": positive & small,
        "a > 0 or b < 1": positive | small,
        "not a > 0": ~positive,
        "a in (1, 7, -2.5)": a.isin([1, 7, -2.5]).astype("Float64").where(a.notna()),
        "if(a > 0, a, b)": a.where((positive).fillna(False).astype(bool), b),
        "case when a > 1 then 1 when a > 0 then 2 end": pd.Series(np.select([a > 1, a > 0], [1.0, 2.0], nan)),
        "length(t)": t.str.len(),
        "lower(t)": t.str.lower(),
        "upper(t)": t.str.upper(),
        "contains(t, 'old')": known(t.str.contains("old", regex=False)),
        "starts_with(t, 'Gold')": known(t.str.startswith("Gold")),
        "ends_with(t, 'ER')": known(t.str.endswith("ER")),
        "matches(t, '[0-9]+')": known(t.str.contains("[0-9]+", regex=True)),
        "number(t)": pd.to_numeric(t, errors="coerce"),
        "t == 'Gold'": (t == "Gold").astype("Float64").where(t.notna()),
        "t in ('Gold', 'x')": t.isin(["Gold", "x"]).astype("Float64").where(t.notna()),
        "coalesce(t, 'none')": t.fillna("none"),
        "year(at)": at.dt.year,
        "quarter(at)": at.dt.quarter,
        "month(at)": at.dt.month,
        "day(at)": at.dt.day,
        "day_of_year(at)": at.dt.day_of_year,
        "weekday(at)": at.dt.day_of_week + 1,
        "hour(at)": at.dt.hour,
        "minute(at)": at.dt.minute,
        "is_month_end(at)": month_end(at.dt),
        "is_month_start(at)": at.dt.is_month_start.astype("Float64").where(at.notna()),
        "hour(at, 'Europe/Berlin')": local("Europe/Berlin").hour,
        "day(at, 'Asia/Kolkata')": local("Asia/Kolkata").day,
        "weekday(at, 'America/New_York')": local("America/New_York").day_of_week + 1,
        "is_month_end(at, 'Australia/Sydney')": month_end(local("Australia/Sydney")),
        "days_between(at, date('2024-03-01'))": (pd.Timestamp("2024-03-01", tz="UTC") - at) / pd.Timedelta(days=1),
        "at >= '2024-01-01'": (at >= pd.Timestamp("2024-01-01", tz="UTC")).astype("Float64").where(at.notna()),
        "count() by t": by["t"].transform("count"),
        "mean(b) by t": by["b"].transform("mean"),
        "sum(b) by t": by["b"].transform("sum"),
        "min(b) by t": by["b"].transform("min"),
        "max(b) by t": by["b"].transform("max"),
        "median(b) by t": by["b"].transform("median"),
        "std(b) by t": by["b"].transform("std"),
        "zscore(b) by t": (b - by["b"].transform("mean")) / by["b"].transform("std"),
    }


def cell(value):
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, str):
        return value
    value = float(value)
    return value if np.isfinite(value) else None


# Windows over a row's own past: [t - length, t) of the rows of its card. Cards a and b have distinct times, so that
# pandas' rolling gives the same results; c has rows with equal times, which do not see each other.
draw = np.random.default_rng(18)
n = 120
past = pd.DataFrame({
    "card": np.where(draw.random(n) < 0.06, "", draw.choice(["a", "b", "c"], n)),
    "shop": draw.choice(["x", "y"], n),
    "amount": np.where(draw.random(n) < 0.1, nan, np.round(draw.normal(50, 40, n), 2)),
})
minutes = draw.permutation(60 * 24 * 20)[:n]
minutes = np.where(past["card"] == "c", minutes // 720 * 720, minutes)
past["at"] = pd.to_datetime("2024-02-20T00:00:00Z") + pd.to_timedelta(minutes, unit="min")
past.loc[draw.random(n) < 0.05, "at"] = pd.NaT
past.loc[past.index[past["card"] == "c"][9], "amount"] = 1e15


def window(by, length, of, statistic):
    """Row by row, directly from the definition."""
    def value(row):
        if pd.isna(row["at"]) or any(row[key] == "" for key in by):
            return nan
        seen = past[(past["at"] < row["at"]) & (past["at"] >= row["at"] - pd.Timedelta(length))]
        for key in by:
            seen = seen[seen[key] == row[key]]
        if statistic == "count":
            return len(seen)
        if statistic == "zscore":
            return (row[of] - seen[of].mean()) / seen[of].std()
        return getattr(seen[of], statistic)()
    return past.apply(value, axis=1)


for card in ("a", "b"):
    of_card = past[(past["card"] == card) & past["at"].notna()].sort_values("at").set_index("at")["amount"]
    for statistic in ("sum", "mean", "min", "max", "median", "std"):
        rolled = getattr(of_card.rolling("7D", closed="left", min_periods=2 if statistic == "std" else 1), statistic)()
        ours = window(["card"], "7D", "amount", statistic)[past["card"] == card]
        ours.index = past.loc[ours.index, "at"]
        ours = ours[ours.index.notna()].sort_index()
        # An empty sum is 0 here.
        np.testing.assert_allclose(rolled.fillna(0), ours.fillna(0), rtol=1e-9, atol=1e-9)

windows = {
    f"{statistic}({'' if statistic == 'count' else 'amount'}) by {keys} over {length}": window(by, pandas_length, "amount", statistic)
    for statistic in ("count", "sum", "mean", "median", "min", "max", "std", "zscore")
    for keys, by in (("card", ["card"]), ("(card, shop)", ["card", "shop"]))
    for length, pandas_length in (("1d", "1D"), ("7d", "7D"), ("90m", "90min"))
}
past_table = {
    "card": list(past["card"]), "shop": list(past["shop"]), "amount": [None if pd.isna(v) else v for v in past["amount"]],
    "at": ["" if pd.isna(v) else v.strftime("%Y-%m-%dT%H:%M:%SZ") for v in past["at"]],
}


expected = [{"expression": name, "values": [cell(v) for v in values]} for name, values in cases.items()]
table = {"a": [cell(v) for v in numbers], "b": [cell(v) for v in others], "t": texts, "at": times}
of_windows = {
    "table": past_table,
    "cases": [{"expression": name, "values": [cell(v) for v in values]} for name, values in windows.items()],
}
print(json.dumps({"pandas": pd.__version__, "table": table, "cases": expected, "windows": of_windows}, ensure_ascii=False, separators=(",", ":")))
