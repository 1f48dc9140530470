"""Predictions of XGBoost and scikit-learn on a small table: `fixtures/reference/model.json`.

The table holds few distinct values per column, so that every engine sees the same candidate splits,
and no rows or columns are drawn, so that no random stream matters.
"""

import json
import pathlib

import numpy as np
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

OUT = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "reference" / "model.json"


def table(n, missing):
    rng = np.random.RandomState(5)
    x = np.column_stack([rng.randint(0, 40, n), rng.randint(0, 12, n), rng.randint(0, 2, n), rng.randint(-30, 30, n)])
    x = x.astype(float)
    signal = 0.1 * x[:, 0] + np.sin(x[:, 1]) + 0.8 * x[:, 2] * (x[:, 3] > 0) + rng.normal(0, 0.7, n)
    if missing:
        x[rng.rand(n) < 0.15, 3] = np.nan
    targets = {
        "regression": np.round(signal, 3),
        "binary": (signal > 2.5).astype(float),
        "multiclass": np.clip(np.floor(signal / 1.5), 0, 2),
    }
    return x, targets


def nested(array):
    return [[None if np.isnan(v) else round(float(v), 7) for v in row] for row in np.atleast_2d(array)]


def boosting(x, targets):
    params = {"max_depth": 4, "eta": 0.2, "lambda": 1.5, "alpha": 0.1, "gamma": 0.05, "min_child_weight": 2,
              "max_bin": 64, "tree_method": "hist", "seed": 0, "nthread": 1}
    objectives = {"regression": {"objective": "reg:squarederror"}, "binary": {"objective": "binary:logistic"},
                  "multiclass": {"objective": "multi:softprob", "num_class": 3}}
    return {task: nested(xgb.train({**params, **objectives[task]}, xgb.DMatrix(x, label=y), 25)
                         .predict(xgb.DMatrix(x)).reshape(len(y), -1)) for task, y in targets.items()}


def tree(x, targets):
    options = {"max_depth": 4, "min_samples_leaf": 7, "random_state": 0}
    return {
        "regression": nested(DecisionTreeRegressor(**options).fit(x, targets["regression"]).predict(x)[:, None]),
        "binary": nested(DecisionTreeClassifier(**options).fit(x, targets["binary"]).predict_proba(x)[:, 1:]),
        "multiclass": nested(DecisionTreeClassifier(**options).fit(x, targets["multiclass"]).predict_proba(x)),
    }


def forest_without_draws(x, targets):
    """Every tree sees every row and feature: the forest's mean is each tree's mean."""
    options = {"n_estimators": 3, "max_depth": 3, "min_samples_leaf": 5, "bootstrap": False, "max_features": None}
    return nested(RandomForestClassifier(**options, random_state=0).fit(x, targets["binary"]).predict_proba(x)[:, 1:])


PENALTY = 7.0


def linear(x, targets):
    """Ridge and logistic regression on the linear model's input: two values as 0 and 1, more as standard scores of at
    most 4, and for missing cells a column of its own."""
    columns = []
    for of in x.T:
        known, missing = of[~np.isnan(of)], np.isnan(of)
        is_flag = len(np.unique(known)) <= 2
        z = of - known.min() if is_flag else np.clip((of - known.mean()) / known.std(), -4, 4)
        columns.append(np.where(missing, 0.0, z))
        if missing.any():
            columns.append(missing.astype(float))
    z = np.column_stack(columns)
    logistic = LogisticRegression(C=1 / PENALTY, tol=1e-10, max_iter=10000)
    return {
        "regression": nested(Ridge(alpha=PENALTY).fit(z, targets["regression"]).predict(z)[:, None]),
        "binary": nested(logistic.fit(z, targets["binary"]).predict_proba(z)[:, 1:]),
        "multiclass": nested(logistic.fit(z, targets["multiclass"]).predict_proba(z)),
    }


def main():
    x, targets = table(300, missing=True)
    whole, whole_targets = table(300, missing=False)
    document = {
        "xgboost": {"version": xgb.__version__, "x": nested(x), "y": {k: list(v) for k, v in targets.items()},
                    "scores": boosting(x, targets)},
        "linear": linear(x, targets),
        "sklearn": {"x": nested(whole), "y": {k: list(v) for k, v in whole_targets.items()},
                    "tree": tree(whole, whole_targets), "forest": forest_without_draws(whole, whole_targets)},
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
