"""A careful script with polars and scipy: polars_drift.py REFERENCE CURRENT OUT.json

Kolmogorov-Smirnov and decile PSI for numbers, chi-squared and PSI for categories.
"""

import json
import sys

import numpy as np
import polars as pl
from scipy.stats import chi2_contingency, ks_2samp


def psi(a, b):
    p, q = (a + 0.5) / (a.sum() + 0.5 * len(a)), (b + 0.5) / (b.sum() + 0.5 * len(b))
    return float(np.sum((q - p) * np.log(q / p)))


def number(a, b):
    edges = np.unique(np.quantile(a, np.linspace(0.1, 0.9, 9)))
    counts = [np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) for x in (a, b)]
    test = ks_2samp(a, b, method="asymp")
    return {"ks": float(test.statistic), "p": float(test.pvalue), "psi": psi(*counts)}


def category(a, b):
    left, right = dict(a.value_counts().iter_rows()), dict(b.value_counts().iter_rows())
    levels = sorted(set(left) | set(right), key=str)
    counts = np.array([[side.get(level, 0) for level in levels] for side in (left, right)])
    test = chi2_contingency(counts)
    return {"chi2": float(test.statistic), "p": float(test.pvalue), "psi": psi(*counts)}


reference, current = pl.read_csv(sys.argv[1]), pl.read_csv(sys.argv[2])
report = {}
for name in reference.columns:
    a, b = reference[name].drop_nulls(), current[name].drop_nulls()
    report[name] = category(a, b) if a.dtype == pl.String else number(a.to_numpy(), b.to_numpy())
with open(sys.argv[3], "w") as out:
    json.dump(report, out)
