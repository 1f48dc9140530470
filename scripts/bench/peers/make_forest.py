"""Fits the forest that the scoring jobs use and stores it for scikit-learn and onnxruntime (not timed).

Rows and leaves are held to what mlloop has: trees draw from the training part only (65 % of the rows) and a leaf holds at least four rows, so that both
forests have about as many nodes. Says how many in JSON.
"""

import json
import sys

import joblib
import numpy as np
from _common import read
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

train, stored, onnx = sys.argv[1:4]
x, y = read(train, as_category=False)
model = RandomForestClassifier(
    n_estimators=400, max_depth=10, min_samples_leaf=4, n_jobs=2, random_state=1, max_samples=0.65
).fit(x, y)
joblib.dump(model, stored)
graph = to_onnx(model, x.head(1).to_numpy(dtype=np.float32), options={"zipmap": False})
with open(onnx, "wb") as out:
    out.write(graph.SerializeToString())
print(json.dumps({"nodes": sum(tree.tree_.node_count for tree in model.estimators_)}))
