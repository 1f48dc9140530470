"""Delay, labels and false alarms of the loss alarm on drifting streams: by bets, with and without control variates, beside
a rule with a fixed number of labels and NannyML's CBPE.

usage: alarm.py [ELEC2.csv]      (a Python with numpy, pandas, scipy, lightgbm and nannyml: bench_drift.py makes one)

Each week has new rows, of which LABELS are drawn at random and labelled. The limit is that of the gate (monitor/alarm.rs).
    bets           Bets of src/stats/betting.rs, opened anew each week
    + variates     the same on x - theta (g - mean of g over all rows of the week): g = p (1 - p), the loss that the score promises;
                   theta from the gate; stakes are lowered so that no bet can lose more than it has
    + learned      the same with g from a model of the loss, fitted on half of the gate rows (trees on the columns and the score)
    fixed          the last 200 labels against the limit, one-sided z at .05, looked at every week
    CBPE           NannyML's alert on the estimated ROC-AUC (no label at all), a chunk a week
"""

import sys
import warnings
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

sys.path.insert(0, str(Path(__file__).resolve().parent))
import streams

STAKES = np.array([0.005, 0.02, 0.06, 0.15, 0.35, 0.7])
FIRST = 0.05 * 6 / np.pi**2
LEVEL = 3 * FIRST / 5
ROWS, LABELS, WEEKS, ONSET = 500, 50, 104, 26
QUIET_LIVES, QUIET_WEEKS = 1000, 260


class Bets:
    """The state of many simulated lives at once."""

    def __init__(self, limit, lives, room=0.0):
        # With control variates a loss may be up to `room` below 0; the stake accounts for it.
        self.limit, self.bets = limit, STAKES / (limit + room)
        self.wealth, self.rest, self.starts = np.zeros((lives, 6)), 1.0, 0
        self.won = np.zeros(lives, bool)

    def open(self):
        k = self.starts
        stake = 0.5 if k == 0 else 0.5 / (k * (k + 1))
        self.starts, self.rest = k + 1, max(self.rest - stake, 0.0)
        self.wealth += stake

    def take(self, losses):
        self.wealth *= 1 + self.bets * (losses - self.limit)[:, None]
        np.minimum(self.wealth, 1e100, out=self.wealth)
        self.won |= self.rest + self.wealth.mean(axis=1) >= 1 / LEVEL


def upper_end(losses, alpha=FIRST / 5):
    mean, sd, n = losses.mean(), losses.std(ddof=1), len(losses)
    events = n * (mean / sd) ** 2
    end = mean + norm.ppf(1 - alpha) * sd / n**0.5 if events > 1e4 else mean * chi2.ppf(1 - alpha, 2 * events + 2) / (2 * events)
    return max(end, 1.1 * mean)


class Setting:
    """A model, its gate, and the value of control variates there."""

    def __init__(self, taught, gate):
        self.columns = [c for c in taught.columns if c != "y"]
        self.model = lgb.LGBMClassifier(n_estimators=150, learning_rate=0.05, num_leaves=15, min_child_samples=30, verbose=-1)
        self.model.fit(self.coded(taught), taught["y"])
        gate = self.scored(gate)
        self.gate, self.limit = gate, upper_end(gate["loss"].to_numpy())
        self.errors = lgb.LGBMRegressor(n_estimators=60, learning_rate=0.05, num_leaves=8, min_child_samples=60, verbose=-1)
        half = np.arange(len(gate)) % 2 == 0
        known = self.coded(gate).assign(p=gate["p"])
        self.errors.fit(known[half], gate["loss"][half])
        self.theta = {}
        for g in ("promised", "learned"):
            rows = self.with_errors(gate)[~half]
            cov = np.cov(rows["loss"], rows[g])
            self.theta[g] = cov[0, 1] / cov[1, 1]
            print(f"  {g}: explains {cov[0, 1] ** 2 / cov[0, 0] / cov[1, 1]:.3f} of the variance of the loss at the gate")

    def coded(self, part):
        return part[self.columns].apply(lambda c: c if c.dtype.kind in "fi" else c.str[1:].map(hash).mod(997).astype(float))

    def scored(self, part):
        p = self.model.predict_proba(self.coded(part))[:, 1]
        return part.assign(p=p, loss=(p - part["y"]) ** 2, promised=p * (1 - p))

    def with_errors(self, scored):
        if len(scored) == 0:
            return scored
        return scored.assign(learned=self.errors.predict(self.coded(scored).assign(p=scored["p"])).clip(0, 1))


def first_week(setting, weeks, rng, lives=200):
    """Of lives that differ in which rows are labelled: the median week in which each rule fires, and how many fired early."""
    kinds = {"bets": None, "bets + variates": "promised", "bets + learned variates": "learned"}
    rooms = {None: 0.0, "promised": abs(setting.theta["promised"]) * 0.25, "learned": abs(setting.theta["learned"])}
    bets = {name: Bets(setting.limit, lives, rooms[g]) for name, g in kinds.items()}
    found = {name: np.full(lives, -1) for name in [*bets, "fixed"]}
    recent = np.zeros((lives, 0))
    for number, week in enumerate(weeks):
        loss = week["loss"].to_numpy()
        drawn = np.argsort(rng.random((lives, len(loss))), axis=1)[:, :LABELS]
        for name, g in kinds.items():
            losses = loss
            if g:
                known = week[g].to_numpy()
                losses = loss - setting.theta[g] * (known - known.mean())
            bets[name].open()
            for row in range(LABELS):
                bets[name].take(losses[drawn[:, row]])
            found[name][(found[name] < 0) & bets[name].won] = number
        recent = np.hstack([recent, loss[drawn]])[:, -200:]
        if recent.shape[1] == 200:
            z = (recent.mean(axis=1) - setting.limit) / (recent.std(axis=1, ddof=1) / 200**0.5)
            found["fixed"][(found["fixed"] < 0) & (z > 1.645)] = number
    return found


