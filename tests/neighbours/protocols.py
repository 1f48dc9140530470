"""Clients of other model servers ask `mlloop serve`: Triton's client by KServe V2, and the requests of MLflow, SageMaker,
KServe V1 and Vertex AI as their clients send them."""
import csv
import io
import json
import subprocess
import sys
import urllib.request

from _common import CHURN, MLLOOP, Server, environment, free_port, mlloop, version, workplace

PYTHON = environment("protocols", "tritonclient[http]>=2.50,<3", "numpy<3", "requests<3")


def rows():
    """The rows of the table without their outcome."""
    with open(CHURN) as file:
        return [{name: cell for name, cell in row.items() if name != "churn"} for row in csv.DictReader(file)][:50]


def post(url, body, kind="application/json", **headers):
    request = urllib.request.Request(url, body, {"Content-Type": kind, **headers})
    return urllib.request.urlopen(request, timeout=60).read().decode()


def main():
    loop = workplace() / "churn"
    loop.mkdir()
    mlloop("init", CHURN, cwd=loop)
    mlloop("train", "--algorithm", "decision-tree", cwd=loop)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows()[0])
    writer.writeheader()
    writer.writerows(rows())
    (loop / "rows.csv").write_text(text.getvalue())
    printed, _ = mlloop("predict", "rows.csv", "--columns", "prediction,score", cwd=loop)
    expected = list(csv.DictReader(io.StringIO(printed)))
    classes, scores = [row["prediction"] for row in expected], [float(row["score"]) for row in expected]
    assert len(set(classes)) == 2 and len(scores) == 50

    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with Server([MLLOOP, "serve", "--port", str(port)], f"{base}/ready", loop / "serve.log", cwd=loop):
        (loop / "expected.json").write_text(json.dumps({"rows": rows(), "classes": classes, "scores": scores}))
        done = subprocess.run([PYTHON, __file__, "client", str(port), loop / "expected.json"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout, end="")

        columns = list(rows()[0])
        split = {"dataframe_split": {"index": list(range(50)), "columns": columns, "data": [list(row.values()) for row in rows()]}}
        records = {"dataframe_records": rows()}
        for path, body in [
            ("/invocations", split),
            ("/invocations", records),
            ("/invocations", {"instances": rows()}),
            ("/invocations", {"inputs": rows()}),
            ("/v1/models/churn:predict", {"instances": rows()}),
        ]:
            answer = json.loads(post(base + path, json.dumps(body).encode()))
            assert answer["predictions"] == classes, (path, answer["predictions"][:5])
            assert answer["scores"] == scores, path
        vertex = json.loads(post(f"{base}/predict", json.dumps({"instances": rows(), "parameters": {}}).encode()))
        assert [row["prediction"] for row in vertex["predictions"]] == classes
        # SageMaker: CSV with a header, and without one in the order of the features.
        lines = post(f"{base}/invocations", text.getvalue().encode(), "text/csv", Accept="text/csv").split()
        assert [float(line) for line in lines] == scores
        bare = "\n".join(",".join(cell for name, cell in row.items() if name != "customer") for row in rows())
        lines = post(f"{base}/invocations", bare.encode(), "text/csv").split()
        assert [float(line) for line in lines] == scores
        assert urllib.request.urlopen(f"{base}/ping", timeout=60).status == 200


def client(port, path):
    """What runs in the environment of the clients."""
    import importlib.metadata

    import numpy
    import requests
    import tritonclient.http as http

    version(f"tritonclient {importlib.metadata.version('tritonclient')}")
    with open(path) as file:
        expected = json.load(file)
    triton = http.InferenceServerClient(f"127.0.0.1:{port}")
    assert triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready("churn")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["name"] == "mlloop"
    described = triton.get_model_metadata("churn")
    inputs = []
    for told in described["inputs"]:
        cells = [row[told["name"]] for row in expected["rows"]]
        if told["datatype"] == "FP64":
            values = numpy.array([float(cell) if cell else numpy.nan for cell in cells], dtype=numpy.float64)
        else:
            values = numpy.array(cells, dtype=object)
        inputs.append((told["name"], told["datatype"], values))
    for as_bytes in (True, False):
        for n in (1, 50):
            sent = []
            for name, datatype, values in inputs:
                if not as_bytes and datatype == "FP64" and numpy.isnan(values[:n]).any():
                    # JSON has no such number; a missing cell is sent as a text.
                    datatype, values = "BYTES", numpy.array(["" if v != v else repr(v) for v in values], dtype=object)
                tensor = http.InferInput(name, [n], datatype)
                tensor.set_data_from_numpy(values[:n], binary_data=as_bytes)
                sent.append(tensor)
            for wanted in (None, [http.InferRequestedOutput("score", binary_data=False), http.InferRequestedOutput("prediction", binary_data=False)]):
                answer = triton.infer("churn", sent, outputs=wanted, request_id="r1")
                assert answer.as_numpy("score").tolist() == expected["scores"][:n], (as_bytes, n)
                assert [cell.decode() if isinstance(cell, bytes) else cell for cell in answer.as_numpy("prediction").tolist()] == expected["classes"][:n]
                assert answer.get_response()["id"] == "r1"
    # As mlflow.deployments and its REST clients send a frame.
    frame = {"columns": list(expected["rows"][0]), "data": [list(row.values()) for row in expected["rows"]]}
    answer = requests.post(f"http://127.0.0.1:{port}/invocations", json={"dataframe_split": frame}, timeout=60)
    answer.raise_for_status()
    assert answer.json()["scores"] == expected["scores"]


if __name__ == "__main__":
    client(*sys.argv[2:]) if sys.argv[1:2] == ["client"] else main()
