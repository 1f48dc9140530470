"""The other tools' side of the live tests: `tests/interchange/live.rs` runs this with one argument, a job file.

`{"score": [{"with": "onnxruntime"|"xgboost", "model", "x", "n_features", "out"}]}` scores matrices (32-bit numbers,
row after row) and writes 64-bit numbers. `{"columns": [{"model", "inputs", "out"}]}` runs a graph over raw columns.
`{"train": folder, "data": folder}` trains every tool on real tables, converts the models, and writes `cases.json`.
"""

import json
import pathlib
import sys
import warnings

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
warnings.filterwarnings("ignore")


def session(path):
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    # With one thread, trees are added in order; otherwise the last digit of a sum depends on the number of cores.
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def score(job):
    x = np.fromfile(job["x"], dtype="<f4").reshape(-1, job["n_features"])
    if job["with"] == "onnxruntime":
        out = session(job["model"]).run(["score"], {"features": x})[0]
    else:
        import xgboost

        booster = xgboost.Booster(model_file=job["model"])
        out = booster.predict(xgboost.DMatrix(x, feature_names=booster.feature_names))
    np.asarray(out, dtype="<f8").tofile(job["out"])


def columns(job):
    feed = {}
    for name, (kind, path) in job["inputs"].items():
        if kind == "text":
            values = np.array(json.loads(pathlib.Path(path).read_text()), dtype=object)
        else:
            values = np.fromfile(path, dtype={"number": "<f8", "time": "<i8"}[kind])
        feed[name] = values.reshape(-1, 1)
    # The prediction comes first, then for classes the scores; if a column has an output's name, the output is renamed.
    prediction, *scores = session(job["model"]).run(None, feed)
    np.asarray(scores[0] if scores else prediction, dtype="<f8").tofile(job["out"])
    if scores:
        pathlib.Path(job["out"] + ".labels").write_text(json.dumps(prediction.tolist()))


def real_tables(data):
    import pandas

    data = pathlib.Path(data)
    credit = pandas.read_csv(next((data / "uci_credit_default").glob("*.csv")))
    target = [c for c in credit.columns if "default" in c.lower()][0]
    yield "credit", credit.drop(columns=[target]).select_dtypes("number"), credit[target].astype(int), "binary"
    wine = pandas.read_csv(next((data / "wine_quality").glob("*red*.csv")), sep=None, engine="python")
    quality = wine["quality"].clip(4, 7) - 4
    yield "wine", wine.drop(columns=["quality"]), quality.astype(int), "multiclass"
    bike = pandas.read_csv(next((data / "bike_sharing").glob("*hour*.csv")))
    x = bike.select_dtypes("number").drop(columns=["cnt", "casual", "registered", "instant"])
    yield "bike", x, bike["cnt"].astype(float), "regression"


def train(job):
    import interchange

    folder = pathlib.Path(job["train"])
    interchange.N_TREES, interchange.DEPTH = 30, 6
    cases = []
    for table, x, y, task in real_tables(job["data"]):
        x, y = x.to_numpy(dtype=np.float32), y.to_numpy()
        tables = {"clean": x, "missing": x.copy()}
        tables["missing"][np.random.default_rng(5).random(x.shape) < 0.03] = np.nan
        for name, values in tables.items():
            values.astype("<f4").tofile(folder / f"{table}_{name}.x")
        here = folder / table
        made = interchange.Cases(here, tables)
        # Trained on few rows, to be fast; all rows are scored.
        interchange.sklearn_cases(made, {task: y}, 3000)
        interchange.booster_cases(made, {task: y}, 3000, rounds=100)
        for case in made.cases:
            out = here / (case["file"] + ".scores")
            np.asarray(case["scores"], dtype="<f8").tofile(out)
            runtime = None
            if "onnxruntime" in case:
                runtime = here / (case["file"] + ".runtime")
                np.asarray(case["onnxruntime"], dtype="<f8").tofile(runtime)
            cases.append({
                "model": str(here / case["file"]), "x": str(folder / f"{table}_{case['table']}.x"),
                "n_features": x.shape[1], "scores": str(out), "runtime": runtime and str(runtime), "name": f"{table}/{case['file']}",
            })
    (folder / "cases.json").write_text(json.dumps(cases))


def main():
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for one in job.get("score", []):
        score(one)
    for one in job.get("columns", []):
        columns(one)
    if "train" in job:
        train(job)


if __name__ == "__main__":
    main()
