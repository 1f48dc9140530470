"""FastAPI over onnxruntime, carefully written: model.onnx port log.csv

One matrix into the session, one thread, uvloop and httptools, no validation beyond the names, one line of the log per row.
"""

import sys
import time

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request

model, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
COLUMNS = [f"v{i}" for i in range(30)]
log = open(path, "a", buffering=1)
app = FastAPI()


@app.get("/health")
async def health():
    return {"status": "alive"}


@app.post("/predict")
async def predict(request: Request):
    body = await request.json()
    rows = body if isinstance(body, list) else [body]
    x = np.array([[row[c] for c in COLUMNS] for row in rows], dtype=np.float32)
    labels, probabilities = session.run(None, {name: x})
    at = time.time()
    lines = (
        f"{row['id']},{at},v0001,{p[1]},{label}," + ",".join(str(row[c]) for c in COLUMNS) + "\n"
        for row, label, p in zip(rows, labels.tolist(), probabilities.tolist())
    )
    log.write("".join(lines))
    answers = [{"prediction": label, "score": p[1]} for label, p in zip(labels.tolist(), probabilities.tolist())]
    return answers if isinstance(body, list) else answers[0]


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
