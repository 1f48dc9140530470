#!/usr/bin/env python3
"""Runs mlloop and its Python peers side by side and prints a Markdown table of medians and ratios,
each job as soon as it is measured.

usage: scripts/bench.py [--jobs forest,boost,…] [--rows N] [--repeats N] [--json FILE] [--venv DIR] [--work DIR]

Every measurement is a whole process, started in turn (ours, peer, peer, ours, …) so that a busy machine affects all of
them equally. CPU time (user + system), wall time and peak memory come from the kernel's accounting of that process
(wait4). Threads of OpenMP wait without spinning (OMP_WAIT_POLICY), so that peers on a busy machine are not charged for
waiting. Figures of mlloop are for whole processes, too: `init` has run before; `train` reads the CSV file, fits on the
65 % of the rows that are neither for tuning nor for the gate, calibrates, evaluates and stores a version. The peers
only read, fit on all rows and score the test table. "fit alone" is the CPU time of the fit in each process: ours then
also fits on all rows, from typed columns to a model, as the peers do from a data frame to a model. A small run of
about a minute: --rows 20000 --repeats 1. The virtual environment is made on the first run from
scripts/bench/requirements.txt. Needs target/release/mlloop (cargo build --release). scripts/bench/quality.py compares
the quality of models with LightGBM, CatBoost and others on real tables (docs/quality.md).
"""

import argparse
import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "scripts" / "bench"
PEERS = HERE / "peers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
MLLOOP = TARGET / "release" / "mlloop"
ROUNDS, LEAVES = 200, 31
FIT_ALONE = "mlloop, fit alone"


