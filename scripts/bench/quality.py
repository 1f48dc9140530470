#!/usr/bin/env python3
"""How good models with default settings are on real tables, beside LightGBM, CatBoost and scikit-learn.

usage: scripts/bench/quality.py MLLOOP DATA [--by-time] [TABLE…]

MLLOOP is the binary, DATA a folder with the public tables named below; the others come with scikit-learn. One protocol for
all: a fifth of the rows is held out (at random, three times where the table has fewer than 5000 rows; with --by-time the
last rows, once, for tables in the order of time). Everybody learns from the other four fifths with default settings: peers
from all of them, mlloop (`init`, `train`) from those that its own gate leaves. Categories are given as each library likes
them, identifiers to nobody. "LightGBM small" has 400 trees of 15 leaves at a rate of .05.

Prints a Markdown table: the score of each (ROC-AUC, accuracy or R²) and, where there are classes, the log loss; then each
one's mean scaled score (0 for the worst and 1 for the best of a table) and CPU seconds of all fits and predictions. Needs
pandas, scikit-learn, lightgbm and catboost; skips a peer that is not installed.
"""

import io
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

# name: file, target, task, columns that are no features, whether rows are in the order of time
FILES = {
    "telco churn": ("telco_ibm/Telco-Customer-Churn.csv", "Churn", "binary", ["customerID"], False),
    "credit default": ("uci_credit_default/UCI_Credit_Card.csv", "default.payment.next.month", "binary", ["ID"], False),
    "bank marketing": ("bank_marketing/bank-full.csv", "y", "binary", [], True),
    "adult": ("adult/adult-train.csv", "c15", "binary", [], False),
    "electricity": ("elec2/elec.csv", "class", "binary", [], True),
    "hillstrom visit": ("hillstrom/hillstrom.csv", "visit", "binary", ["conversion", "spend"], False),
    "pima diabetes": ("pima_diabetes/pima-indians-diabetes.csv", "c9", "binary", [], False),
    "distress": ("gl_accounting_book/company_financial_distress.csv", "financial_distress", "binary", ["company_id"], False),
    "card fraud": ("ulb_creditcard_head/creditcard_head.csv", "Class", "binary", [], True),
    "plans": ("telecust_plans/teleCust1000t.csv", "custcat", "classes", [], False),
    "red wine": ("wine_quality/winequality-red.csv", "quality", "classes", [], False),
    "white wine": ("wine_quality/winequality-white.csv", "quality", "classes", [], False),
    "bike hour": ("bike_sharing/hour.csv", "cnt", "number", ["instant", "dteday", "casual", "registered"], True),
    "bike day": ("bike_sharing/day.csv", "cnt", "number", ["instant", "dteday", "casual", "registered"], True),
    "red wine, number": ("wine_quality/winequality-red.csv", "quality", "number", [], False),
}
LOADED = {
    "breast cancer": (datasets.load_breast_cancer, "binary"),
    "digits": (datasets.load_digits, "classes"),
    "wine": (datasets.load_wine, "classes"),
    "iris": (datasets.load_iris, "classes"),
    "diabetes": (datasets.load_diabetes, "number"),
}
HEADERLESS = {"adult", "pima diabetes"}


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    mlloop, data, by_time = Path(words[0]).resolve(), Path(words[1]).resolve(), "--by-time" in sys.argv
    learners = {"mlloop": lambda *of: ours(mlloop, *of), **peers()}
    scaled, cpu = {name: [] for name in learners}, dict.fromkeys(learners, 0.0)
    print("| table | rows | " + " | ".join(learners) + " |\n|---|---:|" + "---|" * len(learners), flush=True)
    for name in words[2:] or [*FILES, *LOADED]:
        x, y, task, ordered = load(data, name)
        if by_time and not ordered:
            continue
        found = {learner: np.zeros(2) for learner in learners}
        cuts = [None] if by_time else range(3 if len(y) < 5000 else 1)
        for cut in cuts:
            train, test = split(len(y), cut)
            for learner, learn in learners.items():
                before = seconds()
                scores = learn(x.iloc[train], y[train], x.iloc[test], task)
                cpu[learner] += seconds() - before
                found[learner] += np.array(judged(task, y[test], scores, np.unique(y[train]))) / len(cuts)
        values = np.array([value for value, _ in found.values()])
        spread = values.max() - values.min()
        for learner, (value, _) in found.items():
            scaled[learner].append((value - values.min()) / spread if spread > 0 else 1.0)
        cells = [f"{v:.4f}" + ("" if task == "number" else f" ({loss:.3f})") for v, loss in found.values()]
        print(f"| {name} | {len(y)} | " + " | ".join(cells) + " |", flush=True)
    print("| mean scaled score | | " + " | ".join(f"{np.mean(v):.3f}" for v in scaled.values()) + " |")
    print("| CPU seconds | | " + " | ".join(f"{v:.0f}" for v in cpu.values()) + " |")


def seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def split(n, seed):
    rows = np.arange(n) if seed is None else np.random.default_rng(seed).permutation(n)
    return rows[: n - n // 5], rows[n - n // 5 :]


def load(data, name):
    if name in LOADED:
        loader, task = LOADED[name]
        bunch = loader(as_frame=True)
        return bunch.data, bunch.target.to_numpy(), task, False
    file, target, task, unused, ordered = FILES[name]
    header = None if name in HEADERLESS else 0
    table = pd.read_csv(data / file, sep=None, engine="python", header=header, skipinitialspace=True, na_values=["?", " "])
    if header is None:
        table.columns = [f"c{i + 1}" for i in range(table.shape[1])]
    table = table.dropna(subset=[target]).reset_index(drop=True)
    y = table[target]
    if task == "binary" and not pd.api.types.is_numeric_dtype(y):
        y = y.str.strip(" .").isin(["Yes", "yes", ">50K"])
    return table.drop(columns=[target, *unused]), y.astype(float if task == "number" else int).to_numpy(), task, ordered


def judged(task, y, scores, classes):
    """The score, and the log loss where there are classes; `scores` are probabilities by class, or values."""
    if task == "number":
        return r2_score(y, scores), 0.0
    scores = np.clip(scores, 1e-15, 1.0)
    scores /= scores.sum(axis=1, keepdims=True)
    loss = log_loss(y, scores, labels=classes)
    return (roc_auc_score(y, scores[:, 1]) if task == "binary" else accuracy_score(y, classes[scores.argmax(axis=1)])), loss


def ours(mlloop, x, y, test_x, task):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        table, rows = x.assign(y_target=y), test_x.copy()
        table.insert(0, "row_key", [f"k{i:06}" for i in range(len(table))])
        rows.insert(0, "row_key", [f"t{i:06}" for i in range(len(rows))])
        table.to_csv(folder / "train.csv", index=False)
        rows.to_csv(folder / "test.csv", index=False)
        run = lambda *words: subprocess.run([mlloop, "-C", folder, *words], check=True, capture_output=True).stdout
        run("init", folder / "train.csv", "--target", "y_target", *(["--positive", "1"] if task == "binary" else []))
        config = folder / "mlloop.toml"
        kind = {"binary": "binary", "classes": "multiclass", "number": "regression"}[task]
        text = config.read_text()
        config.write_text(text.replace('task = "multiclass"', f'task = "{kind}"').replace('task = "regression"', f'task = "{kind}"'))
        run("train")
        scored = pd.read_csv(io.BytesIO(run("predict", folder / "test.csv", "--model", "v0001")))
    if task == "number":
        return scored["prediction"].to_numpy()
    if task == "binary":
        return np.column_stack([1 - scored["score"], scored["score"]])
    return scored[[f"score_{c}" for c in np.unique(y)]].to_numpy()


def prepared(kind, x, test_x):
    """Texts as each library takes categories."""
    x, test_x = x.copy(), test_x.copy()
    texts = [c for c in x.columns if not pd.api.types.is_numeric_dtype(x[c])]
    for column in texts:
        levels = sorted(x[column].dropna().astype(str).unique())
        for rows in (x, test_x):
            if kind == "catboost":
                rows[column] = rows[column].fillna("missing").astype(str)
            else:
                rows[column] = pd.Categorical(rows[column].astype(str).where(rows[column].notna()), categories=levels)
            if kind == "forest":
                rows[column] = rows[column].cat.codes
    if kind == "forest":
        middle = x.median()
        return x.fillna(middle), test_x.fillna(middle), texts
    return x, test_x, texts


def peers():
    def learner(kind, classifier, regressor):
        def learn(x, y, test_x, task):
            x, test_x, texts = prepared(kind, x, test_x)
            model = (regressor if task == "number" else classifier)(texts).fit(x, y)
            return model.predict(test_x) if task == "number" else model.predict_proba(test_x)

        return learn

    both = lambda kind, classifier, regressor, **options: learner(
        kind, lambda texts: classifier(**options), lambda texts: regressor(**options)
    )
    found = {
        "forest": both("forest", RandomForestClassifier, RandomForestRegressor, n_estimators=300, n_jobs=2, random_state=1),
        "HistGB": learner(
            "hist",
            lambda texts: HistGradientBoostingClassifier(categorical_features=texts, random_state=1),
            lambda texts: HistGradientBoostingRegressor(categorical_features=texts, random_state=1),
        ),
    }
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor

        usual = {"n_jobs": 2, "verbose": -1, "random_state": 1}
        small = {"n_estimators": 400, "num_leaves": 15, "learning_rate": 0.05}
        found["LightGBM"] = both("lightgbm", LGBMClassifier, LGBMRegressor, **usual)
        found["LightGBM small"] = both("lightgbm", LGBMClassifier, LGBMRegressor, **usual, **small)
    except ImportError:
        pass
    try:
        from catboost import CatBoostClassifier, CatBoostRegressor

        of = lambda model: lambda texts: model(thread_count=2, verbose=0, random_seed=1, cat_features=texts, allow_writing_files=False)
        found["CatBoost"] = learner("catboost", of(CatBoostClassifier), of(CatBoostRegressor))
    except ImportError:
        pass
    return found


if __name__ == "__main__":
    main()
