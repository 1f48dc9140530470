"""Agreement of annotators as computed by scikit-learn and the krippendorff package: fixtures/reference/agreement.json."""

import importlib.metadata
import json
import pathlib

import krippendorff
import numpy as np
import sklearn
from sklearn.metrics import cohen_kappa_score


def kappas(rng):
    cases = []
    for n, classes, skill in [(20, 2, 0.9), (200, 2, 0.5), (200, 2, 0.0), (300, 4, 0.7), (50, 3, 0.3), (12, 2, 1.0)]:
        truth = rng.choice(classes, n, p=np.linspace(1, 2, classes) / np.linspace(1, 2, classes).sum())
        a, b = (np.where(rng.random(n) < skill, truth, rng.choice(classes, n)) for _ in range(2))
        cases.append({"a": a.tolist(), "b": b.tolist(), "kappa": cohen_kappa_score(a, b)})
    return cases


def alphas(rng):
    cases = []
    for n, people, classes, skill, answered in [
        (20, 2, 2, 0.9, 1.0), (100, 3, 2, 0.6, 0.7), (100, 5, 4, 0.4, 0.5), (200, 3, 3, 0.0, 0.9), (60, 2, 2, 0.8, 0.4),
    ]:
        truth = rng.integers(0, classes, n)
        said = np.where(rng.random((people, n)) < skill, truth, rng.integers(0, classes, (people, n))).astype(float)
        said[rng.random((people, n)) > answered] = np.nan
        alpha = krippendorff.alpha(said, level_of_measurement="nominal")
        rows = [[int(label) for label in row if label == label] for row in said.T]
        cases.append({"rows": rows, "alpha": float(alpha)})
    return cases


def write(folder: pathlib.Path):
    rng = np.random.default_rng(11)
    versions = {"scikit-learn": sklearn.__version__, "krippendorff": importlib.metadata.version("krippendorff")}
    cases = {"versions": versions, "kappa": kappas(rng), "alpha": alphas(rng)}
    (folder / "agreement.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    write(pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "reference")
