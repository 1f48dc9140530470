#!/usr/bin/env python3
"""How well a rare class is learned with default settings, beside scikit-learn's forest and LightGBM.

usage: scripts/bench/rare.py MLLOOP DATA [TABLE…]

MLLOOP is the binary, DATA a folder with the public tables named below. Half of each table's rows are for training; only
some of their positives are kept, so that they are rare. All learners are evaluated on the same other half (ROC-AUC and
average precision; the mean over seeds). mlloop does not train on its gate rows; the peers train on every row. LightGBM has
min_sum_hessian_in_leaf = 1e-3, the forest 300 trees. Prints a Markdown table. Needs pandas, scikit-learn and lightgbm.
MLLOOP_MODEL may contain lines for the section [model] of mlloop.toml, to try parameters.
"""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

SEEDS = range(int(os.environ.get("SEEDS", "3")))
# title: file, target, separator, columns that are not features, (rows, positives) for training
REAL = {
    "telco": ("telco_ibm/Telco-Customer-Churn.csv", "Churn", ",", ["customerID"], [(2500, 5), (2500, 25)]),
    "credit": ("uci_credit_default/UCI_Credit_Card.csv", "default.payment.next.month", ",", ["ID"], [(10000, 20), (10000, 100), (10000, 500)]),
    "bank": ("bank_marketing/bank-full.csv", "y", ";", [], [(4000, 20), (18000, 18), (18000, 200)]),
    "elec": ("elec2/elec.csv", "class", ",", [], [(4000, 20), (13000, 65)]),
    "adult": ("adult/adult-train.csv", "c15", ",", [], [(2000, 20), (12000, 120)]),
    "fraud": ("ulb_creditcard_head/creditcard_head.csv", "Class", ",", [], [(3900, 12)]),
}
MADE = {"zero": (2000, 20), "shift": (5000, 10), "mix": (10000, 100), "tail": (30000, 54), "handbook": (20000, 160)}


def main():
    mlloop, data = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    print("| table | rows | positives | mlloop | forest | LightGBM |\n|---|---:|---:|---|---|---|", flush=True)
    total = np.zeros((3, 2))
    n = 0
    for title in sys.argv[3:] or [*REAL, *MADE]:
        for rows, positives in REAL[title][4] if title in REAL else [MADE[title]]:
            found = np.zeros((3, 2))
            for seed in SEEDS:
                (x, y), (test_x, test_y) = real(data, title, rows, positives, seed) if title in REAL else made(title, rows, positives, seed)
                scores = [ours(mlloop, x, y, test_x)] + [peer(kind, x, y, test_x) for kind in ("forest", "lightgbm")]
                found += np.array([[roc_auc_score(test_y, s), average_precision_score(test_y, s)] for s in scores])
            found /= len(SEEDS)
            total, n = total + found, n + 1
            print(f"| {title} | {rows} | {positives} | " + " | ".join(f"{a:.3f} {p:.3f}" for a, p in found) + " |", flush=True)
    print("| mean | | | " + " | ".join(f"{a:.4f} {p:.4f}" for a, p in total / n) + " |", flush=True)


def real(data, title, rows, positives, seed):
    file, target, separator, unused, _ = REAL[title]
    rng = np.random.default_rng(seed)
    header = None if title == "adult" else 0
    table = pd.read_csv(data / file, sep=separator, header=header, skipinitialspace=True)
    if header is None:
        table.columns = [f"c{i + 1}" for i in range(table.shape[1])]
    table = table.dropna(subset=[target]).sample(frac=1, random_state=seed)
    y = table[target].astype(str).str.strip(" .").isin(["Yes", "yes", ">50K", "1", "1.0", "UP"]).astype(int).to_numpy()
    x = table.drop(columns=[target, *unused])
    half = len(y) // 2
    negative, positive = np.flatnonzero(y[:half] == 0), np.flatnonzero(y[:half] == 1)
    keep = np.concatenate([negative[: rows - positives], positive[:positives]])
    rng.shuffle(keep)
    return (x.iloc[keep].reset_index(drop=True), y[keep]), (x.iloc[half:].reset_index(drop=True), y[half:])


