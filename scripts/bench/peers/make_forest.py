"""Fits the forest that the scoring and serving jobs use and stores it for scikit-learn and as ONNX (not timed).

mlloop imports the ONNX file (`train --from`), so that all of them score the same trees.
"""

import sys

import joblib
import numpy as np
from _common import read
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

train, stored, onnx = sys.argv[1:4]
x, y = read(train, as_category=False)
model = RandomForestClassifier(n_estimators=400, max_depth=10, n_jobs=2, random_state=1).fit(x, y)
joblib.dump(model, stored)
graph = to_onnx(model, x.head(1).to_numpy(dtype=np.float32), options={"zipmap": False})
with open(onnx, "wb") as out:
    out.write(graph.SerializeToString())
