"""Two tables for the monitor's benchmark: synthetic, and the same on every machine."""

import sys

import numpy as np
import pandas as pd


def make(path, n_rows, seed, shift):
    """20 numbers with missing values and 10 categories; three columns are shifted by `shift`."""
    rng = np.random.default_rng(seed)
    columns = {}
    for i in range(20):
        values = rng.normal(loc=shift if i < 3 else 0, size=n_rows) if i % 2 else rng.lognormal(size=n_rows)
        values[rng.random(n_rows) < 0.03] = np.nan
        columns[f"v{i}"] = values
    for c in range(10):
        columns[f"c{c}"] = np.char.add("level_", rng.integers(0, 4 + 2 * c, size=n_rows).astype(str))
    pd.DataFrame(columns).to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
