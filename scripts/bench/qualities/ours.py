"""mlloop as on the command line: `init`, `train`, `predict`."""

import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

TASKS = {"binary": "binary", "classes": "multiclass", "number": "regression"}
LEVEL = 0.9


def ours(mlloop, words, x, y, test_x, task, group=None, test_y=None):
    """Scores of `test_x` by the model of `mlloop train WORDS`; with `test_y`, also how often intervals contain the truth."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        table, rows = x.assign(y_target=y), test_x.copy()
        table.insert(0, "row_key", [f"k{i:06}" for i in range(len(table))])
        rows.insert(0, "row_key", [f"t{i:06}" for i in range(len(rows))])
        if group is not None:
            table.insert(1, "of_group", [f"g{i:05}" for i in group])
            # Future rows are about other groups.
            rows.insert(1, "of_group", [f"h{i:05}" for i in range(len(rows))])
        table.to_csv(folder / "train.csv", index=False)
        rows.to_csv(folder / "test.csv", index=False)

        def run(*of):
            done = subprocess.run([mlloop, "-C", folder, *of], capture_output=True)
            if done.returncode != 0:
                raise RuntimeError(done.stderr.decode().strip().splitlines()[-1][:200])
            return done.stdout

        sure = ["--positive", "1"] if task == "binary" else []
        run("init", folder / "train.csv", "--target", "y_target", "--task", TASKS[task], *sure)
        if group is not None:
            split_by_group(folder / "mlloop.toml")
        run("train", *words)
        scored = pd.read_csv(io.BytesIO(run("predict", folder / "test.csv", "--model", "v0001")))
        held = None if test_y is None else coverage(run, folder, task, test_y, scored)
    if task == "number":
        return scored["prediction"].to_numpy(), held
    if task == "binary":
        return np.column_stack([1 - scored["score"], scored["score"]]), held
    return scored[[f"score_{c}" for c in np.unique(y)]].to_numpy(), held


def split_by_group(config):
    """Rows of a group are on one side, and the group is not a feature."""
    text = config.read_text().replace('"of_group" = "category"', '"of_group" = "text"')
    before, found, after = text.partition("\n[split]\n")
    if not found:
        raise RuntimeError("mlloop.toml has no [split]")
    lines = after.splitlines()
    end = next((at for at, line in enumerate(lines) if line.startswith("[")), len(lines))
    kept = [line for line in lines[:end] if not line.startswith(("by ", "column ", "columns "))]
    config.write_text("\n".join([before, "[split]", 'by = "column"', 'column = "of_group"', *kept, *lines[end:], ""]))


def coverage(run, folder, task, y, scored):
    """The share of rows whose interval or set contains the truth, the same for the least certain third, and the mean size."""
    try:
        found = pd.read_csv(
            io.BytesIO(run("predict", folder / "test.csv", "--model", "v0001", "--interval", str(LEVEL))), dtype={"set": str}
        )
    except RuntimeError as err:
        return {"refused": str(err)}
    if task == "number":
        holds = (found["lower"].to_numpy() <= y) & (y <= found["upper"].to_numpy())
        size = unsure = (found["upper"] - found["lower"]).to_numpy()
    else:
        sets = [text.split("|") if isinstance(text, str) else [] for text in found["set"]]
        holds = np.array([str(truth) in of for truth, of in zip(y, sets)])
        size = np.array([len(of) for of in sets])
        score = scored["score"].to_numpy() if task == "binary" else None
        best = np.maximum(score, 1 - score) if task == "binary" else scored.filter(like="score_").max(axis=1).to_numpy()
        unsure = -best
    worst = np.argsort(-unsure, kind="stable")[: max(1, len(y) // 3)]
    return {"held": float(holds.mean()), "held_worst": float(holds[worst].mean()), "size": float(size.mean())}
