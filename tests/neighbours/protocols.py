"""Public clients of other servers ask `mlloop serve`, and get what `mlloop predict` says."""
import csv
import json
import os
import subprocess

from _common import CHURN, MLLOOP, Server, environment, free_port, mlloop, version, workplace

PYTHON = environment("protocols", "tritonclient[http]>=2.50", "kserve>=0.15", "mlflow-skinny>=3.17,<4", "requests", "pandas", "setuptools<81")

# What each client makes of the first rows, as scores of the class yes. In the clients' own environment.
ASK = """
import asyncio, csv, io, json, sys
from importlib.metadata import version
base, name, table, n = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
host = base.split("://")[1]
import numpy as np, pandas as pd, requests
rows = pd.read_csv(table, dtype={"customer": str}).head(n).drop(columns=["churn"])
features = rows.drop(columns=["customer"])
out = {"versions": {p: version(p) for p in ("tritonclient", "kserve", "mlflow-skinny")}}

# Triton's client: open inference protocol, tensors as JSON and as bytes.
import tritonclient.http as triton
client = triton.InferenceServerClient(host)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(name)
meta = client.get_model_metadata(name)
kinds = {i["name"]: i["datatype"] for i in meta["inputs"]}
out["inputs"] = kinds
for binary in (False, True):
    inputs = []
    for column in features:
        kind = kinds[column]
        values = features[column].to_numpy(dtype=object if kind == "BYTES" else triton.triton_to_np_dtype(kind))
        tensor = triton.InferInput(column, [n], kind)
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    answer = client.infer(name, inputs)
    out["triton " + ("bytes" if binary else "json")] = answer.as_numpy("score").ravel().tolist()

# KServe's client, V1 and V2.
from kserve import InferenceRESTClient, RESTConfig
import kserve
records = json.loads(features.to_json(orient="records"))
async def ask():
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    answer = await v1.infer(base, {"instances": records}, model_name=name)
    out["kserve v1"] = answer["scores"]
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    inputs = []
    for column in features:
        kind = kinds[column]
        values = features[column].tolist() if kind != "BYTES" else [str(v) for v in features[column]]
        inputs.append(kserve.InferInput(column, [n], kind, data=values))
    asked = kserve.InferRequest(model_name=name, infer_inputs=inputs)
    answer = await v2.infer(base, asked, model_name=name)
    out["kserve v2"] = list([o for o in answer.outputs if o.name == "score"][0].data)
    assert await v2.is_server_live(base) and await v2.is_server_ready(base)
asyncio.run(ask())

# What MLflow's scoring client posts, made by MLflow's own code.
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
try:
    client = ScoringServerClient("127.0.0.1", int(host.split(":")[1]))
    client.wait_server_ready(timeout=30)
    out["mlflow"] = client.invoke(features).response["scores"] if hasattr(client.invoke(features), "response") else client.invoke(features)["scores"]
except TypeError:
    raise

# SageMaker's endpoints are posted to as its runtime does: CSV without a header, in the order of the features.
order = [i["name"] for i in meta["inputs"]]
text = features[order].to_csv(index=False, header=False)
assert requests.get(base + "/ping", timeout=30).status_code == 200
answer = requests.post(base + "/invocations", data=text, headers={"Content-Type": "text/csv", "Accept": "text/csv"}, timeout=30)
assert answer.status_code == 200, answer.text
out["sagemaker csv"] = [float(line) for line in answer.text.split()]
print(json.dumps(out))
"""


def main():
    loop = workplace() / "churn"
    loop.mkdir()
    mlloop("init", CHURN, cwd=loop)
    mlloop("train", "--algorithm", "decision-tree", cwd=loop)
    mlloop("predict", CHURN, "-o", "scored.csv", cwd=loop)
    n = 40
    with open(loop / "scored.csv") as file:
        ours = [float(row["score"]) for row in list(csv.DictReader(file))[:n]]
    port = free_port()
    serve = [MLLOOP, "serve", "--port", str(port), "-q"]
    with Server(serve, f"http://127.0.0.1:{port}/health", loop / "serve.log", cwd=loop, env=os.environ):
        done = subprocess.run([PYTHON, "-c", ASK, f"http://127.0.0.1:{port}", "churn", CHURN, str(n)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout.strip().splitlines()[-1])
    version(", ".join(f"{name} {number}" for name, number in found.pop("versions").items()))
    assert len(set(ours)) > 3, ours
    found.pop("inputs")
    assert len(found) == 6, list(found)
    for client, scores in found.items():
        worst = max(abs(a - b) for a, b in zip(ours, scores, strict=True))
        assert worst < 1e-9, (client, worst)


if __name__ == "__main__":
    main()
