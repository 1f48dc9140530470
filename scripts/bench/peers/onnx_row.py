"""Latency of one row in process with onnxruntime, the median of many: model.onnx test.csv"""

import json
import sys
import time

import numpy as np
import onnxruntime
import pandas as pd

model, table = sys.argv[1:3]
x = pd.read_csv(table, nrows=2000).drop(columns=["id", "y"]).to_numpy(dtype=np.float32)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name, took = session.get_inputs()[0].name, []
for row in x:
    start = time.perf_counter()
    session.run(None, {name: row[None, :]})
    took.append(time.perf_counter() - start)
print(json.dumps({"row_us": 1e6 * float(np.median(took[100:]))}))