def made(title, rows, positives, seed):
    rng = np.random.default_rng(seed)
    if title == "handbook":
        return handbook(rows, seed)
    n = 2 * rows
    y = np.zeros(n, dtype=int)
    for half in (0, rows):
        y[half + rng.choice(rows, positives, replace=False)] = 1
    x = pd.DataFrame({f"x{i}": rng.normal(size=n).round(3) for i in range(8)})
    if title == "zero":  # a column that is 0 exactly where there is none
        x["scenario"] = np.where(y == 1, rng.integers(1, 4, n), 0)
    elif title == "shift":  # two columns are moved
        x["x0"] += 2.0 * y
        x["x1"] -= 1.5 * y
    elif title == "mix":  # three kinds of positives
        kind = rng.integers(0, 3, n)
        for k in range(3):
            x[f"x{k}"] += 3.0 * ((y == 1) & (kind == k))
        x["c"] = np.array(["a", "b", "c", "d"])[np.where((y == 1) & (rng.random(n) < 0.6), 3, rng.integers(0, 4, n))]
    elif title == "tail":  # everything above the highest honest amount, and as many below
        x["amount"] = np.round(np.where(y == 1, 220 + rng.gamma(1, 40, n), rng.gamma(2, 25, n).clip(1, 219.9)), 2)
    order = rng.permutation(rows)
    return (x.iloc[order].reset_index(drop=True), y[order]), (x.iloc[rows:].reset_index(drop=True), y[rows:])


def handbook(rows, seed):
    """Transactions as in "Reproducible Machine Learning for Credit Card Fraud Detection": large amounts, terminals and
    customers that are taken over for some days; learned from the first days, judged on the days after a week."""
    rng = np.random.default_rng(seed)
    n, days = 2 * rows + rows // 4, 60
    customer, terminal = rng.integers(0, 500, n), rng.integers(0, 1000, n)
    day = np.sort(rng.integers(0, days, n))
    mean = rng.uniform(5, 100, 500)
    amount = np.abs(rng.normal(mean[customer], mean[customer] / 2))
    y = (amount > 220).astype(int)
    for start in range(0, days, 1):
        bad = rng.integers(0, 1000, 1)
        y |= np.isin(terminal, bad) & (day >= start) & (day < start + 14)
        taken = rng.integers(0, 500, 1)
        third = np.isin(customer, taken) & (day >= start) & (day < start + 7) & (rng.random(n) < 1 / 3)
        amount = np.where(third, amount * 5, amount)
        y |= third
    x = pd.DataFrame({
        "amount": amount.round(2), "customer": np.char.add("c", customer.astype(str)),
        "terminal": np.char.add("t", terminal.astype(str)), "weekday": day % 7, "hour": rng.integers(0, 24, n),
    })
    return (x.iloc[:rows], y[:rows]), (x.iloc[-rows:].reset_index(drop=True), y[-rows:])


def ours(mlloop, x, y, test_x):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ids = pd.Series([f"k{i:06}" for i in range(len(y))], name="row_key")
        pd.concat([ids, x, pd.Series(y, name="y_target")], axis=1).to_csv(folder / "train.csv", index=False)
        test_ids = pd.Series([f"t{i:06}" for i in range(len(test_x))], name="row_key")
        pd.concat([test_ids, test_x], axis=1).to_csv(folder / "test.csv", index=False)
        run = lambda *words: subprocess.run([mlloop, "-C", folder, *words], check=True, capture_output=True).stdout
        run("init", folder / "train.csv", "--target", "y_target", "--positive", "1")
        if os.environ.get("MLLOOP_MODEL"):
            config = folder / "mlloop.toml"
            config.write_text(config.read_text().replace("[model]\n", "[model]\n" + os.environ["MLLOOP_MODEL"] + "\n"))
        run("train")
        scores = run("predict", folder / "test.csv", "--model", "v0001")
        return pd.read_csv(io.BytesIO(scores))["score"].to_numpy()


def peer(kind, x, y, test_x):
    texts = [c for c in x.columns if not pd.api.types.is_numeric_dtype(x[c])]
    x, test_x = x.copy(), test_x.copy()
    for column in texts:
        levels = sorted(x[column].dropna().astype(str).unique())
        x[column], test_x[column] = (pd.Categorical(t[column].astype(str), categories=levels) for t in (x, test_x))
        if kind == "forest":
            x[column], test_x[column] = x[column].cat.codes, test_x[column].cat.codes
    if kind == "forest":
        model = RandomForestClassifier(300, n_jobs=2, random_state=1)
    else:
        model = LGBMClassifier(min_sum_hessian_in_leaf=1e-3, n_jobs=2, verbose=-1, random_state=1)
    return model.fit(x, y).predict_proba(test_x)[:, 1]


if __name__ == "__main__":
    main()
