"""Streams of weekly tables with a known change, and the result of each tool for every week.

usage: streams.py make DIR SEEDS KIND,…  writes DIR/SEED/KIND/ref.csv and DIR/SEED/KIND/wNN.csv
       streams.py evidently|nannyml|alibi DIR      prints {"tool": {"SEED/KIND": [alarm per week, …]}} as JSON
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

WEEKS, ONSET, ROWS, REFERENCE = 26, 13, 500, 4000
NUMBERS = [f"n{i}" for i in range(8)]
LEVELS = {"c0": 3, "c1": 6, "c2": 25}
WEIGHTS = np.array([1.0, -0.8, 0.6, 0.5, 0.0, 0.0, 0.3, 0.0])
# Kinds without a relevant change come first.
STABLE = ["stable", "clustered", "seasonal"]
DRIFTING = ["sudden", "gradual", "recurring", "one column", "many", "new level", "missing", "label shift", "concept only"]


def rows(rng, n, kind=None, strength=0.0, clustered=False):
    """`n` rows; a change of a kind at a strength from 0 to 1."""
    x = rng.normal(size=(n, 8))
    x[:, 5] = 0.8 * x[:, 4] + 0.6 * x[:, 5]
    levels = {name: rng.zipf(1.6, size=n) % k for name, k in LEVELS.items()}
    shift = {"sudden": [0.5] * 8, "gradual": [0.6] * 4 + [0] * 4, "recurring": [0.5] * 8, "one column": [1.0] + [0] * 7}
    if kind in shift:
        x = x + strength * np.array(shift[kind])
    if kind == "many":
        x = x + strength * np.array([0.25] * 6 + [0, 0])
    if clustered:
        # Ten rows of one customer look alike.
        who = np.repeat(np.arange((n + 9) // 10), 10)[:n]
        x[:, :3] = x[who * 10 % n, :3] + 0.1 * rng.normal(size=(n, 3))
        levels["c1"] = levels["c1"][who * 10 % n]
    weights = WEIGHTS * (-1 if kind == "concept only" and strength > 0 else 1)
    logit = x @ weights - 1.0 + 0.4 * (levels["c0"] == 1)
    y = rng.random(n) < 1 / (1 + np.exp(-logit))
    if kind == "label shift" and strength > 0:
        # Half of the rows of the frequent class are missing; the distribution within each class does not change.
        keep = y | (rng.random(n) < 0.5)
        again = rng.choice(np.flatnonzero(keep), size=n)
        x, y = x[again], y[again]
        levels = {name: column[again] for name, column in levels.items()}
    table = pd.DataFrame(x, columns=NUMBERS)
    table["n6"] = np.exp(table["n6"])
    for name, column in levels.items():
        table[name] = np.char.add("l", column.astype(str))
    if kind == "new level":
        table.loc[rng.random(n) < 0.08 * strength, "c1"] = "brand_new"
    gone = 0.05 + (0.15 * strength if kind == "missing" else 0.0)
    table.loc[rng.random(n) < gone, "n1"] = np.nan
    if clustered:
        # No customer occurs in two weeks.
        table["customer"] = np.char.add(f"k{rng.integers(10**9)}-", who.astype(str))
    table["y"] = np.where(y, "yes", "no")
    return table


def strength(kind, week):
    if kind in STABLE or week < ONSET:
        return 0.0
    since = week - ONSET
    if kind == "gradual":
        return (since + 1) / (WEEKS - ONSET)
    if kind == "recurring":
        return 1.0 if since // 3 % 2 == 0 else 0.0
    return 1.0


def table(rng, kind, week, n):
    if kind != "seasonal":
        return rows(rng, n, kind, strength(kind, week), clustered=kind == "clustered")
    # One batch per day, in order: weekends have other customers.
    return weekday(rows(rng, n), week % 7)


def weekday(table, day):
    if day >= 5:
        table[NUMBERS[:4]] += 0.4
    return table


def make(folder, seeds, kinds):
    for seed in range(seeds):
        rng = np.random.default_rng(1000 + seed)
        base = folder / str(seed)
        for kind in kinds:
            (base / kind).mkdir(parents=True, exist_ok=True)
            if kind == "seasonal":
                reference = pd.concat([weekday(rows(rng, REFERENCE // 7), day) for day in range(7)])
            else:
                reference = rows(rng, REFERENCE, clustered=kind == "clustered")
            for name, part in [("ref", reference)] + [(f"w{w:02}", table(rng, kind, w, ROWS)) for w in range(WEEKS)]:
                part = part.reset_index(drop=True)
                part.insert(0, "id", [f"{name}-{i}" for i in range(len(part))])
                part.to_csv(base / kind / f"{name}.csv", index=False, float_format="%.5g")


def streams(folder):
    for path in sorted(folder.glob("*/*/ref.csv")):
        # No tool compares keys.
        read = lambda path: pd.read_csv(path).drop(columns=["id", "customer"], errors="ignore")
        reference = read(path)
        weeks = (read(path.parent / f"w{w:02}.csv") for w in range(WEEKS))
        yield f"{path.parent.parent.name}/{path.parent.name}", reference, weeks


def evidently(folder):
    from evidently import Report
    from evidently.presets import DataDriftPreset

    found = {}
    for name, reference, weeks in streams(folder):
        alarms = []
        for week in weeks:
            snapshot = Report([DataDriftPreset()]).run(week.drop(columns="y"), reference.drop(columns="y"))
            values = [m["value"] for m in snapshot.dict()["metrics"] if "DriftedColumnsCount" in json.dumps(m)]
            alarms.append(values[0]["share"] >= 0.5)
        found[name] = alarms
    return {"Evidently DataDriftPreset": found}


def nannyml(folder):
    import nannyml as nml
    from sklearn.ensemble import HistGradientBoostingClassifier

    univariate, estimated, realised = {}, {}, {}
    for name, reference, weeks in streams(folder):
        features = NUMBERS + list(LEVELS)
        coded = lambda part: part[features].assign(**{c: part[c].str[1:].map(hash).mod(997) for c in LEVELS})
        half = len(reference) // 2
        model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
        model.fit(coded(reference[:half]), reference["y"][:half])

        def scored(part):
            p = model.predict_proba(coded(part))[:, 1]
            return part.assign(p=p, predicted=(p >= 0.5).astype(int), y=(part["y"] == "yes").astype(int))

        known = scored(reference[half:])
        after = scored(pd.concat(list(weeks), ignore_index=True))
        one = nml.UnivariateDriftCalculator(
            column_names=features, chunk_size=ROWS, treat_as_categorical=list(LEVELS)
        ).fit(known)
        drift = one.calculate(after).filter(period="analysis").to_df()
        flags = drift.loc[:, [c for c in drift.columns if c[-1] == "alert"]]
        univariate[name] = flags.any(axis=1).tolist()
        common = dict(y_pred_proba="p", y_pred="predicted", y_true="y", metrics=["roc_auc"],
                      chunk_size=ROWS, problem_type="classification_binary")
        for kind, alarms in [(nml.CBPE, estimated), (nml.PerformanceCalculator, realised)]:
            fitted = kind(**common).fit(known)
            result = fitted.estimate(after) if kind is nml.CBPE else fitted.calculate(after)
            alarms[name] = result.filter(period="analysis").to_df()[("roc_auc", "alert")].tolist()
    return {"NannyML univariate, any column": univariate, "NannyML CBPE": estimated, "NannyML with labels": realised}


def alibi(folder):
    from alibi_detect.cd import TabularDrift

    found = {}
    for name, reference, weeks in streams(folder):
        features = NUMBERS + list(LEVELS)
        alarms = []
        for week in weeks:
            # It refuses unknown levels, and levels that do not occur: each week gets its own list.
            both = pd.concat([reference, week])
            levels = {c: {v: i for i, v in enumerate(sorted(both[c].unique()))} for c in LEVELS}
            # It does not support missing values.
            middle = reference[NUMBERS].median()
            matrix = lambda part: part[features].assign(**{c: part[c].map(levels[c]) for c in LEVELS}).fillna(middle)
            categories = {features.index(c): list(range(len(levels[c]))) for c in LEVELS}
            detector = TabularDrift(matrix(reference).to_numpy(float), p_val=0.05, categories_per_feature=categories)
            alarms.append(bool(detector.predict(matrix(week).to_numpy(float))["data"]["is_drift"]))
        found[name] = alarms
    return {"alibi-detect TabularDrift": found}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    folder = Path(sys.argv[2])
    if sys.argv[1] == "make":
        make(folder, int(sys.argv[3]), sys.argv[4].split(","))
    else:
        answer = {"evidently": evidently, "nannyml": nannyml, "alibi": alibi}[sys.argv[1]](folder)
        plain = {tool: {name: [bool(a) for a in alarms] for name, alarms in by.items()} for tool, by in answer.items()}
        sys.stdout.write("\n" + json.dumps(plain) + "\n")
