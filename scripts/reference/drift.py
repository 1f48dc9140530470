"""Two-sample tests and distances as scipy and Evidently compute them."""

import json
import warnings
from pathlib import Path

import evidently
import numpy as np
import pandas as pd
import scipy
from evidently.legacy.calculations.stattests import registry
from evidently.legacy.core import ColumnType
from scipy import stats

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "reference" / "drift.json"
warnings.filterwarnings("ignore")

NUMBERS = ["ks", "wasserstein", "jensenshannon", "kl_div", "psi", "hellinger", "anderson", "cramer_von_mises",
           "t_test", "mannw", "ed", "es"]
CATEGORIES = ["chisquare", "z", "g_test", "fisher_exact", "jensenshannon", "kl_div", "psi", "hellinger"]


def score(name, reference, current, kind):
    """[score, drift]; None if the peer raises or has no result."""
    try:
        test = registry.get_registered_stattest(name, kind)
        found = test(pd.Series(reference), pd.Series(current), kind, None)
    except Exception:
        return None
    value = float(found.drift_score)
    return [value, bool(found.drifted)] if np.isfinite(value) else None


def number_case(reference, current):
    found = {name: score(name, reference, current, ColumnType.Numerical) for name in NUMBERS}
    if max(len(reference), len(current)) <= 20 and min(len(reference), len(current)) > 1:
        # Evidently counts arrangements in 16- or 32-bit floats, scipy in integers.
        p = float(stats.cramervonmises_2samp(reference, current).pvalue)
        found["cramer_von_mises"] = [p, p <= 0.1]
    values = [list(zip(*(a.tolist() for a in np.unique(side, return_counts=True)))) for side in (reference, current)]
    integer = all(np.issubdtype(np.asarray(side).dtype, np.integer) for side in (reference, current))
    return {"reference": values[0], "current": values[1], "integer": integer, "scores": found}


def category_case(reference, current):
    levels = [f"c{i}" for i in range(len(reference))]
    rows = [np.repeat(levels, counts) for counts in (reference, current)]
    found = {name: score(name, *rows, ColumnType.Categorical) for name in CATEGORIES}
    used = [(r, c) for r, c in zip(reference, current) if r + c]
    if len(used) == 2 and sum(reference) != sum(current):
        # Evidently requires samples of equal size, scipy does not.
        p = float(stats.fisher_exact(used)[1])
        found["fisher_exact"] = [p, p < 0.1]
    if len(used) == 1:
        found["fisher_exact"] = [1.0, False]
    if len(used) > 2:
        # With two levels on each side but three in total, Evidently drops one of them.
        found["fisher_exact"] = None
    if not sum(reference) or not sum(current):
        found = dict.fromkeys(found)
    return {"reference": list(reference), "current": list(current), "scores": found}


