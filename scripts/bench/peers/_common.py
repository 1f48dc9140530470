"""Shared by the peer scripts: read a table, time a fit, print the result."""

import json
import resource
import sys
import time

import pandas as pd
from sklearn.metrics import roc_auc_score


def arguments():
    """train.csv test.csv rounds leaves"""
    train, test, rounds, leaves = sys.argv[1:5]
    return train, test, int(rounds), int(leaves)


def read(path, as_category=True):
    table = pd.read_csv(path)
    y, x = table["y"], table.drop(columns=["id", "y"])
    for name in x.columns[x.columns.str.startswith("c")]:
        x[name] = x[name].astype("category") if as_category else x[name].astype("category").cat.codes
    return x, y


def timed(fit):
    def cpu():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    wall, before = time.perf_counter(), cpu()
    model = fit()
    return model, {"fit_cpu_s": cpu() - before, "fit_wall_s": time.perf_counter() - wall}


def say(figures, y=None, scores=None):
    if y is not None:
        figures["roc_auc"] = float(roc_auc_score(y, scores))
    print(json.dumps(figures))
