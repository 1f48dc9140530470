"""The scripts for Spark on a real pyspark, in local-cluster mode where it runs: one profile of many partitions, and scores."""
import json
import math
import os
import subprocess
import time

from _common import MLLOOP, ROOT, environment, mlloop, version, workplace

PYTHON = environment("spark", "pyspark>=3.5,<4.2", "pyarrow", "pandas")
N, PARTITIONS = 60_000, 5

MAKE = """
import sys, numpy, pandas
rng = numpy.random.default_rng(5)
n = int(sys.argv[1])
x = rng.normal(size=n)
x[rng.random(n) < 0.03] = numpy.nan
table = pandas.DataFrame({
    "id": [f"r{i:07d}" for i in range(n)],
    "x": x,
    "steps": rng.integers(0, 500, n),
    "kind": pandas.Series(rng.choice(["a", "b, c", 'd"e'], n)).mask(rng.random(n) < 0.02),
    "at": pandas.Timestamp("2026-01-01", tz="UTC") + pandas.to_timedelta(rng.integers(0, 300, n), "D"),
})
table["y"] = ((numpy.nan_to_num(x) + table["steps"] / 250 + rng.normal(size=n)) > 1.5).astype(int)
table["at"] = table["at"].astype("datetime64[us, UTC]")
table.to_parquet("whole.parquet", index=False)
table.head(20_000).to_csv("reference.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
size = n // int(sys.argv[2]) + 1
import os
os.mkdir("parts")
for k in range(0, n, size):
    table.iloc[k:k + size].to_parquet(f"parts/part-{k:07d}.parquet", index=False)
"""

# What Spark's own functions say of a sketch that mlloop made.
SKETCH = """
import base64, json, sys
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.master("local[1]").getOrCreate()
if not hasattr(F, "kll_sketch_get_quantile_double"):
    print(json.dumps(None))
    sys.exit()
row = spark.createDataFrame([(bytearray(base64.b64decode(sys.stdin.read())),)], "s binary")
found = row.select(F.kll_sketch_get_quantile_double("s", F.lit(0.5)), F.kll_sketch_get_n_double("s")).first()
print(json.dumps(list(found)))
"""

# Fails the first time in each folder of marks: a task that dies is run again by Spark.
FLAKY = """#!/bin/sh
case "$*" in *rows.parquet*)
    size=$(wc -c < rows.parquet)
    if mkdir "%s/$size" 2>/dev/null; then echo "mlloop: made up" >&2; exit 2; fi;;
esac
exec "%s" "$@"
"""


def submit(script, *args, cwd, master, status=0):
    """Runs a script as spark-submit does; how long it took, and what was said."""
    env = {**os.environ, "PYSPARK_PYTHON": str(PYTHON), "PYSPARK_DRIVER_PYTHON": str(PYTHON), "PYSPARK_SUBMIT_ARGS":
           f"--master {master} --conf spark.ui.enabled=false --conf spark.driver.bindAddress=127.0.0.1 "
           "--conf spark.driver.host=127.0.0.1 --conf spark.sql.shuffle.partitions=4 --conf spark.executor.memory=1g pyspark-shell"}
    began = time.monotonic()
    done = subprocess.run([PYTHON, ROOT / "scripts" / script, *map(str, args)], cwd=cwd, capture_output=True, text=True, env=env)
    assert done.returncode == status, done.stdout + done.stderr[-4000:]
    return time.monotonic() - began, done.stdout + done.stderr


def same(ours, theirs):
    """One process and many partitions: counts and levels to the last digit, moments to rounding, sketches within their error."""
    assert ours["n_rows"] == theirs["n_rows"] == N
    sketched = None
    for a, b in zip(ours["columns"], theirs["columns"], strict=True):
        assert (a["name"], a["kind"], a["n_missing"]) == (b["name"], b["kind"], b["n_missing"])
        if "levels" in (a["shape"] if isinstance(a["shape"], dict) else {}):
            assert a["shape"] == b["shape"], a["name"]
        if not isinstance(a["shape"], dict) or "numbers" not in a["shape"]:
            continue
        a, b, name = a["shape"]["numbers"], b["shape"]["numbers"], a["name"]
        for key in ("n", "min", "max"):
            assert a["moments"][key] == b["moments"][key], (name, key)
        for key in ("mean", "m2"):
            assert math.isclose(a["moments"][key], b["moments"][key], rel_tol=1e-12, abs_tol=1e-12), (name, key)
        if "exact" in a["distribution"]:
            assert a["distribution"] == b["distribution"], name
        else:
            sketched = b["distribution"]["kll"]
    assert sketched, "no column is sketched: the test shows less than it says"
    return sketched


