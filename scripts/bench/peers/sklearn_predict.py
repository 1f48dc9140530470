"""Scores a CSV with a stored scikit-learn forest: score_peer.joblib test.csv out.csv"""

import sys

import joblib
import pandas as pd

model, table, out = sys.argv[1:4]
x = pd.read_csv(table).drop(columns=["id", "y"])
scores = joblib.load(model).predict_proba(x)[:, 1]
pd.DataFrame({"score": scores}).to_csv(out, index=False)