def main():
    args = parse()
    python = environment(Path(args.venv))
    work = Path(args.work or tempfile.mkdtemp(prefix="mlloop-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(python, work, args.rows, args.repeats)
    results = []
    for name in args.jobs:
        print(f"bench: {name}", file=sys.stderr)
        title, rows, job = JOBS[name]
        results.append({"job": name, "title": title.format(args.rows or rows), "runs": job(bench)})
        print(table(results[-1:], header=len(results) == 1), flush=True)
    if args.json:
        about = {"rows": args.rows, "repeats": args.repeats, "cpus": os.cpu_count(), "jobs": results}
        Path(args.json).write_text(json.dumps(about, indent=1) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default=",".join(JOBS), help="of: " + ", ".join(JOBS))
    parser.add_argument("--rows", type=int, default=0, help="rows of every table (0: as in the table of targets)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="also write the figures here")
    parser.add_argument("--venv", default=str(TARGET / "bench-venv"))
    parser.add_argument("--work", help="keep tables and models here (default: a new temporary folder)")
    args = parser.parse_args()
    args.jobs = args.jobs.split(",")
    unknown = [job for job in args.jobs if job not in JOBS]
    if unknown:
        parser.error(f"unknown job {', '.join(unknown)}; known: {', '.join(JOBS)}")
    if not MLLOOP.exists():
        parser.error(f"{MLLOOP} is missing; run: cargo build --release")
    return args


def environment(folder, requirements="requirements.txt"):
    """The Python of the virtual environment, created with the pinned peers if it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"bench: making {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        wanted = str(HERE / requirements)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
    return str(python)


class Bench:
    """Runs processes and records their resource usage."""

    def __init__(self, python, work, rows, repeats):
        self.python, self.work, self.rows, self.repeats = python, work, rows, repeats

    def peer(self, script, *arguments):
        return [self.python, str(PEERS / script), *map(str, arguments)]

    def tables(self, rows, n_categories, share_positive, seed):
        """Paths of the training and the test table, made once."""
        rows = self.rows or rows
        stem = f"{rows}_{n_categories}"
        train, test = self.work / f"train_{stem}.csv", self.work / f"test_{stem}.csv"
        if not test.exists():
            code = "import sys; sys.path.insert(0, sys.argv[1]); import tables; tables.make(*sys.argv[2:4], "
            code += f"{rows}, {n_categories}, {share_positive}, {seed})"
            subprocess.run([self.python, "-c", code, str(HERE), train, test], check=True)
        return train, test

    def workspace(self, train, name, target="y", **settings):
        """A folder after `mlloop init`, with `settings` written into its mlloop.toml."""
        folder = self.work / name
        folder.mkdir(exist_ok=True)
        config = folder / "mlloop.toml"
        if not config.exists():
            command = [MLLOOP, "-C", folder, "-q", "init", train, "--target", target]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            text = config.read_text()
            for key, value in settings.items():
                line = f"{key} = {json.dumps(value)}"
                text, found = re.subn(rf"(?m)^#?\s*{key}\s*=.*$", line, text, count=1)
                if not found:
                    text = re.sub(r"(?m)^\[model\].*$", lambda m: f"{m[0]}\n{line}", text, count=1)
            config.write_text(text)
        return folder

    def forest(self, train, name):
        """The peers' forest, and a workspace that has imported it, so that all score the same trees; made once."""
        folder, stored, onnx = self.workspace(train, name), self.work / f"{name}.joblib", self.work / f"{name}.onnx"
        if not onnx.exists():
            self.run(self.peer("make_forest.py", train, stored, onnx))
            subprocess.run([MLLOOP, "-C", folder, "-q", "train", "--from", onnx], check=True, stdout=subprocess.DEVNULL)
        return folder, stored, onnx

    def run(self, command):
        """One process: its resource usage, and its JSON output."""
        start = time.perf_counter()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            env = {**os.environ, "OMP_WAIT_POLICY": "passive"}
            child = subprocess.Popen([str(c) for c in command], stdout=out, stderr=err, env=env)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            wall = time.perf_counter() - start
            out.seek(0), err.seek(0)
            said = out.read().decode(errors="replace")
            if child.returncode != 0:
                sys.exit(f"bench: {' '.join(map(str, command))}\n{err.read().decode(errors='replace')}")
        figures = {"cpu_s": used.ru_utime + used.ru_stime, "wall_s": wall, "memory_mb": used.ru_maxrss / 1024}
        if said.startswith("{"):
            figures.update({k: v for k, v in json.loads(said).items() if isinstance(v, (int, float))})
        return figures

    def side_by_side(self, commands, repeats=None):
        """Medians of each command; all commands are run in turn, several times."""
        runs = {name: [] for name in commands}
        for _ in range(repeats or self.repeats):
            for name, command in commands.items():
                runs[name].append(self.run(command))
        return {name: {k: statistics.median(r[k] for r in of) for k in of[0]} for name, of in runs.items()}

    def roc_auc(self, folder, test):
        """The ROC-AUC of mlloop on the test table."""
        scored = folder / "scored.csv"
        subprocess.run([MLLOOP, "-C", folder, "-q", "predict", test, "-o", scored], check=True)
        code = "import sys, pandas as p; from sklearn.metrics import roc_auc_score as auc; "
        code += "print(auc(p.read_csv(sys.argv[1])['y'], p.read_csv(sys.argv[2])['score']))"
        done = subprocess.run([self.python, "-c", code, test, scored], check=True, capture_output=True, text=True)
        return float(done.stdout)

    def train(self, name, table, peers, **settings):
        """Ours against peers, each from the CSV file to a fitted model; and our fit alone, when its example is built."""
        train, test = table
        folder = self.workspace(train, name, **settings)
        commands = {"mlloop": [MLLOOP, "-C", folder, "--threads", "2", "-q", "train"]}
        fit = MLLOOP.parent / "examples" / "fit"
        if settings and fit.exists():
            commands[FIT_ALONE] = [fit, folder, train, test]
        arguments = (train, test, ROUNDS, LEAVES)
        runs = self.side_by_side({**commands, **{p: self.peer(s, *arguments) for p, s in peers.items()}})
        runs["mlloop"]["roc_auc"] = self.roc_auc(folder, test)
        for key in ("cpu_s", "wall_s", "memory_mb"):
            runs.get(FIT_ALONE, {}).pop(key, None)
        return runs


def forest(bench):
    return bench.train(
        "forest", bench.tables(284_807, 0, 0.01, 1), {"scikit-learn": "sklearn_forest.py"},
        algorithm="random-forest", n_estimators=100, max_depth=10, min_samples_leaf=1,
    )


BOOSTERS = {"LightGBM": "lightgbm_boost.py", "XGBoost": "xgboost_boost.py"}
BOOSTING = dict(
    algorithm="gradient-boosting", n_estimators=ROUNDS, max_leaves=LEAVES, max_depth=0, learning_rate=0.1,
    grow_policy="lossguide", early_stopping_rounds=0, subsample=1.0, colsample_bytree=1.0,
)


def boost(bench):
    return bench.train("boost", bench.tables(284_807, 0, 0.01, 1), BOOSTERS, **BOOSTING)


def boost_mixed(bench):
    return bench.train("boost_mixed", bench.tables(1_000_000, 10, 0.2, 2), BOOSTERS, **BOOSTING)


def train_default(bench):
    peers = {"pandas + LightGBM": "lightgbm_boost.py"}
    return bench.train("train_default", bench.tables(1_000_000, 10, 0.2, 2), peers)


def score(bench):
    """All three write only the scores."""
    train, test = bench.tables(284_807, 0, 0.01, 1)
    folder, stored, onnx = bench.forest(train, "score")
    out = bench.work / "out.csv"
    return bench.side_by_side({
        "mlloop": [MLLOOP, "-C", folder, "--threads", "2", "-q", "predict", train, "--columns", "score", "-o", out],
        "scikit-learn + pandas": bench.peer("sklearn_predict.py", stored, train, out),
        "onnxruntime + pandas": bench.peer("onnx_predict.py", onnx, train, out),
    })


def row(bench):
    """Ours is measured by an example program of the library, when it is built."""
    train, test = bench.tables(284_807, 0, 0.01, 1)
    score(Bench(bench.python, bench.work, bench.rows, 1))
    commands = {"onnxruntime": bench.peer("onnx_row.py", bench.work / "score.onnx", test)}
    example = MLLOOP.parent / "examples" / "one_row"
    if example.exists():
        commands = {"mlloop": [example, bench.work / "score", test], **commands}
    return bench.side_by_side(commands)


def derived(bench):
    """30 derived features: cells a second on one thread, and one row as in a request."""
    return bench.side_by_side({"mlloop": [MLLOOP.parent / "examples" / "derived"]})


def monitor(bench):
    """CSV on disk to a JSON report; mlloop also against its stored profile, which saves reading one of the tables."""
    rows = bench.rows or 1_000_000
    # Evidently needs an older pandas than the other peers.
    python = environment(TARGET / "bench-venv-drift", "requirements-drift.txt")
    peer = lambda script: [python, PEERS / script, reference, current, bench.work / "drift.json"]
    reference, current = bench.work / f"reference_{rows}.csv", bench.work / f"current_{rows}.csv"
    for path, seed, shift in ((reference, 3, 0.0), (current, 4, 0.25)):
        if not path.exists():
            subprocess.run([python, HERE / "drift.py", path, str(rows), str(seed), str(shift)], check=True)
    ours = [MLLOOP, "--threads", "2", "-q", "--exit-zero", "monitor", "--reference", reference, current]
    folder = bench.workspace(reference, f"monitor_{rows}", target="v19", n_estimators=20)
    if not (folder / "models").exists():
        subprocess.run([MLLOOP, "-C", folder, "-q", "train"], check=True)
    stored = [MLLOOP, "-C", folder, "--threads", "2", "-q", "--exit-zero", "monitor", current, "--formats", "json"]
    return bench.side_by_side({
        "mlloop": stored,
        "mlloop, two tables": ours,
        "mlloop, two tables, --exact": [*ours, "--exact"],
        "polars + scipy": peer("polars_drift.py"),
        "Evidently": peer("evidently_drift.py"),
    })


def monitor_small(bench):
    return monitor(Bench(bench.python, bench.work, 10_000, bench.repeats))


def labels(bench):
    """Rows to label out of a log of predictions, and importing answers for a tenth of the log."""
    rows = bench.rows or 1_000_000
    train, _ = bench.tables(rows, 10, 0.2, 2)
    folder = bench.workspace(train, f"labels_{rows}", n_estimators=100)
    ours = [MLLOOP, "-C", folder, "--threads", "2", "-q"]
    if not (folder / "predictions").exists():
        subprocess.run([*ours, "train"], check=True)
        subprocess.run([*ours, "predict", train, "--log"], check=True)
    runs = bench.side_by_side({"mlloop label-export -n 500": [*ours, "label-export", "-n", "500", "--force"]})
    export = [*ours, "label-export", "-n", str(rows // 10), "--strategy", "random", "--force"]
    runs["mlloop label-export of a tenth"] = bench.run(export)
    out, back = folder / "label_inbox" / "to_label.csv", folder / "back.csv"
    with open(out, newline="") as asked, open(back, "w", newline="") as answered:
        table = csv.reader(asked)
        writer, header = csv.writer(answered), next(table)
        writer.writerow(header)
        for n, record in enumerate(table):
            record[header.index("y")] = int(n % 5 == 0)
            writer.writerow(record)
    runs["mlloop label-import of a tenth"] = bench.run([*ours, "label-import", back])
    return runs


def log(bench):
    """The cost of a million logged predictions: to write them, to join them with later labels, to find one row."""
    rows = bench.rows or 1_000_000
    table, _ = bench.tables(rows, 10, 0.2, 2)
    folder = bench.workspace(table, f"log_{rows}", n_estimators=50)
    if not (folder / "models").exists():
        subprocess.run([MLLOOP, "-C", folder, "-q", "train", "--now", "2026-01-01T00:00:00Z"], check=True)
    ours = [MLLOOP, "-C", folder, "--threads", "2", "-q", "--exit-zero", "--now", "2026-01-02T00:00:00Z"]
    predictions, labels = folder / "predictions", folder / "data" / "labels.csv"
    shutil.rmtree(predictions, ignore_errors=True)
    predict = [*ours, "predict", table, "-o", bench.work / "out.csv"]
    written = {"mlloop predict": predict, "mlloop predict --log": [*predict, "--log"]}
    runs = bench.side_by_side(written, repeats=1)
    if not labels.exists():
        labels.parent.mkdir(exist_ok=True)
        code = "import sys, pandas as p; t = p.read_csv(sys.argv[1], usecols=['id', 'y'], dtype={'id': str})[::10]; "
        code += "t = t.rename(columns={'y': 'label'}).assign(annotator='ann', labelled_at='2026-01-02', source='human'); "
        code += "t.to_csv(sys.argv[2], index=False)"
        subprocess.run([bench.python, "-c", code, table, labels], check=True)
    with open(table) as lines:
        row = lines.readlines(1 << 20)[1].split(",")[0]
    read = bench.side_by_side({
        "mlloop": [*ours, "monitor", "--formats", "json"],
        "pandas": bench.peer("pandas_log.py", predictions, labels),
        "mlloop audit --for": [*ours, "audit", "--for", row],
        "mlloop feedback": [*ours, "feedback", row, "correct"],
    })
    return {**read, **runs}


def start(bench):
    return bench.side_by_side({"mlloop": [MLLOOP, "--version"]}, repeats=20)


def serve(bench, rows=1, n_requests=20_000):
    """Servers under load; the load is an example program of the library."""
    sys.path.insert(0, str(HERE))
    import serving

    python = environment(TARGET / "bench-venv-serve", "requirements-serve.txt")
    served = Bench(python, bench.work, bench.rows, bench.repeats)
    return serving.serve(served, MLLOOP, MLLOOP.parent / "examples" / "load", rows, n_requests)


def serve_100(bench):
    return serve(bench, rows=100, n_requests=2_000)


# title, rows of the table when --rows does not say otherwise, function
JOBS = {
    "forest": ("forest, 100 trees, depth 10, {} × 30", 284_807, forest),
    "boost": ("boosting, 200 rounds, 31 leaves, {} × 30", 284_807, boost),
    "boost-mixed": ("boosting, 200 rounds, 31 leaves, {} × 30 with 10 categories", 1_000_000, boost_mixed),
    "train-default": ("train with default settings, {} × 30 with 10 categories", 1_000_000, train_default),
    "score": ("batch scoring, CSV to CSV, {} rows, 400 trees of depth 10", 284_807, score),
    "row": ("one row in process, 400 trees of depth 10", 284_807, row),
    "derived": ("30 derived features, 200 000 rows; then one row", 0, derived),
    "monitor": ("monitor, {} × 30 with 10 categories", 1_000_000, monitor),
    "monitor-small": ("monitor, 10 000 × 30 with 10 categories", 10_000, monitor_small),
    "labels": ("labels, {} logged predictions × 30", 1_000_000, labels),
    "log": ("{} logged predictions and labels for a tenth of them", 1_000_000, log),
    "serve": ("serve, one row a request, 400 trees of depth 10; per 1000 requests", 50_000, serve),
    "serve-100": ("serve, 100 rows a request, 400 trees of depth 10; per 1000 requests", 50_000, serve_100),
    "start": ("mlloop --version", 0, start),
}

COLUMNS = [
    ("cpu_s", "CPU s", "{:.3f}"), ("wall_s", "wall s", "{:.3f}"), ("memory_mb", "peak MB", "{:.0f}"),
    ("fit_cpu_s", "fit CPU s", "{:.2f}"), ("roc_auc", "ROC-AUC", "{:.4f}"), ("row_us", "µs a row", "{:.1f}"),
    ("cells_per_s", "cells a second", "{:.2e}"),
    ("request_us", "CPU µs a request", "{:.0f}"), ("p50_us", "p50 µs", "{:.0f}"),
    ("p99_us", "p99 µs", "{:.0f}"), ("start_cpu_s", "start CPU s", "{:.2f}"),
]


def table(results, header=True):
    """Markdown, with or without its first two lines; a ratio is the peer's figure divided by ours."""
    ratios = ("cpu_s", "mlloop", "CPU ratio"), ("wall_s", "mlloop", "wall ratio"), ("fit_cpu_s", FIT_ALONE, "fit ratio")
    titles = [title for _, title, _ in COLUMNS] + [title for _, _, title in ratios]
    lines = ["| job | program | " + " | ".join(titles) + " |", "|---|---|" + "---:|" * len(titles)]
    lines = lines if header else []
    for result in results:
        for name, figures in result["runs"].items():
            cells = [form.format(figures[key]) if key in figures else "" for key, _, form in COLUMNS]
            for key, ours, _ in ratios:
                base = result["runs"].get(ours, {}).get(key)
                cells.append(f"{figures[key] / base:.1f}×" if base and name != ours and key in figures else "")
            lines.append(f"| {result['title']} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