def cbpe(setting, weeks):
    """The weeks in which NannyML's CBPE alerts, labels unseen."""
    import nannyml as nml

    common = dict(y_pred_proba="p", y_pred="predicted", y_true="y", metrics=["roc_auc"], chunk_size=len(weeks[0]),
                  problem_type="classification_binary")
    frame = lambda part: part[["p", "y"]].assign(predicted=(part["p"] >= 0.5).astype(int)).reset_index(drop=True)
    estimator = nml.CBPE(**common).fit(frame(setting.gate))
    found = estimator.estimate(frame(pd.concat(weeks))).filter(period="analysis").to_df()
    return np.flatnonzero(found[("roc_auc", "alert")].to_numpy())


def quiet(setting, rng):
    """Lives of five years of rows like the gate's, whose mean loss is the limit: the shares that ever raise a false alarm."""
    rows = setting.with_errors(setting.gate)
    scale = setting.limit / rows["loss"].mean()
    # Losses in [0, 1] with the limit as their mean: some rows get a loss of 1.
    loss = rows["loss"].to_numpy()
    extra = (setting.limit - loss.mean()) / (1 - loss).mean()
    promised = rows["promised"].to_numpy()
    plain = Bets(setting.limit, QUIET_LIVES)
    powered = Bets(setting.limit, QUIET_LIVES, abs(setting.theta["promised"]) * 0.25)
    fixed, recent = np.zeros(QUIET_LIVES, bool), np.zeros((QUIET_LIVES, 0))
    for _ in range(QUIET_WEEKS):
        plain.open()
        powered.open()
        drawn = rng.integers(len(loss), size=(QUIET_LIVES, LABELS))
        x = np.where(rng.random(drawn.shape) < extra, 1.0, loss[drawn])
        y = x - setting.theta["promised"] * (promised[drawn] - promised.mean())
        for row in range(LABELS):
            plain.take(x[:, row])
            powered.take(y[:, row])
        recent = np.hstack([recent, x])[:, -200:]
        if recent.shape[1] == 200:
            fixed |= (recent.mean(axis=1) - setting.limit) / (recent.std(axis=1, ddof=1) / 200**0.5) > 1.645
    return {"bets": plain.won.mean(), "bets + variates": powered.won.mean(), "fixed": fixed.mean(), "scale": scale}


def report(name, setting, weeks, onset, rng):
    weeks = [setting.with_errors(setting.scored(week)) for week in weeks]
    means = np.array([week["loss"].mean() for week in weeks])
    print(f"  loss {setting.gate['loss'].mean():.4f} at the gate, limit {setting.limit:.4f}; "
          f"{means[:onset].mean() if onset else float('nan'):.4f} before week {onset}, {means[onset:].mean():.4f} after")
    for rule, found in first_week(setting, weeks, rng).items():
        early, seen = (found >= 0) & (found < onset), found[found >= onset]
        delay = np.median(seen) - onset + 1 if len(seen) else float("nan")
        print(f"  {name}: {rule}: {len(seen)} of {len(found)} seen, median delay {delay:g} weeks ({delay * LABELS:g} labels), {early.sum()} early")
    alerts = cbpe(setting, weeks)
    after = alerts[alerts >= onset]
    print(f"  {name}: CBPE: {(alerts < onset).sum()} alerts in {onset} weeks before; first after: "
          f"{after[0] - onset + 1 if len(after) else 'never'} weeks; {len(after)} of {len(weeks) - onset} weeks alert")
    print("  " + name + ": ever a false alarm in five years: " + ", ".join(f"{k} {v:.3f}" for k, v in quiet(setting, rng).items() if k != "scale"))


def numbered(table):
    return table.assign(y=(table["y"] == "yes").astype(int))


def made(kind, rng):
    """`sudden`: from ONSET on, a fifth of the rows follow other weights; `gradual`: weights turn over a year."""
    weeks = []
    for week in range(WEEKS):
        share = 0.0 if week < ONSET else 0.2 if kind == "sudden" else 0.4 * min(1.0, (week - ONSET + 1) / 52)
        n_other = rng.binomial(ROWS, share)
        parts = [streams.rows(rng, ROWS - n_other)]
        if n_other:
            parts.append(streams.rows(rng, n_other, "concept only", 1.0))
        weeks.append(numbered(pd.concat(parts, ignore_index=True)))
    return weeks


def main():
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(7)
    for kind in ("sudden", "gradual"):
        print(kind)
        setting = Setting(numbered(streams.rows(rng, 4000)), numbered(streams.rows(rng, 4000)))
        report(kind, setting, made(kind, rng), ONSET, rng)
    if len(sys.argv) > 1:
        print("elec2")
        rows = pd.read_csv(sys.argv[1]).rename(columns={"class": "y"})
        known = rows[:6000]
        taught = rng.random(len(known)) < 0.5
        setting = Setting(known[taught], known[~taught])
        weeks = [rows[at : at + 336] for at in range(6000, len(rows) - 336, 336)]
        report("elec2", setting, weeks, 0, rng)


if __name__ == "__main__":
    main()
