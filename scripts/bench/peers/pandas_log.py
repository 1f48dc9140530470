"""A pandas script to evaluate served predictions: pandas_log.py PREDICTIONS_DIR LABELS"""

import json
import sys
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score

days = sorted(Path(sys.argv[1]).glob("*.csv"))
columns = ["id", "time", "version", "score", "prediction"]
log = pd.concat(pd.read_csv(day, usecols=columns, dtype={"id": str}, parse_dates=["time"]) for day in days)
labels = pd.read_csv(sys.argv[2], dtype={"id": str})
known = log.sort_values("time", kind="stable").drop_duplicates("id", keep="last").merge(labels, on="id")
print(json.dumps({
    "n": len(known),
    "accuracy": float((known.prediction == known.label).mean()),
    "roc_auc": float(roc_auc_score(known.label, known.score)),
}))