def number_cases():
    rng = np.random.default_rng(40)
    normal = lambda n, *at: np.round(rng.normal(*at, size=n), 3)
    yield "rows_1000_1001", number_case(normal(1000), normal(1001, 0.1))
    yield "sizes_150_400", number_case(normal(150), normal(400, 0.0, 1.4))
    yield "equal_300", number_case(normal(300), normal(300, 0.2))
    yield "integers", number_case(rng.poisson(30, 500), rng.poisson(31, 400))
    yield "integers_few", number_case(rng.poisson(2, 500), rng.poisson(3, 333))
    yield "integer_float", number_case(rng.poisson(40, 200), rng.poisson(40, 200) + 0.5)
    yield "ties_half", number_case(np.round(rng.normal(size=400) * 2) / 2, np.round(rng.normal(0.2, 1, 300) * 2) / 2)
    yield "above_10000", number_case(rng.integers(0, 60, 10_001), rng.integers(0, 61, 700))
    yield "above_10000_far", number_case(rng.integers(0, 60, 12_000), rng.integers(20, 80, 50))
    yield "above_10000_same", number_case(rng.integers(0, 90, 30_000), rng.integers(0, 90, 20_000))
    yield "above_10000_one", number_case(rng.integers(0, 90, 10_500), np.array([77]))
    for n, m in [(1, 1), (1, 2), (2, 2), (3, 4), (4, 9), (5, 5), (7, 8), (8, 9), (9, 9), (12, 20), (20, 21), (24, 24), (8, 60)]:
        yield f"tiny_{n}_{m}", number_case(normal(n), normal(m, 0.5))
    yield "tiny_ties", number_case(np.array([1.0, 1, 2, 3, 3, 3]), np.array([1.0, 2, 2, 3, 4, 4, 4]))
    yield "constant", number_case(np.full(30, 0.5), np.full(40, 0.5))
    yield "constants_differ", number_case(np.full(30, 1.0), np.full(40, 2.0))
    yield "reference_constant", number_case(np.full(30, 1.0), normal(40))
    yield "two_values", number_case((rng.random(100) < 0.4) * 1.0, (rng.random(120) < 0.5) * 1.0)
    yield "offset", number_case(1e9 + normal(100), 1e9 + normal(100, 0.5))
    yield "disjoint", number_case(normal(60), 100 + normal(70))
    same = normal(80)
    yield "identical", number_case(same, same)
    yield "empty_current", number_case(normal(5), np.array([]))
    yield "empty_reference", number_case(np.array([]), normal(5))


def category_cases():
    rng = np.random.default_rng(41)
    yield "two", category_case([60, 40], [45, 55])
    yield "two_uneven", category_case([600, 400], [45, 55])
    yield "two_rare", category_case([97, 3], [90, 10])
    yield "one", category_case([10], [10])
    yield "one_uneven", category_case([10], [30])
    yield "one_each", category_case([20, 0], [0, 20])
    yield "unseen", category_case([50, 50, 0], [40, 50, 10])
    yield "vanished", category_case([50, 40, 10], [60, 40, 0])
    yield "rare_zero", category_case([20_000, 1, 0], [19_990, 0, 11])
    yield "tiny", category_case([1, 0, 2], [1, 1, 1])
    yield "many", category_case(rng.multinomial(900, np.full(30, 1 / 30)).tolist(), rng.multinomial(900, np.full(30, 1 / 30)).tolist())
    yield "four_uneven", category_case([117, 61, 57, 34], [120, 53, 39, 17])
    yield "same", category_case([30, 20, 10], [30, 20, 10])
    yield "empty", category_case([0, 0], [3, 4])


def homogeneity_cases():
    for reference, current in [([50, 50], [80, 20]), ([117, 61, 57, 34], [120, 53, 39, 17]), ([900, 80, 20], [90, 5, 9])]:
        found = stats.chi2_contingency([reference, current], correction=False)
        if found.expected_freq.min() >= 5:
            yield {"reference": reference, "current": current, "statistic": float(found.statistic), "p": float(found.pvalue)}


def kolmogorov_cases():
    for n in [1, 2, 5, 30, 140, 141, 500, 4737, 100_000, 250_000]:
        for z in [0.3, 0.5, 0.8, 0.87, 1.2, 1.48, 1.49, 2.0, 2.5, 4.0]:
            d = z / np.sqrt(n)
            yield {"n": n, "d": d, "p": float(stats.kstwo.sf(d, n))}


def main():
    doc = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "evidently": evidently.__version__},
        "numbers": dict(number_cases()),
        "categories": dict(category_cases()),
        "homogeneity": list(homogeneity_cases()),
        "kolmogorov": list(kolmogorov_cases()),
        "adjusted": {
            "p": [0.01, 0.2, 0.03, 0.03, 0.9, 1e-5],
            "q": stats.false_discovery_control([0.01, 0.2, 0.03, 0.03, 0.9, 1e-5]).tolist(),
        },
    }
    OUT.write_text(json.dumps(doc, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
