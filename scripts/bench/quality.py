#!/usr/bin/env python3
"""How good models with default settings are on real tables, beside LightGBM's and CatBoost's defaults.

usage: scripts/bench/quality.py MLLOOP DATA [TABLE…]

MLLOOP is the binary, DATA a folder with the public tables named below. Ours is what `mlloop init` and
`mlloop train --cv 5` say, out of fold; peers get the same columns, five folds of their own (shuffled, by class, seed 1;
identical rows in one fold where ours keeps them together), missing values and categories as they like them, and early
stopping on nothing. Adult is judged on its own test file. Prints a Markdown table. Needs pandas, scikit-learn, lightgbm
and catboost.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

METRICS = {"roc_auc": roc_auc_score, "r2": r2_score, "accuracy": accuracy_score}
# title, file, target, metric, columns that are no features, options of init
TABLES = {
    "telco": ("Telco churn", "telco_ibm/Telco-Customer-Churn.csv", "Churn", "roc_auc", ["customerID"], []),
    "credit": ("UCI credit default", "uci_credit_default/UCI_Credit_Card.csv", "default.payment.next.month", "roc_auc", ["ID"], []),
    "bank": ("bank-full", "bank_marketing/bank-full.csv", "y", "roc_auc", [], []),
    "adult": ("Adult, own test file", "adult/adult-train.csv", "c15", "roc_auc", [], ["--no-header"]),
    "bike": (
        "bike hour without casual, registered", "bike_sharing/hour.csv", "cnt", "r2",
        ["instant", "dteday", "casual", "registered"], ["--target", "cnt"],
    ),
    "wine": ("red wine, classes", "wine_quality/winequality-red.csv", "quality", "accuracy", [], []),
}


def main():
    mlloop, data = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    print("| table | metric | rows | mlloop | LightGBM | CatBoost |\n|---|---|---:|---:|---:|---:|", flush=True)
    for name in sys.argv[3:] or TABLES:
        title, file, target, metric, unused, init = TABLES[name]
        x, y = read(data / file, target, unused)
        test = read(data / "adult/adult-test.csv", target, unused) if name == "adult" else None
        found = [ours(mlloop, data, file, metric, init, test is not None)]
        found += [peer(kind, x, y, metric, test) for kind in ("lightgbm", "catboost")]
        print(f"| {title} | {metric} | {len(y)} | " + " | ".join(f"{v:.4f}" for v in found) + " |", flush=True)


def ours(mlloop, data, file, metric, init, has_test):
    with tempfile.TemporaryDirectory() as folder:
        run = lambda *words: subprocess.run([mlloop, "-C", folder, *words], check=True, capture_output=True).stdout
        run("init", data / file, *init)
        judged = ["--test", data / "adult/adult-test.csv"] if has_test else ["--cv", "5"]
        said = json.loads(run("train", *judged))
    evaluation = said["test"] if has_test else said["cross_validation"]["out_of_fold"]
    return evaluation["metrics"][metric]["value"]


def read(path, target, unused):
    """Features with numbers as numbers and the rest as texts, and the target as classes 0, 1, … or numbers."""
    header = None if "adult" in path.name else "infer"
    table = pd.read_csv(path, sep=None, engine="python", header=header, skipinitialspace=True, na_values=["?", " "])
    if header is None:
        table.columns = [f"c{i + 1}" for i in range(table.shape[1])]
    y, x = table[target], table.drop(columns=[target, *unused])
    if not pd.api.types.is_numeric_dtype(y):
        y = (y.str.strip(" .").isin(["Yes", "yes", ">50K"])).astype(int)
    return x, y.to_numpy()


def peer(kind, x, y, metric, test):
    texts = [c for c in x.columns if not pd.api.types.is_numeric_dtype(x[c])]
    learn = lambda rows, labels: fitted(kind, rows, labels, texts, metric)
    answer = lambda model, rows: predicted(model, prepared(kind, rows, texts, x), metric)
    if test is not None:
        return METRICS[metric](test[1], answer(learn(prepared(kind, x, texts, x), y), test[0]))
    out_of_fold = np.zeros(len(y))
    for train, rest in folds(x, y, metric):
        model = learn(prepared(kind, x.iloc[train], texts, x), y[train])
        out_of_fold[rest] = answer(model, x.iloc[rest])
    return METRICS[metric](y, out_of_fold)


def folds(x, y, metric):
    if metric == "accuracy":
        return GroupKFold(5, shuffle=True, random_state=1).split(x, y, x.astype(str).agg("|".join, axis=1))
    kind = KFold if metric == "r2" else StratifiedKFold
    return kind(5, shuffle=True, random_state=1).split(x, y)


def prepared(kind, rows, texts, x):
    """Texts as each library takes categories."""
    rows = rows.copy()
    for column in texts:
        if kind == "lightgbm":
            rows[column] = pd.Categorical(rows[column], categories=sorted(x[column].dropna().unique()))
        else:
            rows[column] = rows[column].fillna("missing").astype(str)
    return rows


def fitted(kind, rows, labels, texts, metric):
    if kind == "lightgbm":
        model = (LGBMRegressor if metric == "r2" else LGBMClassifier)(n_jobs=2, verbose=-1, random_state=1)
        return model.fit(rows, labels)
    model = (CatBoostRegressor if metric == "r2" else CatBoostClassifier)(
        thread_count=2, verbose=0, random_seed=1, cat_features=texts, allow_writing_files=False
    )
    return model.fit(rows, labels)


def predicted(model, rows, metric):
    return model.predict_proba(rows)[:, 1] if metric == "roc_auc" else np.ravel(model.predict(rows))


if __name__ == "__main__":
    main()