def main():
    work = workplace()
    found = subprocess.run([PYTHON, "-c", "import pyspark; print(pyspark.__version__)"], capture_output=True, text=True, check=True)
    subprocess.run([PYTHON, "-c", MAKE, str(N), str(PARTITIONS)], cwd=work, check=True)
    mlloop("init", "reference.csv", "--target", "y", "--positive", "1", cwd=work)
    mlloop("train", "--set", "model.n_estimators=20", cwd=work)

    master = "local-cluster[2,1,1024]"
    try:
        took, _ = submit("spark_profile.py", "--output", "spark.json", "--mlloop", MLLOOP, "parts", cwd=work, master=master)
    except AssertionError as err:
        print(f"local-cluster mode does not run here: {str(err).strip().splitlines()[-1][:200]}")
        master = "local[2,4]"
        took, _ = submit("spark_profile.py", "--output", "spark.json", "--mlloop", MLLOOP, "parts", cwd=work, master=master)
    version(f"{found.stdout.strip()} ({master})")
    began = time.monotonic()
    out, _ = mlloop("profile", "whole.parquet", "--json", cwd=work)
    print(f"profile of {N} rows: {took:.1f} s by Spark, {time.monotonic() - began:.1f} s by one process")
    with open(work / "spark.json") as file:
        merged = json.load(file)
    sketch = same(json.loads(out), merged)
    read = subprocess.run([PYTHON, "-c", SKETCH], input=sketch, capture_output=True, text=True, cwd=work)
    told = json.loads(read.stdout.strip().splitlines()[-1]) if read.returncode == 0 else None
    if told is None:
        print("this Spark has no functions for KLL sketches", read.stderr[-300:])
    else:
        # The median of a normal distribution, within the rank error of the sketch.
        assert abs(told[0]) < 0.05 and told[1] > 0.95 * N, told

    # The verdict on the merged profile is the verdict on the table.
    quiet = ("--json", "--set", "monitor.triggers.new_rows=false")
    here, _ = mlloop("monitor", "whole.parquet", *quiet, cwd=work, status=1)
    there, _ = mlloop("monitor", "--current-profile", "spark.json", *quiet, cwd=work, status=1)
    of = lambda text: {c["name"]: c["verdict"] for c in json.loads(text)["columns"]}
    assert of(here) == of(there), (of(here), of(there))

    # Scores: the rows of every partition, each once, although the first try of every task fails.
    marks = work / "marks"
    marks.mkdir()
    flaky = work / "flaky"
    flaky.write_text(FLAKY % (marks, MLLOOP))
    flaky.chmod(0o755)
    took, said = submit("spark_score.py", "--output", "scored", "--mlloop", flaky, "parts", cwd=work, master="local[2,4]")
    n_marks = len(list(marks.iterdir()))
    assert n_marks, "no task has failed: the test shows less than it says"
    print(f"scores of {N} rows: {took:.1f} s by Spark, {n_marks} tasks that failed once")
    check = """
import pandas
scored = pandas.read_parquet("scored")
whole = pandas.read_parquet("whole.parquet")
one = pandas.read_csv("one.csv")
assert len(scored) == len(whole) and scored["id"].is_unique, (len(scored), len(whole))
scored = scored.sort_values("id").reset_index(drop=True)
assert list(scored.columns) == [*whole.columns, "prediction", "score"], list(scored.columns)
for column in ("id", "steps", "y"):
    assert (scored[column] == whole[column]).all(), column
assert (scored["score"] == one["score"]).all() and (scored["prediction"].astype(str) == one["prediction"].astype(str)).all()
"""
    out, _ = mlloop("predict", "whole.parquet", "--columns", "prediction,score", cwd=work)
    (work / "one.csv").write_text(out)
    done = subprocess.run([PYTHON, "-c", check], cwd=work, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    # What cannot be scored fails the job with mlloop's own line, and leaves no finished table.
    (work / "bad").mkdir()
    subprocess.run([PYTHON, "-c", "import pandas; pandas.read_parquet('whole.parquet').head(50).drop(columns='steps').to_parquet('bad/p.parquet')"],
                   cwd=work, check=True)
    _, said = submit("spark_score.py", "--output", "none", "--mlloop", MLLOOP, "bad", cwd=work, master="local[2,1]", status=1)
    assert 'missing column "steps"' in said, said[-2000:]
    assert not os.path.exists(work / "none" / "_SUCCESS")


if __name__ == "__main__":
    main()
