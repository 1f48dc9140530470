"""Profiles a table on a Spark cluster: each partition through `mlloop profile`, then one merge.

    spark-submit scripts/spark_profile.py --loop loops/churn --output whole.json hdfs:///events/2026-11
    mlloop -C loops/churn monitor --current-profile whole.json

The table is Parquet, or the format of --format (csv, json, orc, …). The columns are those of the loop's mlloop.toml. Only
the profiles are sent to the driver: some kilobytes per partition. Executors need pyarrow and mlloop: the binary of
--mlloop is sent to them, unless it is `mlloop`, which must be on their PATH.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from pyspark import SparkFiles
from pyspark.sql import SparkSession


def mlloop(program, *args, cwd):
    """Runs mlloop; returns its output. Its one line on stderr becomes the error of the task."""
    if os.sep in program:
        # Spark does not keep the execute permission.
        path = os.path.join(cwd, "mlloop")
        shutil.copyfile(program if os.path.exists(program) else SparkFiles.get(os.path.basename(program)), path)
        os.chmod(path, 0o755)
        program = path
    done = subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def profile_of(program):
    """The work of each task on the rows of its partition."""

    def profile(batches):
        import pyarrow
        import pyarrow.parquet

        with tempfile.TemporaryDirectory() as folder:
            writer = None
            for batch in batches:
                if writer is None:
                    writer = pyarrow.parquet.ParquetWriter(os.path.join(folder, "part.parquet"), batch.schema)
                if batch.num_rows:
                    writer.write_batch(batch)
            if writer is None:
                return
            writer.close()
            shutil.copyfile(SparkFiles.get("mlloop.toml"), os.path.join(folder, "mlloop.toml"))
            found = mlloop(program, "profile", "part.parquet", "--json", cwd=folder)
            yield pyarrow.RecordBatch.from_pydict({"profile": [found]})

    return profile


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="+")
    parser.add_argument("--loop", default=".", help="the folder with mlloop.toml (default: this one)")
    parser.add_argument("--output", required=True, help="where the merged profile goes")
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--mlloop", default="mlloop", help="the program: a path is sent to the executors")
    args = parser.parse_args()
    spark = SparkSession.builder.appName("mlloop profile").getOrCreate()
    spark.sparkContext.addFile(os.path.abspath(os.path.join(args.loop, "mlloop.toml")))
    program = args.mlloop
    if os.sep in program:
        program = os.path.abspath(program)
        spark.sparkContext.addFile(program)
    table = spark.read.format(args.format).option("header", "true").load(args.table)
    profiles = table.mapInArrow(profile_of(program), "profile string").collect()
    if not profiles:
        sys.exit("the table has no rows")
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for n, row in enumerate(profiles):
            parts.append(os.path.join(folder, f"part-{n}.json"))
            with open(parts[-1], "w") as file:
                file.write(row.profile)
        whole = mlloop(program, "profile", "--merge", *parts, "--json", cwd=folder)
    beside = args.output + ".part"
    with open(beside, "w") as file:
        file.write(whole)
    os.replace(beside, args.output)
    print(f"{args.output}: {len(profiles)} partitions")


if __name__ == "__main__":
    main()
