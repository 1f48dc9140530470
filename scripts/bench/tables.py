"""The tables of the benchmark: synthetic, and the same on every machine."""

import numpy as np
import pandas as pd

LEVELS = 12  # of each category


def make(path_train, path_test, n_rows, n_categories, share_positive, seed):
    """Writes n_rows training rows and a quarter as many test rows with 30 features, `y` and an `id`."""
    rng = np.random.default_rng(seed)
    n = n_rows + n_rows // 4
    numbers = rng.normal(size=(n, 30 - n_categories)).astype(np.float32)
    # Half of the numbers matter: linear, non-linear, and in pairs; the others are noise.
    signal = numbers[:, 0] - 0.7 * numbers[:, 1] + 0.8 * numbers[:, 2] * numbers[:, 3]
    signal += np.where(numbers[:, 4] > 0.5, 1.0, -0.3) + np.sin(2 * numbers[:, 5])
    signal += numbers[:, 6:15].sum(axis=1) * 0.15
    columns = {f"v{i}": numbers[:, i] for i in range(numbers.shape[1])}
    for c in range(n_categories):
        level = rng.integers(0, LEVELS, size=n)
        signal += rng.normal(scale=0.4, size=LEVELS)[level]
        columns[f"c{c}"] = np.char.add("level_", level.astype(str))
    signal += rng.logistic(size=n)
    y = (signal > np.quantile(signal, 1 - share_positive)).astype(int)
    table = pd.DataFrame({"id": np.arange(n), **columns, "y": y})
    table.iloc[:n_rows].to_csv(path_train, index=False, float_format="%.6g")
    table.iloc[n_rows:].to_csv(path_test, index=False, float_format="%.6g")
