"""Scores a table on a Spark cluster: each partition through `mlloop predict`, with a version of a loop.

    spark-submit scripts/spark_score.py --loop loops/churn --output hdfs:///scored/2026-11 hdfs:///events/2026-11

The table is Parquet, or the format of --format; the output is Parquet with the same rows and columns in each partition,
followed by the columns of the scores. Spark commits the files of a task when it succeeds, so a task that fails and runs
again leaves no duplicate rows. Executors need pyarrow and mlloop: the binary of --mlloop is sent to them, unless it is
`mlloop`, which must be on their PATH; the version is sent, too. Versions with windows over earlier rows are refused,
because each partition is scored separately.
"""
import argparse
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

from pyspark import SparkFiles
from pyspark.sql import SparkSession

PACK = "mlloop-version.tar.gz"


def unpacked(program, folder):
    """Copies the version into a folder; returns the program to run there."""
    with tarfile.open(SparkFiles.get(PACK)) as pack:
        pack.extractall(folder)
    if os.sep not in program:
        return program
    # Spark does not keep the execute permission.
    path = os.path.join(folder, "mlloop")
    shutil.copyfile(SparkFiles.get(os.path.basename(program)), path)
    os.chmod(path, 0o755)
    return path


def run(program, *args, cwd):
    """Runs mlloop; returns its output. Its one line on stderr becomes the error of the task."""
    done = subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def score_with(program, version, answers):
    """The work of each task on the rows of its partition."""

    def score(batches):
        import pyarrow
        import pyarrow.parquet

        with tempfile.TemporaryDirectory() as folder:
            mlloop = unpacked(program, folder)
            path = {name: os.path.join(folder, name) for name in ("rows.parquet", "scores.parquet")}
            writer = None
            for batch in batches:
                if writer is None:
                    writer = pyarrow.parquet.ParquetWriter(path["rows.parquet"], batch.schema)
                if batch.num_rows:
                    writer.write_batch(batch)
            if writer is None:
                return
            writer.close()
            run(mlloop, "predict", "rows.parquet", "--model", version, "--columns", ",".join(answers), "-o", "scores.parquet",
                cwd=folder)
            scores = pyarrow.parquet.ParquetFile(path["scores.parquet"]).iter_batches(10_000)
            n_rows, n_scores = 0, 0
            for batch in pyarrow.parquet.ParquetFile(path["rows.parquet"]).iter_batches(10_000):
                found = next(scores)
                if found.num_rows != batch.num_rows:
                    raise RuntimeError(f"{batch.num_rows} rows have {found.num_rows} scores")
                columns = batch.columns + [found.column(found.schema.get_field_index(name)) for name in answers]
                yield pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names + answers)

    return score


def answers_of(program, loop, version, first):
    """The columns that are added, and their types in Spark: determined from the first row."""
    with tempfile.TemporaryDirectory() as folder:
        import pyarrow.parquet

        first.to_parquet(os.path.join(folder, "first.parquet"), index=False)
        table = os.path.join(folder, "first.parquet")
        out = run(program, "-C", loop, "predict", table, "--model", version, cwd=os.getcwd())
        names = next(csv.reader(io.StringIO(out)))[len(first.columns):]
        scored = os.path.join(folder, "scored.parquet")
        run(program, "-C", loop, "predict", table, "--model", version, "--columns", ",".join(names), "-o", scored, cwd=os.getcwd())
        kinds = {"double": "double", "string": "string"}
        return [(name, kinds[str(pyarrow.parquet.read_schema(scored).field(name).type)]) for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="+")
    parser.add_argument("--loop", default=".", help="the folder with mlloop.toml (default: this one)")
    parser.add_argument("--model", help="the version (default: production)")
    parser.add_argument("--output", required=True, help="the folder for the scored table; it must not exist")
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--mlloop", default="mlloop", help="the program: a path is sent to the executors")
    args = parser.parse_args()
    program = os.path.abspath(args.mlloop) if os.sep in args.mlloop else args.mlloop
    loop = os.path.abspath(args.loop)
    version = args.model
    if version is None:
        with open(os.path.join(loop, "models", "roles.json")) as file:
            version = json.load(file).get("production")
        if version is None:
            sys.exit("nothing is in production: name a version with --model")
    if os.path.exists(os.path.join(loop, "models", version, "past.csv")):
        sys.exit(f"{version} has windows over earlier rows, which may be in another partition: `mlloop predict` scores it")
    spark = SparkSession.builder.appName("mlloop score").getOrCreate()
    table = spark.read.format(args.format).option("header", "true").load(args.table)
    first = table.limit(1).toPandas()
    if first.empty:
        sys.exit("the table has no rows")
    answers = answers_of(program, loop, version, first)
    with tempfile.TemporaryDirectory() as folder:
        pack = os.path.join(folder, PACK)
        with tarfile.open(pack, "w:gz") as out:
            for name in ("mlloop.toml", "audit.jsonl", "models/roles.json", f"models/{version}"):
                if os.path.exists(os.path.join(loop, name)):
                    out.add(os.path.join(loop, name), name)
        spark.sparkContext.addFile(pack)
        if os.sep in program:
            spark.sparkContext.addFile(program)
        columns = ", ".join([f"`{f.name.replace('`', '``')}` {f.dataType.simpleString()}" for f in table.schema.fields]
                            + [f"`{name}` {kind}" for name, kind in answers])
        scored = table.mapInArrow(score_with(program, version, [name for name, _ in answers]), columns)
        scored.write.parquet(args.output)
    print(f"{args.output}: scored by {version}")


if __name__ == "__main__":
    main()
