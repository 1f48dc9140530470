"""Clients of other model servers ask `mlloop serve`: those of Triton, KServe (V1 and V2) and MLflow, and the requests of
SageMaker and Vertex AI as their clients send them."""
import csv
import io
import json
import subprocess
import sys
import urllib.request

from _common import CHURN, MLFLOW_PACKAGES, MLLOOP, Server, environment, free_port, mlloop, version, workplace

PYTHON = environment("protocols", "tritonclient[http]>=2.50,<3", "numpy<3", "requests<3")
KSERVE = environment("kserve", "kserve>=0.15,<1")
# That of mlflow.py, so that it is installed once.
MLFLOW = environment("mlflow", *MLFLOW_PACKAGES)


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
        versions = []
        for python, client in ((PYTHON, "triton"), (KSERVE, "kserve"), (MLFLOW, "mlflow")):
            done = subprocess.run([python, __file__, client, str(port), loop / "expected.json"], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            versions.append(done.stdout.strip().splitlines()[-1])
        version(", ".join(versions))

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


def tensors(described, rows, numpy):
    """The columns of the rows as the model's description wants them."""
    inputs = []
    for told in described["inputs"]:
        cells = [row[told["name"]] for row in rows]
        if told["datatype"] == "FP64":
            values = numpy.array([float(cell) if cell else numpy.nan for cell in cells], dtype=numpy.float64)
        else:
            values = numpy.array(cells, dtype=object)
        inputs.append((told["name"], told["datatype"], values))
    return inputs


def without_nan(datatype, values, numpy):
    """JSON has no such number; a missing cell is sent as a text."""
    if datatype != "FP64" or not numpy.isnan(values).any():
        return datatype, values
    return "BYTES", numpy.array(["" if v != v else repr(float(v)) for v in values], dtype=object)


def triton(port, expected):
    """Triton's own client, by KServe V2."""
    import numpy
    import requests
    import tritonclient.http as http

    triton = http.InferenceServerClient(f"127.0.0.1:{port}")
    assert triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready("churn")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["name"] == "mlloop"
    described = triton.get_model_metadata("churn")
    inputs = tensors(described, expected["rows"], numpy)
    for as_bytes in (True, False):
        for n in (1, 50):
            sent = []
            for name, datatype, values in inputs:
                if not as_bytes:
                    datatype, values = without_nan(datatype, values, numpy)
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


def kserve(port, expected):
    """The client of KServe, by its protocols V1 and V2."""
    import asyncio

    import httpx
    import numpy
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def ask():
        base = f"http://127.0.0.1:{port}"
        v1, v2 = (InferenceRESTClient(RESTConfig(protocol=name)) for name in ("v1", "v2"))
        assert await v1.is_server_live(base) and await v2.is_server_live(base) and await v2.is_server_ready(base)
        assert await v1.is_model_ready(base, "churn") and await v2.is_model_ready(base, "churn")
        assert not await v2.is_model_ready(base, "other")
        answer = await v1.infer(base, {"instances": expected["rows"]}, model_name="churn")
        assert (answer["predictions"], answer["scores"]) == (expected["classes"], expected["scores"])
        for client, body in ((v1, {"instances": [{"months": "many"}]}), (v2, {"inputs": []})):
            try:
                await client.infer(base, body, model_name="churn")
                raise AssertionError("a wrong request was answered")
            except httpx.HTTPStatusError as err:
                assert err.response.status_code in (400, 422), err
        async with httpx.AsyncClient() as http:
            described = (await http.get(f"{base}/v2/models/churn")).json()
        for as_bytes in (True, False):
            sent = []
            for name, datatype, values in tensors(described, expected["rows"], numpy):
                if not as_bytes:
                    datatype, values = without_nan(datatype, values, numpy)
                tensor = InferInput(name, [len(values)], datatype)
                tensor.set_data_from_numpy(values, binary_data=as_bytes)
                sent.append(tensor)
            answer = await v2.infer(base, InferRequest("churn", sent, request_id="r1"), model_name="churn")
            told = {output.name: output.as_numpy().tolist() for output in answer.outputs}
            assert (answer.id, told["prediction"], told["score"]) == ("r1", expected["classes"], expected["scores"])

    asyncio.run(ask())


def mlflow(port, expected):
    """The client by which MLflow asks its own scoring server."""
    import pandas
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient("127.0.0.1", port)
    client.wait_server_ready(timeout=30)
    frame = pandas.DataFrame(expected["rows"])
    numbers = ["months", "monthly_charge", "total_charge", "support_calls"]
    typed = frame.assign(**{name: pandas.to_numeric(frame[name]) for name in numbers})
    for rows in (frame, typed):
        answer = client.invoke(rows)
        assert answer.get_predictions()[0].tolist() == expected["classes"]
        assert answer.get_predictions("ndarray").tolist() == expected["classes"] and answer["scores"] == expected["scores"]
    try:
        client.invoke(frame.drop(columns="months"))
        raise AssertionError("a frame without a column was answered")
    except Exception as err:
        assert "missing column" in str(err) and "months" in str(err), err


def run_client(name, port, path):
    """What runs in the environment of a client; it ends by telling the client's version."""
    import importlib.metadata

    # Beside this file lies a test that is called as one of the packages is.
    sys.path.pop(0)
    with open(path) as file:
        {"triton": triton, "kserve": kserve, "mlflow": mlflow}[name](port, json.load(file))
    package = "tritonclient" if name == "triton" else name
    print(f"{package} {importlib.metadata.version(package)}")


if __name__ == "__main__":
    run_client(*sys.argv[1:]) if len(sys.argv) > 1 else main()
