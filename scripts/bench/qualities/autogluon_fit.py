"""Fits AutoGluon on tables that come on stdin, one JSON line each; answers with one line each."""

import json
import os
import resource
import sys
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from autogluon.tabular import TabularPredictor  # noqa: E402

PROBLEMS = {"binary": "binary", "classes": "multiclass", "number": "regression"}
METRICS = {"binary": "roc_auc", "classes": "accuracy", "number": "r2"}


def seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def fit(asked):
    folder, task = Path(asked["folder"]), asked["task"]
    train, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
    before = seconds()
    predictor = TabularPredictor(
        "y_target", problem_type=PROBLEMS[task], eval_metric=METRICS[task], path=folder / "autogluon", verbosity=0
    )
    predictor.fit(train, presets="medium_quality", time_limit=asked["seconds"], num_cpus=asked["threads"], num_gpus=0)
    if task == "number":
        scores = predictor.predict(test).to_numpy()
    else:
        scores = predictor.predict_proba(test)
        scores = scores[sorted(scores.columns)].to_numpy()
    np.save(folder / "scores.npy", scores)
    return {"cpu": seconds() - before}


for line in sys.stdin:
    try:
        answer = fit(json.loads(line))
    except Exception as err:  # whatever it is, the next table is fitted
        answer = {"failed": f"{type(err).__name__}: {err}"[:200]}
    print(json.dumps(answer), file=answers, flush=True)
