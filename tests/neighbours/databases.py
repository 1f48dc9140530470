"""DuckDB and SQLite by pipe, as docs/databases.md shows it: rows out of one, scores back into it."""
import csv
import io
import sqlite3
import subprocess

from _common import CHURN, MLLOOP, environment, mlloop, version, workplace

PYTHON = environment("databases", "duckdb>=1.0")

# `duckdb FILE -csv -c QUERY`, which its package for Python does not bring.
QUERY = """
import sys, duckdb
base = duckdb.connect(sys.argv[1])
if sys.argv[2] == "fill":
    base.execute("create table churn as select * from read_csv(?, all_varchar = false)", [sys.argv[3]])
elif sys.argv[2] == "out":
    base.sql("select * from churn order by customer").write_csv("/dev/stdout", header=True)
else:
    print(base.execute("select count(*), count(distinct customer), avg(score) from read_parquet(?)", [sys.argv[3]]).fetchone())
print(duckdb.__version__, file=sys.stderr)
"""


def main():
    work = workplace()
    mlloop("init", CHURN, cwd=work)
    mlloop("train", "--set", "model.n_estimators=20", cwd=work)
    whole, _ = mlloop("predict", CHURN, "--columns", "customer,score", cwd=work)
    expected = dict(line.split(",") for line in whole.split()[1:])
    mean = sum(map(float, expected.values())) / len(expected)

    duck = [PYTHON, "-c", QUERY, work / "shop.duckdb"]
    filled = subprocess.run([*duck, "fill", CHURN], capture_output=True, text=True, check=True)
    out = subprocess.run([*duck, "out"], capture_output=True, check=True)
    scored = subprocess.run([MLLOOP, "predict", "-", "-o", "scored.parquet"], cwd=work, input=out.stdout, capture_output=True)
    assert scored.returncode == 0, scored.stderr
    told = subprocess.run([*duck, "back", work / "scored.parquet"], capture_output=True, text=True, check=True)
    n, distinct, average = eval(told.stdout)
    assert (n, distinct) == (1200, 1200) and abs(average - mean) < 1e-6, (told.stdout, mean)

    base = sqlite3.connect(work / "shop.sqlite")
    with open(CHURN) as file:
        header, *rows = csv.reader(file)
    base.execute(f"create table churn ({', '.join(header)})")
    # An empty cell is NULL there, and comes back as an empty cell.
    base.executemany(f"insert into churn values ({','.join('?' * len(header))})", [[cell or None for cell in row] for row in rows])
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(header)
    sheet.writerows(base.execute("select * from churn"))
    done = subprocess.run([MLLOOP, "predict", "-", "--columns", "customer,score"], cwd=work, input=text.getvalue().encode(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert dict(line.split(",") for line in done.stdout.decode().split()[1:]) == expected
    version(f"duckdb {filled.stderr.strip().splitlines()[-1]}, sqlite {sqlite3.sqlite_version}")


if __name__ == "__main__":
    main()
