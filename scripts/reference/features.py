"""Encoders, class weights and neighbours as computed by scikit-learn: fixtures/reference/features.json."""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.utils.class_weight import compute_class_weight

N = 60
SMOOTHING = 10.0


def optional(values):
    return [None if v is None or v != v else v for v in values]


def numbers(rng):
    x = np.round(rng.lognormal(3, 1.5, N) - 10, 3)
    x[[4, 17, 40]] = np.nan
    column = x.reshape(-1, 1)
    q1, q3 = np.nanquantile(x, [0.25, 0.75])
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    clipped = np.clip(column, low, high)
    return {
        "x": optional(x.tolist()),
        "median": SimpleImputer(strategy="median").fit_transform(column).ravel().tolist(),
        "mean_scaled": StandardScaler().fit_transform(SimpleImputer(strategy="mean").fit_transform(column)).ravel().tolist(),
        "scaled": optional(StandardScaler().fit_transform(column).ravel().tolist()),
        "clip": [low, high],
        "clipped_median_scaled": StandardScaler()
        .fit_transform(SimpleImputer(strategy="median").fit_transform(clipped))
        .ravel()
        .tolist(),
    }


def categories(rng):
    train = rng.choice(["Aachen", "Bonn", "Celle", "Dresden"], N, p=[0.5, 0.3, 0.15, 0.05])
    score = np.array(["Bonn", "Xanten", "Aachen", "Dresden", "Celle"])
    binary = (rng.random(N) < np.where(train == "Bonn", 0.7, 0.3)).astype(int)
    classes = rng.choice(3, N)
    price = np.round(rng.normal(100, 20, N) + 30 * (train == "Celle"), 2)
    out = {"train": train.tolist(), "score": score.tolist(), "binary": binary.tolist(), "classes": classes.tolist()}
    out["price"] = price.tolist()
    for name, y, kind in [("binary", binary, "binary"), ("classes", classes, "multiclass"), ("price", price, "continuous")]:
        encoder = TargetEncoder(smooth=SMOOTHING, target_type=kind).fit(train.reshape(-1, 1), y)
        out[f"{name}_encoded"] = encoder.transform(score.reshape(-1, 1)).tolist()
    onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train.reshape(-1, 1))
    out["onehot"] = onehot.transform(score.reshape(-1, 1)).tolist()
    out["weights"] = compute_class_weight("balanced", classes=np.unique(classes), y=classes).tolist()
    return out


def neighbours(rng):
    """Chawla et al. 2002, 6.1: Euclidean on standardised numbers, each differing category adding the median sd squared."""
    x = np.round(rng.normal([50, 0.2, 9000], [20, 0.1, 4000], (N, 3)), 4)
    c = rng.choice(3, (N, 2))
    scaled = StandardScaler().fit_transform(x)
    median_sd = np.median(scaled.std(axis=0))

    def distance(a, b):
        return np.sqrt(((a[:3] - b[:3]) ** 2).sum() + median_sd**2 * (a[3:] != b[3:]).sum())

    points = np.hstack([scaled, c])
    found = NearestNeighbors(n_neighbors=6, metric=distance, algorithm="brute").fit(points)
    distances, index = found.kneighbors(points)
    return {"x": x.tolist(), "c": c.tolist(), "index": index[:, 1:].tolist(), "distance": distances[:, 1:].tolist()}


def write(folder: pathlib.Path):
    rng = np.random.default_rng(7)
    versions = {"numpy": np.__version__, "scikit-learn": sklearn.__version__}
    cases = {"versions": versions, "smoothing": SMOOTHING, "numbers": numbers(rng)}
    cases |= {"categories": categories(rng), "neighbours": neighbours(rng)}
    (folder / "features.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    write(pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "reference")
