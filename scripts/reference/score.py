"""Metrics, calibration and paired tests as scikit-learn, scipy and statsmodels compute them."""

import json
import warnings
from pathlib import Path

import numpy as np
import scipy
import scipy.stats
import sklearn
from sklearn import metrics as m

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "reference" / "score.json"
warnings.filterwarnings("ignore")


def number(value):
    """A float for JSON; None if the peer has no result."""
    value = float(value)
    return value if np.isfinite(value) else None


def binary(y, p, w=None, threshold=0.5):
    y, p = np.asarray(y), np.asarray(p, dtype=float)
    yhat = (p >= threshold).astype(int)
    one_class = len(np.unique(y)) < 2
    labels = [0, 1]
    kw = dict(sample_weight=w)
    zero = dict(zero_division=0, **kw)
    values = {
        "roc_auc": None if one_class else m.roc_auc_score(y, p, **kw),
        "pr_auc": None if not y.any() else m.average_precision_score(y, p, **kw),
        "log_loss": m.log_loss(y, np.column_stack([1 - p, p]), labels=labels, **kw),
        "brier": m.brier_score_loss(y, p, pos_label=1, **kw),
        "accuracy": m.accuracy_score(y, yhat, **kw),
        "balanced_accuracy": m.balanced_accuracy_score(y, yhat, **kw),
        "precision": m.precision_score(y, yhat, labels=labels, pos_label=1, average="binary", **zero),
        "recall": m.recall_score(y, yhat, labels=labels, pos_label=1, average="binary", **zero),
        "specificity": m.recall_score(y, yhat, labels=[0], average="macro", **zero),
        "f1": m.f1_score(y, yhat, labels=labels, pos_label=1, average="binary", **zero),
        "f1_macro": m.f1_score(y, yhat, average="macro", **zero),
        "f1_weighted": m.f1_score(y, yhat, average="weighted", **zero),
        "mcc": m.matthews_corrcoef(y, yhat, **kw),
        "kappa": m.cohen_kappa_score(y, yhat, sample_weight=w),
    }
    return {
        "task": "binary",
        "classes": ["0", "1"],
        "y": y.tolist(),
        "scores": p.tolist(),
        "weights": None if w is None else w.tolist(),
        "threshold": threshold,
        "confusion": m.confusion_matrix(y, yhat, labels=labels, sample_weight=w).tolist(),
        "report": m.classification_report(y, yhat, digits=4, zero_division=0, sample_weight=w),
        "metrics": {k: None if v is None else number(v) for k, v in values.items()},
    }


def multiclass(y, p, w=None):
    y, p = np.asarray(y), np.asarray(p, dtype=float)
    k = p.shape[1]
    yhat = p.argmax(axis=1)
    kw = dict(sample_weight=w)
    zero = dict(zero_division=0, **kw)
    # One against the rest over the classes that occur (scikit-learn has no result if a class is missing).
    present = np.unique(y)
    rocs = [m.roc_auc_score(y == c, p[:, c], **kw) for c in present]
    prs = [m.average_precision_score(y == c, p[:, c], **kw) for c in present]
    shares = [np.average(y == c, weights=w) for c in present]
    values = {
        "roc_auc_macro": np.mean(rocs),
        "roc_auc_weighted": np.average(rocs, weights=shares),
        "pr_auc_macro": np.mean(prs),
        "log_loss": m.log_loss(y, p, labels=range(k), **kw),
        "brier": m.brier_score_loss(y, p, labels=range(k), **kw),
        "accuracy": m.accuracy_score(y, yhat, **kw),
        "balanced_accuracy": m.balanced_accuracy_score(y, yhat, **kw),
        "precision_macro": m.precision_score(y, yhat, average="macro", **zero),
        "recall_macro": m.recall_score(y, yhat, average="macro", **zero),
        "f1_macro": m.f1_score(y, yhat, average="macro", **zero),
        "f1_weighted": m.f1_score(y, yhat, average="weighted", **zero),
        "mcc": m.matthews_corrcoef(y, yhat, **kw),
        "kappa": m.cohen_kappa_score(y, yhat, sample_weight=w),
    }
    if len(present) == k:
        ovr = dict(multi_class="ovr", **kw)
        assert abs(values["roc_auc_macro"] - m.roc_auc_score(y, p, average="macro", **ovr)) < 1e-12
        assert abs(values["roc_auc_weighted"] - m.roc_auc_score(y, p, average="weighted", **ovr)) < 1e-12
    return {
        "task": "multiclass",
        "classes": [str(c) for c in range(k)],
        "y": y.tolist(),
        "scores": p.ravel().tolist(),
        "weights": None if w is None else w.tolist(),
        "threshold": 0.5,
        "confusion": m.confusion_matrix(y, yhat, labels=range(k), sample_weight=w).tolist(),
        "report": m.classification_report(y, yhat, digits=4, zero_division=0, sample_weight=w),
        "metrics": {k: number(v) for k, v in values.items()},
    }


