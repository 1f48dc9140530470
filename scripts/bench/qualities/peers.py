"""The learners that mlloop is compared with, each with its defaults, unless its name states otherwise."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

MOST_LEVELS = 250  # of a category for HistGradientBoosting; beyond, its codes are a number
THREADS = 2


def prepared(kind, x, test_x):
    """Texts in each library's form of categories, times as numbers; and the columns that are categories."""
    x, test_x = timed(x), timed(test_x)
    texts = [c for c in x.columns if not pd.api.types.is_numeric_dtype(x[c])]
    categories = list(texts)
    for column in texts:
        levels = sorted(x[column].dropna().astype(str).unique())
        is_code = kind == "forest" or (kind == "hist" and len(levels) > MOST_LEVELS)
        for rows in (x, test_x):
            if kind == "catboost":
                rows[column] = rows[column].fillna("missing").astype(str)
                continue
            # Some libraries do not support a separate dtype for missing texts.
            values = rows[column].astype(object).map(lambda v: None if v is None or v != v else str(v))
            rows[column] = pd.Categorical(values, categories=pd.Index(levels, dtype=object))
            if is_code:
                rows[column] = rows[column].cat.codes
        if is_code:
            categories.remove(column)
    if kind == "forest":
        middle = x.median()
        return x.fillna(middle).fillna(0), test_x.fillna(middle).fillna(0), []
    return x, test_x, categories


def timed(x):
    """Times as days, month, weekday and hour."""
    x = x.copy()
    for column in [c for c in x.columns if pd.api.types.is_datetime64_any_dtype(x[c])]:
        of = x.pop(column)
        x[f"{column} day"] = (of - pd.Timestamp("1970-01-01", tz=of.dt.tz)) / pd.Timedelta(days=1)
        x[f"{column} month"], x[f"{column} weekday"], x[f"{column} hour"] = of.dt.month, of.dt.weekday, of.dt.hour
    return x


def learner(kind, classifier, regressor):
    def learn(x, y, test_x, task):
        x, test_x, categories = prepared(kind, x, test_x)
        if kind in ("lightgbm", "xgboost"):
            # LightGBM refuses some letters in names, XGBoost some others.
            names = [f"f{i}" for i in range(x.shape[1])]
            x, test_x = x.set_axis(names, axis=1), test_x.set_axis(names, axis=1)
        model = (regressor if task == "number" else classifier)(categories).fit(x, y)
        return model.predict(test_x) if task == "number" else model.predict_proba(test_x)

    return learn


def peers():
    """Every peer that is installed: name to a function of (rows, truth, rows to score, task)."""
    both = lambda kind, classifier, regressor, **options: learner(
        kind, lambda categories: classifier(**options), lambda categories: regressor(**options)
    )
    hist = lambda model: lambda categories: model(categorical_features=categories or None, random_state=1)
    found = {
        "forest": both("forest", RandomForestClassifier, RandomForestRegressor, n_estimators=300, n_jobs=THREADS, random_state=1),
        "HistGB": learner("hist", hist(HistGradientBoostingClassifier), hist(HistGradientBoostingRegressor)),
    }
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor

        usual = {"n_jobs": THREADS, "verbose": -1, "random_state": 1}
        small = {"n_estimators": 400, "num_leaves": 15, "learning_rate": 0.05}
        found["LightGBM"] = both("lightgbm", LGBMClassifier, LGBMRegressor, **usual)
        found["LightGBM small"] = both("lightgbm", LGBMClassifier, LGBMRegressor, **usual, **small)
    except ImportError:
        pass
    try:
        from xgboost import XGBClassifier, XGBRegressor

        options = {"n_jobs": THREADS, "enable_categorical": True, "random_state": 1, "verbosity": 0}
        found["XGBoost"] = both("xgboost", XGBClassifier, XGBRegressor, **options)
    except ImportError:
        pass
    try:
        from catboost import CatBoostClassifier, CatBoostRegressor

        options = {"thread_count": THREADS, "verbose": 0, "random_seed": 1, "allow_writing_files": False}
        of = lambda model: lambda categories: model(cat_features=categories, **options)
        found["CatBoost"] = learner("catboost", of(CatBoostClassifier), of(CatBoostRegressor))
    except ImportError:
        pass
    return found


class AutoGluon:
    """A separate Python process that fits one table after the other."""

    def __init__(self, python):
        script = Path(__file__).with_name("autogluon_fit.py")
        self.process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(THREADS)},
        )

    def learn(self, folder, x, y, test_x, task, seconds):
        """Scores, and the CPU seconds of fit and prediction; `seconds` is the limit of its clock."""
        x, test_x = timed(x), timed(test_x)
        x.assign(y_target=y).to_csv(folder / "train.csv", index=False)
        test_x.to_csv(folder / "test.csv", index=False)
        asked = {"folder": str(folder), "task": task, "seconds": seconds, "threads": THREADS}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        if answer.get("failed"):
            raise RuntimeError(answer["failed"])
        return np.load(folder / "scores.npy"), answer["cpu"]
