#!/usr/bin/env python3
"""How much CPU `train` with defaults takes on wide tables of few rows.

usage: scripts/bench/wide.py MLLOOP [ROWSxCOLUMNS…]

MLLOOP is the binary. Each table has ROWS rows and COLUMNS columns of normal noise, of which three determine one of two
classes. Prints a Markdown table of CPU seconds (user and system, the middle of three runs), wall seconds, peak memory and
the ROC-AUC at the gate. Needs only the standard library; peak memory is measured on Linux.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHAPES = ["500x2000", "2000x2000", "20000x200"]


def main():
    mlloop = Path(sys.argv[1]).resolve()
    print("| rows | columns | CPU s | wall s | peak MB | ROC-AUC |\n|---:|---:|---:|---:|---:|---:|", flush=True)
    for shape in sys.argv[2:] or SHAPES:
        rows, columns = map(int, shape.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            made(Path(folder) / "table.csv", rows, columns)
            run(mlloop, folder, "init", Path(folder) / "table.csv", "--target", "y")
            found = sorted(trained(mlloop, folder) for _ in range(3))[1]
        cpu, wall, peak, auc = found
        print(f"| {rows} | {columns} | {cpu:.1f} | {wall:.1f} | {peak:.0f} | {auc:.3f} |", flush=True)


def made(path, rows, columns):
    """Noise, and a class that depends on three columns and chance."""
    draw = random.Random(7)
    with open(path, "w") as out:
        out.write("y," + ",".join(f"x{c}" for c in range(columns)) + "\n")
        for _ in range(rows):
            x = [draw.gauss(0, 1) for _ in range(columns)]
            y = x[0] + x[1] - x[2] + draw.gauss(0, 1) > 0
            out.write(("yes," if y else "no,") + ",".join(f"{v:.4f}" for v in x) + "\n")


def run(mlloop, folder, *arguments):
    done = subprocess.run([mlloop, "-C", folder, *arguments, "--json"], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"mlloop {arguments[0]}: {done.stderr}")
    return json.loads(done.stdout)


def trained(mlloop, folder):
    """CPU seconds, wall seconds, peak memory of any run so far, and the gate's ROC-AUC."""
    before, began = os.times(), time.monotonic()
    told = run(mlloop, folder, "train")
    wall, after = time.monotonic() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return cpu, wall, peak, told["gate"]["metrics"]["roc_auc"]["value"]


if __name__ == "__main__":
    main()
