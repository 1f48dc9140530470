"""Scores a CSV with a stored ONNX forest: model.onnx test.csv out.csv"""

import sys

import numpy as np
import onnxruntime
import pandas as pd

model, table, out = sys.argv[1:4]
x = pd.read_csv(table).drop(columns=["id", "y"]).to_numpy(dtype=np.float32)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
scores = session.run(None, {session.get_inputs()[0].name: x})[1][:, 1]
pd.DataFrame({"score": scores}).to_csv(out, index=False)
