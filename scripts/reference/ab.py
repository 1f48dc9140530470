"""Two arms and more, by scipy, statsmodels and numpy: fixtures/reference/ab.json.

Always-valid p-values are found by root search on the interval of a normal mixture written as in the paper, not by the
formula that the program uses; CUPED by ordinary least squares with statsmodels.
"""

import json
from pathlib import Path

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportions_ztest

RNG = np.random.default_rng(20261121)


def proportions():
    cases = [((20034, 44700), (20119, 45489)), ((8502, 44700), (8279, 45489)), ((267, 21307), (122, 21306)), ((3, 40), (9, 38))]
    for (k1, n1), (k2, n2) in cases:
        z, p = proportions_ztest([k1, k2], [n1, n2])
        yield {"a": [k1, n1], "b": [k2, n2], "z": z, "p": p}


def homogeneity():
    for groups in ([[267, 21307], [189, 21387], [122, 21306]], [[5, 50], [9, 60]], [[1, 10], [0, 12], [7, 30], [4, 18]]):
        table = [[k, n - k] for k, n in groups]
        found = stats.chi2_contingency(table, correction=False)
        yield {"groups": groups, "statistic": found.statistic, "freedom": found.dof, "p": found.pvalue}


def fit():
    for observed, shares in (([44700, 45489], [0.5, 0.5]), ([5200, 4800], [0.5, 0.5]), ([21307, 21387, 21306], [1 / 3] * 3), ([850, 160], [0.85, 0.15])):
        found = stats.chisquare(observed, np.array(shares) * sum(observed))
        yield {"observed": observed, "shares": shares, "statistic": found.statistic, "p": found.pvalue}


def means():
    for n, m, shift, spread in ((40, 55, 0.4, 1.0), (3, 9, 1.0, 5.0), (200, 150, 0.0, 0.3), (2, 2, 0.1, 1.0)):
        pre_a, pre_b = RNG.normal(10, 2, n), RNG.normal(10, 2, m)
        a = 0.8 * pre_a + RNG.normal(5, 1, n)
        b = 0.8 * pre_b + RNG.normal(5 + shift, spread, m)
        welch = stats.ttest_ind(a, b, equal_var=False)
        case = {"a": list(a), "b": list(b), "t": welch.statistic, "freedom": welch.df, "p": welch.pvalue}
        case["pre_a"], case["pre_b"] = list(pre_a), list(pre_b)
        # y ~ arm + pre: the coefficient of pre is the slope within the arms, and that of arm is the adjusted
        # difference.
        y, x = np.concatenate([a, b]), np.concatenate([pre_a, pre_b])
        arm = np.repeat([0.0, 1.0], [n, m])
        if n + m > 4:
            ols = sm.OLS(y, sm.add_constant(np.column_stack([arm, x]))).fit()
            case["cuped"] = {"theta": ols.params[2], "difference": ols.params[1]}
        # Ratios: the delta method, with numpy's covariance.
        def ratio(num, den):
            r = num.mean() / den.mean()
            cov = np.cov(num, den)
            return r, (cov[0, 0] - 2 * r * cov[0, 1] + r * r * cov[1, 1]) / (len(num) * den.mean() ** 2)
        case["ratio_a"], case["ratio_b"] = ratio(a, pre_a), ratio(b, pre_b)
        yield case


def holm():
    for p in ([0.01, 0.04, 0.03], [0.5, 0.5, 0.001, 0.02], [0.9], [0.02, 0.02]):
        yield {"p": p, "adjusted": list(multipletests(p, method="holm")[1])}


def half_width(alpha, rho, n, variance):
    """Waudby-Smith et al., Theorem 2.2: σ̂ √( (2(tρ²+1) / (t²ρ²)) · log(√(tρ²+1)/α) )."""
    return np.sqrt(variance) * np.sqrt(2 * (n * rho**2 + 1) / (n**2 * rho**2) * np.log(np.sqrt(n * rho**2 + 1) / alpha))


def sequence():
    for alpha, planned, n, effect, error in (
        (0.05, 10000, 10000, 0.02, 0.01), (0.05, 10000, 500, 0.1, 0.03), (0.01, 2000, 8000, -0.05, 0.012),
        (0.05, 90189, 90189, 0.0082, 0.00259), (0.1, 100, 20, 1.5, 0.4), (0.05, 5000, 100, 0.001, 0.05),
    ):
        rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / planned)
        variance = error**2 * n
        reaches = lambda level: half_width(level, rho, n, variance) - abs(effect)
        largest = np.sqrt(n * rho**2 + 1)  # the interval has no width at this level
        p = 1.0 if reaches(1.0) > 0 else optimize.brentq(reaches, 1e-300, min(1.0, largest), xtol=1e-300, rtol=1e-14)
        yield {
            "alpha": alpha, "planned_n": planned, "n": n, "effect": effect, "error": error,
            "half_width": half_width(alpha, rho, n, variance), "p": p,
        }


sections = {"proportions": proportions, "homogeneity": homogeneity, "fit": fit, "means": means, "holm": holm, "sequence": sequence}
document = {"made_with": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__}}
document |= {name: list(make()) for name, make in sections.items()}
path = Path(__file__).resolve().parents[2] / "fixtures" / "reference" / "ab.json"
path.write_text(json.dumps(document, indent=1, default=float) + "\n")
