"""A real MLflow server is told of a loop: runs, models, aliases; what it missed while it was down; and what it serves back."""
import csv
import json
import os
import subprocess
import time

from _common import CHURN, MLFLOW_PACKAGES, Server, environment, free_port, holds_no, mlloop, version, workplace

PYTHON = environment("mlflow", *MLFLOW_PACKAGES)
SECRET = "hunter2-of-mlflow"

# Asked by MLflow's own client, in its own environment.
LOOK = """
import json, sys, mlflow, pandas as pd
from mlflow import MlflowClient
client = MlflowClient()
experiment = client.get_experiment_by_name("churn")
runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
model = client.get_registered_model("churn")
out = {
    "mlflow": mlflow.__version__,
    "runs": [[r.info.run_name, r.info.status, r.info.start_time, dict(r.data.tags), dict(r.data.params), dict(r.data.metrics),
              [d.dataset.digest for d in r.inputs.dataset_inputs], [f.path for f in client.list_artifacts(r.info.run_id)],
              [m.model_id for m in (r.outputs.model_outputs if r.outputs else [])]] for r in runs],
    "aliases": model.aliases,
    "versions": [[v.version, v.source, v.status] for v in client.search_model_versions("name='churn'")],
    "logged": [m.name for m in client.search_logged_models(experiment_ids=[experiment.experiment_id])],
}
if len(sys.argv) > 1:
    rows = pd.read_csv(sys.argv[1], dtype=json.loads(sys.argv[2]))
    import onnxruntime
    graph = mlflow.onnx.load_model("models:/churn@champion")
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    kinds = {"tensor(double)": "float64", "tensor(string)": object, "tensor(int64)": "int64"}
    feed = {i.name: rows[i.name].to_numpy(kinds[i.type]).reshape(-1, 1) for i in session.get_inputs()}
    out["scores"] = session.run(["score"], feed)[0].ravel().tolist()
    served = mlflow.pyfunc.load_model("models:/churn@champion").predict(feed)
    out["served"] = served["score"].ravel().tolist()
print(json.dumps(out))
"""


def look(env, *args):
    done = subprocess.run([PYTHON, "-c", LOOK, *map(str, args)], capture_output=True, text=True, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def server(home, port, *more, env=None):
    command = [PYTHON, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", f"{home}/artifacts", *more]
    return Server(command, f"http://127.0.0.1:{port}/health", home / "server.log", cwd=home,
                  env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **(env or {})})


def main():
    work = workplace()
    home, loop = work / "mlflow", work / "churn"
    home.mkdir()
    loop.mkdir()
    port = free_port()
    env = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}", "MLLOOP_TRACK_TIMEOUT_SECONDS": "60"}
    mlloop("init", CHURN, cwd=loop)
    train = ["train", "--algorithm", "decision-tree", "--now"]

    # Before the server is there: the verb is done, and says that the server was not told.
    began = time.monotonic()
    _, said = mlloop(*train, "2026-11-20T08:30:00Z", cwd=loop, env=env)
    assert "was not told" in said, said
    assert time.monotonic() - began < 60

    with server(home, port):
        out, _ = mlloop("track", "sync", "--json", cwd=loop, env=env)
        assert json.loads(out)["waiting"] == 0, out
        mlloop(*train, "2026-11-21T08:30:00Z", "--set", "model.max_depth=2", cwd=loop, env=env)
        found = look(env)
        version(found["mlflow"])
        assert found["aliases"] == {"champion": "1", "challenger": "2"}, found["aliases"]
        mlloop("promote", "--version", "v2", "--override", "a drill", "--by", "ann", "--now", "2026-11-22T08:30:00Z", cwd=loop, env=env)
        mlloop("rollback", "--by", "ann", "--now", "2026-11-23T08:30:00Z", cwd=loop, env=env)

        with open(CHURN) as file:
            header = next(csv.reader(file))
        texts = {name: "str" for name in header if name in ("customer", "contract", "internet", "paperless", "churn")}
        found = look(env, CHURN, json.dumps(texts))
        names = [run[0] for run in found["runs"]]
        assert names[:2] == ["v0001 trained", "v0002 trained"] and names[-1] == "v0001 restored", names
        assert "v0002 promoted" in names
        assert all(run[1] == "FINISHED" for run in found["runs"])
        first = found["runs"][0]
        # The original time, though it was told later.
        assert first[2] == 1795163400000, first[2]
        assert first[4]["mlloop"] and "roc_auc" in first[5] and len(first[6]) == 1, first
        assert "importance.svg" in first[7] and "classification_report.txt" in first[7], first[7]
        assert len(first[8]) == 1 and sorted(found["logged"]) == ["v0001", "v0002"], found["logged"]
        assert found["aliases"] == {"champion": "1"}, found["aliases"]
        assert sorted(v[0] for v in found["versions"]) == ["1", "2"] and all(v[2] == "READY" for v in found["versions"])
        restored = found["runs"][-1][3]
        assert restored["mlflow.parentRunId"] and restored["mlflow.user"] == "ann", restored

        # What it serves back scores as we do.
        mlloop("predict", CHURN, "-o", "scored.csv", cwd=loop)
        with open(loop / "scored.csv") as file:
            ours = [float(row["score"]) for row in csv.DictReader(file)]
        for name in ("scores", "served"):
            worst = max(abs(a - b) for a, b in zip(ours, found[name], strict=True))
            assert worst < 1e-6, (name, worst)

        # A cursor that is lost makes no doubles.
        (loop / "runs" / "track.json").unlink()
        mlloop("track", "sync", cwd=loop, env=env)
        again = look(env)
        for key in ("aliases", "versions", "logged"):
            assert again[key] == found[key], key
        assert [run[0] for run in again["runs"]] == names

    # With a login: a wrong one is said, a right one works, and neither stands in any file.
    (home / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = MANAGE\ndatabase_uri = sqlite:///{home}/auth.db\nadmin_username = ann\n"
        f"admin_password = {SECRET}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return work, loop, home, env


def with_login(work, loop, home, env):
    port = free_port()
    env = {**env, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    auth = {"MLFLOW_AUTH_CONFIG_PATH": str(home / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "k" * 32}
    with server(home, port, "--app-name", "basic-auth", env=auth):
        _, said = mlloop("train", "--algorithm", "decision-tree", cwd=loop, env=env)
        assert "it requires a login (401)" in said, said
        _, said = mlloop("train", "--algorithm", "decision-tree", cwd=loop, env={**env, "MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "wrong" + SECRET})
        assert SECRET not in said and "was not told" in said, said
        login = {**env, "MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": SECRET}
        out, _ = mlloop("track", "sync", "--json", cwd=loop, env=login)
        assert json.loads(out)["waiting"] == 0, out
        names = [run[0] for run in look(login)["runs"]]
        assert "v0004 trained" in names, names
    holds_no(SECRET, loop)


if __name__ == "__main__":
    with_login(*main())