def regression(y, p, w=None):
    # The truth of a table has single precision; the peer gets the same numbers.
    y, p = np.asarray(y, dtype=np.float32).astype(float), np.asarray(p, dtype=float)
    kw = dict(sample_weight=w)
    values = {
        "r2": m.r2_score(y, p, **kw),
        "mae": m.mean_absolute_error(y, p, **kw),
        "rmse": m.root_mean_squared_error(y, p, **kw),
        "mape": m.mean_absolute_percentage_error(y, p, **kw),
        "median_ae": m.median_absolute_error(y, p, **kw),
    }
    return {
        "task": "regression",
        "classes": [],
        "y": y.tolist(),
        "scores": p.tolist(),
        "weights": None if w is None else w.tolist(),
        "threshold": 0.5,
        "metrics": {k: number(v) for k, v in values.items()},
    }


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cases():
    rng = np.random.default_rng(20)
    z = rng.normal(size=400)
    y = (rng.random(400) < 1 / (1 + np.exp(-1.5 * z + 1))).astype(int)
    p = 1 / (1 + np.exp(-z))
    w = rng.gamma(2.0, size=400)
    w[:5] = 0.0
    rare = np.zeros(500, dtype=int)
    rare[[3, 77]] = 1
    yield "binary", binary(y, p)
    yield "binary_ties", binary(y, np.round(p, 1), threshold=0.4)
    yield "binary_weights", binary(y, p, w, threshold=0.3)
    yield "binary_ties_weights", binary(y, np.round(p, 1), w)
    yield "binary_constant", binary(y[:50], np.full(50, 0.25))
    yield "binary_imbalance", binary(rare, rng.random(500), threshold=0.9)
    yield "binary_perfect", binary([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0])
    yield "binary_inverted", binary([0, 0, 1, 1], [1.0, 0.9, 0.1, 0.0])
    yield "binary_all_negative", binary([0, 0, 0], [0.1, 0.6, 0.2])
    yield "binary_all_positive", binary([1, 1, 1], [0.1, 0.6, 0.2])
    yield "binary_none_predicted", binary([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4])
    yield "binary_two_rows", binary([0, 1], [0.4, 0.4])
    k3 = rng.normal(size=(300, 3))
    y3 = np.array([rng.choice(3, p=row) for row in softmax(1.3 * k3)])
    yield "multiclass", multiclass(y3, softmax(k3))
    ties = np.round(softmax(k3), 1)
    yield "multiclass_ties", multiclass(y3, ties / ties.sum(axis=1, keepdims=True))
    yield "multiclass_weights", multiclass(y3, softmax(k3), rng.gamma(1.0, size=300))
    k5 = rng.normal(size=(120, 5)) + np.array([1.0, 0.5, 0, 0, -1])
    y5 = np.array([rng.choice([0, 1, 3]) for _ in range(120)])
    yield "multiclass_absent", multiclass(y5, softmax(k5))
    never = softmax(k5)
    never[:, 4] = 0.0
    yield "multiclass_never", multiclass(y5, never / never.sum(axis=1, keepdims=True))
    t = rng.normal(10, 4, size=250)
    yield "regression", regression(t, t + rng.normal(size=250))
    yield "regression_weights", regression(t, t + rng.normal(size=250), rng.gamma(1.0, size=250))
    yield "regression_even_weights", regression(t[:100], t[:100] + rng.normal(size=100), np.full(100, 2.0))
    yield "regression_zero", regression([0.0, 1.0, 2.0], [0.5, 1.0, 3.0])
    yield "regression_constant", regression([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    yield "regression_exact", regression([2.0, 2.0], [2.0, 2.0])
    yield "regression_worse", regression([1.0, 2.0, 3.0, 4.0], [9.0, -4.0, 0.0, 1.0])


def isotonic_cases():
    from sklearn.isotonic import isotonic_regression

    rng = np.random.default_rng(21)
    values = [
        (rng.normal(size=60) + np.arange(60) / 20, None),
        ((rng.random(200) < np.arange(200) / 200).astype(float), rng.gamma(1.0, size=200) + 0.01),
        (np.arange(10, 0, -1.0), None),
        (np.array([1.0, 1.0, 0.5, 2.0, 2.0]), None),
    ]
    for y, w in values:
        fitted = isotonic_regression(y, sample_weight=w)
        yield {"values": y.tolist(), "weights": None if w is None else w.tolist(), "fitted": fitted.tolist()}


def platt_cases():
    from scipy.optimize import minimize
    from sklearn.calibration import _sigmoid_calibration

    rng = np.random.default_rng(22)
    for n, a, b, weighted in [(200, -1.7, 0.5, False), (80, -0.3, 3.0, True), (30, -4.0, 0.0, False)]:
        f = rng.normal(size=n)
        y = (rng.random(n) < 1 / (1 + np.exp(a * f + b))).astype(int)
        w = rng.gamma(2.0, size=n) if weighted else np.ones(n)
        pos, neg = w[y == 1].sum(), w[y == 0].sum()
        t = np.where(y == 1, (pos + 1) / (pos + 2), 1 / (neg + 2))

        def loss(ab):
            z = ab[0] * f + ab[1]
            return np.sum(w * (np.logaddexp(0, z) - (1 - t) * z))

        def slope(ab):
            r = w * (1 / (1 + np.exp(-(ab[0] * f + ab[1]))) - (1 - t))
            return np.array([r @ f, r.sum()])

        start = _sigmoid_calibration(f, y, w if weighted else None)
        exact = minimize(loss, start, jac=slope, method="BFGS", options={"gtol": 1e-11}).x
        yield {
            "values": f.tolist(),
            "y": y.tolist(),
            "weights": w.tolist() if weighted else None,
            "sklearn": [float(v) for v in start],
            "exact": [float(v) for v in exact],
        }


def reliability_cases():
    from sklearn.calibration import calibration_curve

    rng = np.random.default_rng(23)
    p = rng.beta(0.5, 2, size=300)
    y = (rng.random(300) < p).astype(int)
    for scores in (p, np.round(p, 1)):
        observed, predicted = calibration_curve(y, scores, n_bins=10, strategy="quantile")
        yield {
            "y": y.tolist(),
            "scores": scores.tolist(),
            "observed": observed.tolist(),
            "predicted": predicted.tolist(),
        }


def delong_cases():
    """DeLong's variance from the placement values of every pair."""
    rng = np.random.default_rng(24)
    for n, share, digits in [(80, 0.4, 9), (150, 0.1, 1), (60, 0.5, 2)]:
        y = (rng.random(n) < share).astype(int)
        y[:2], y[2:4] = 1, 0
        signal = y + rng.normal(size=n)
        a = np.round(signal + rng.normal(scale=0.5, size=n), digits)
        b = np.round(signal + rng.normal(scale=1.5, size=n), digits)

        def placements(s):
            won = s[y == 1][:, None] - s[y == 0][None, :]
            won = (won > 0) + 0.5 * (won == 0)
            return won.mean(axis=1), won.mean(axis=0)

        def error(v10, v01):
            return np.sqrt(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))

        (a10, a01), (b10, b01) = placements(a), placements(b)
        both = error(a10 - b10, a01 - b01)
        yield {
            "y": y.tolist(),
            "a": a.tolist(),
            "b": b.tolist(),
            "error": float(both),
            "error_a": float(error(a10, a01)),
            "p": float(2 * scipy.stats.norm.sf(abs((a10.mean() - b10.mean()) / both))),
        }


def mcnemar_cases():
    for only_a, only_b in [(0, 0), (5, 1), (3, 3), (10, 25), (400, 460), (0, 12)]:
        n, fewer = only_a + only_b, min(only_a, only_b)
        coin = scipy.stats.binom(n, 0.5)
        p = min(1.0, 2 * coin.cdf(fewer) - coin.pmf(fewer)) if n else 1.0
        yield {"only_a": only_a, "only_b": only_b, "p": float(p)}


def paired_share_cases():
    """McNemar's mid-p and the bounds of Bonett and Price (2012), which include 0 if the test is not significant."""
    for n, gained, lost, alpha in [(200, 18, 5, 0.05), (200, 9, 7, 0.05), (1000, 3, 21, 0.05), (50, 0, 0, 0.05), (400, 40, 12, 0.01)]:
        fewer, differ = min(gained, lost), gained + lost
        coin = scipy.stats.binom(differ, 0.5)
        p = min(1.0, 2 * coin.cdf(fewer) - coin.pmf(fewer)) if differ else 1.0
        p12, p21 = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
        half = scipy.stats.norm.ppf(1 - alpha) * np.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
        low, high = p12 - p21 - half, p12 - p21 + half
        if p / 2 > alpha:
            low, high = min(low, 0.0), max(high, 0.0)
        yield {"n": n, "only_challenger": gained, "only_production": lost, "alpha": alpha,
               "p": float(p), "low": float(low), "high": float(high)}


def main():
    doc = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
        "metrics": dict(cases()),
        "isotonic": list(isotonic_cases()),
        "platt": list(platt_cases()),
        "reliability": list(reliability_cases()),
        "delong": list(delong_cases()),
        "mcnemar": list(mcnemar_cases()),
        "paired_shares": list(paired_share_cases()),
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(doc, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
