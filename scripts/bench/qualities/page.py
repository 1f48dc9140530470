"""Writes docs/quality.md from the measurements."""

import datetime
import os

import numpy as np

from qualities.tables import FEW, LONG, SOURCES, SPLITS

OURS, BEST, FAST, DEAR = "mlloop", "mlloop best", "mlloop fast", "CatBoost"
AUTO = "AutoGluon"
ORDER = [OURS, BEST, FAST, "CatBoost", "XGBoost", "LightGBM", "LightGBM small", "HistGB", "forest"]
ENOUGH = 20  # tables, for the goals to be told met or not
METRIC = {"binary": "ROC-AUC", "classes": "accuracy", "number": "R²"}

INTRO = """# Quality

How good models with default settings are on public tables, beside the learners that people use most. `scripts/bench/quality.py`
measures it and writes this page.

## How it is measured

A fifth of the rows is held out, the same for everybody. Everybody is given the other four fifths: peers learn from all of them,
`mlloop` from those that its own gate leaves. Tables with fewer than 5000 rows are
split three times, if CatBoost takes less than 40 s for them; figures are means over the splits. Nothing is tuned for a table. Categories are given as
each library likes them: CatBoost, LightGBM, XGBoost and HistGradientBoosting as categories, the forest as codes. Peers are given
times as days, month, weekday and hour. Identifiers are no features.

- **mlloop**: `init`, `train`, `predict`. **mlloop fast**: `train --quality fast`. **mlloop best**: `train --quality best --budget`
  with the CPU time that CatBoost took for the same fit (at least 1 s).
- CatBoost, XGBoost, LightGBM and HistGradientBoosting with their defaults; **LightGBM small** with 400 trees of 15 leaves at a rate
  of .05; the forest has 300 trees.
- The score is ROC-AUC for two classes, accuracy for several and R² for numbers. It is **scaled** from 0 for the worst to 1 for the
  best of the table. **Relative log loss** is the log loss divided by the lowest of the table. The **calibration error** of two
  classes is the mean difference between probability and share over ten bins of equal width. CPU is that of user and system, for
  fits and predictions, with reading and storing for `mlloop`.
"""


def write_page(path, lines, versions):
    """`lines` are measured fits."""
    parts = {part: Part([line for line in lines if line["part"] == part]) for part in ("chance", "time", "group")}
    chance = parts["chance"]
    used = ", ".join(f"{package} {version}" for package, version in versions.items())
    text = [INTRO, f"Measured on {datetime.date.today()} on {os.cpu_count()} cores with {used}.\n"]
    text += ["## What came out\n", *chance.summary(), *unfinished(chance), *goals(chance), *autogluon(lines, chance)]
    for title, part in zip(("By chance", "By time: the last fifth of the rows", "By group: a fifth of the groups"), parts.values()):
        if part.tables:
            text += [f"## {title}\n", *part.scores()]
            text += [] if part is chance else part.summary()
    text += ["## Log loss, and calibration error of two classes\n", *chance.losses(), *coverage(lines)]
    path.write_text("\n".join(text).rstrip() + "\n")


def row(*cells):
    return "| " + " | ".join(cells) + " |"


class Part:
    """The tables of one kind of split, measured with all learners."""

    def __init__(self, lines):
        by = {}
        for line in lines:
            if line["learner"] != AUTO:
                by.setdefault(line["table"], {}).setdefault(line["learner"], {})[line["cut"]] = line
        self.learners = [name for name in ORDER if any(name in of for of in by.values())]
        self.tables, self.n_cuts, self.found = [], {}, {}
        for table, of in by.items():
            cuts = set.intersection(*(set(of.get(learner, ())) for learner in self.learners))
            if cuts:
                self.tables.append(table)
                self.n_cuts[table] = len(cuts)
                self.found[table] = {learner: [of[learner][cut] for cut in sorted(cuts)] for learner in self.learners}

    def mean(self, table, learner, key):
        """The mean over the splits; None if a fit failed or is missing."""
        values = [line.get(key) for line in self.found[table][learner]]
        return None if None in values else float(np.mean(values))

    def of(self, table):
        """Any line of the table."""
        return next(iter(self.found[table].values()))[0]

    def task(self, table):
        return self.of(table)["task"]

    def scaled(self, table):
        """0 for the worst of the table and 1 for the best; a failed fit counts as the worst."""
        scores = {learner: self.mean(table, learner, "score") for learner in self.learners}
        known = [score for score in scores.values() if score is not None]
        low, spread = min(known), max(known) - min(known)
        return {name: 0.0 if s is None else (s - low) / spread if spread > 0 else 1.0 for name, s in scores.items()}

    def cpu(self, learner):
        return sum(line["cpu"] for table in self.tables for line in self.found[table][learner])

    def mean_scaled(self, learner):
        return float(np.mean([self.scaled(table)[learner] for table in self.tables]))

    def mean_rank(self, learner):
        def rank(table):
            scaled = self.scaled(table)
            others = [value for name, value in scaled.items() if name != learner]
            return 1 + sum(v > scaled[learner] for v in others) + 0.5 * sum(v == scaled[learner] for v in others)

        return float(np.mean([rank(table) for table in self.tables]))

    def relative_loss(self, learner):
        """Mean over tables with classes of the log loss, divided by the lowest of the table."""
        found = []
        for table in self.tables:
            losses = {name: self.mean(table, name, "loss") for name in self.learners}
            known = [loss for loss in losses.values() if loss is not None]
            if known and losses[learner] is not None and min(known) > 0:
                found.append(losses[learner] / min(known))
        return float(np.mean(found)) if found else None

    def error(self, learner):
        found = [self.mean(table, learner, "error") for table in self.tables if self.task(table) == "binary"]
        found = [error for error in found if error is not None]
        return float(np.mean(found)) if found else None

    def wins(self, ours, other):
        """On how many tables `ours` has the higher score."""
        pairs = [(self.scaled(table)[ours], self.scaled(table)[other]) for table in self.tables]
        return sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)

    def summary(self):
        if not self.tables:
            return ["Nothing was measured.\n"]
        yield f"Tables: {len(self.tables)}; splits: {sum(self.n_cuts.values())}.\n"
        yield row("", "mean scaled score", "mean rank", "relative log loss", "calibration error", "CPU seconds", "mlloop ahead : behind", "best ahead : behind")
        yield "|---|" + "---:|" * 7
        for name in sorted(self.learners, key=lambda name: -self.mean_scaled(name)):
            against = ["" if name.startswith(OURS) or ours not in self.learners else "{} : {}".format(*self.wins(ours, name)) for ours in (OURS, BEST)]
            loss, error = self.relative_loss(name), self.error(name)
            yield row(name, f"{self.mean_scaled(name):.3f}", f"{self.mean_rank(name):.2f}", "" if loss is None else f"{loss:.3f}",
                      "" if error is None else f"{error:.4f}", f"{self.cpu(name):.0f}", *against)
        yield ""

    def scores(self):
        yield row("table", "rows", "", *self.learners)
        yield "|---|---:|---|" + "---:|" * len(self.learners)
        for table in sorted(self.tables, key=lambda table: self.of(table)["rows"]):
            scores = {name: self.mean(table, name, "score") for name in self.learners}
            best = max(score for score in scores.values() if score is not None)
            cells = ["failed" if s is None else f"**{s:.4f}**" if s == best else f"{s:.4f}" for s in scores.values()]
            first = self.of(table)
            yield row(table, str(first["rows"]), METRIC[first["task"]], *cells)
        yield ""

    def losses(self):
        yield row("table", *self.learners)
        yield "|---|" + "---:|" * len(self.learners)
        for table in self.tables:
            if self.task(table) != "number":
                cells = [(self.mean(table, name, "loss"), self.mean(table, name, "error")) for name in self.learners]
                yield row(table, *("failed" if l is None else f"{l:.4f}" + ("" if e is None else f" ({e:.3f})") for l, e in cells))
        yield ""


def unfinished(chance):
    """The parts of the protocol that were not measured because the run was stopped."""
    missing = sum(source.group is None for source in SOURCES.values()) - len(chance.tables)
    is_due = lambda table: chance.of(table)["rows"] < FEW and chance.found[table].get(DEAR, [{"cpu": 0.0}])[0]["cpu"] <= LONG
    once = sum(n < SPLITS and is_due(table) for table, n in chance.n_cuts.items())
    if missing or once:
        yield (
            f"**This run is not complete.** {missing} tables by chance are not measured, nor are all three splits of {once} small ones. "
            "Small tables come first, so these say little about larger ones.\n"
        )


def goals(chance):
    """The goals, and what was measured."""
    if not chance.tables or not {OURS, DEAR} <= set(chance.learners):
        return
    ahead = chance.mean_scaled(OURS) - chance.mean_scaled(DEAR)
    share = chance.cpu(OURS) / chance.cpu(DEAR)
    first = max(chance.learners, key=lambda name: chance.mean_scaled(name) if name not in (BEST, FAST) else -1)
    said = lambda met: ("met" if met else "not met") if len(chance.tables) >= ENOUGH else f"cannot tell: fewer than {ENOUGH} tables"
    yield row("goal", "measured", "")
    yield "|---|---|---|"
    yield row("`train` is first in mean scaled score, .05 above CatBoost", f"{ahead:+.3f}; first is {first}", said(ahead >= 0.05 and first == OURS))
    yield row("at a quarter of CatBoost's CPU time or less", f"{share:.2f} of it", said(share <= 0.25))
    if BEST in chance.learners:
        singles = [name for name in chance.learners if not name.startswith(OURS)]
        n = len(chance.tables)
        of = lambda wins: f"{wins} of {n} ({100 * wins / n:.0f} %)"
        hardest = min(singles, key=lambda name: chance.wins(BEST, name)[0])
        least = chance.wins(BEST, hardest)[0]
        wins = sum(all(chance.scaled(t)[BEST] > chance.scaled(t)[name] for name in singles) for t in chance.tables)
        yield row("`--quality best` with CatBoost's CPU time is ahead of each single peer on 70 % of the tables",
                  f"at least {of(least)}, of {hardest}", said(least >= 0.7 * n))
        yield row("it is ahead of all peers at once on 70 % of the tables", of(wins), said(wins >= 0.7 * n))
        used = chance.cpu(BEST) / chance.cpu(DEAR)
        yield f"\n`--quality best` ends the search after the budget and then fits the members on all rows: it took {used:.2f} of CatBoost's CPU time.\n"


def autogluon(lines, chance):
    """AutoGluon on the first split, beside the search."""
    theirs = {line["table"]: line for line in lines if line["learner"] == AUTO and line["part"] == "chance"}
    tables = [table for table in chance.tables if table in theirs and BEST in chance.found[table]]
    if not tables:
        yield "AutoGluon was not measured in this run.\n"
        return
    done = [table for table in tables if "failed" not in theirs[table]]
    best = {table: chance.found[table][BEST][0] for table in tables}
    ours = {table: chance.found[table][OURS][0] for table in tables}
    ahead = sum(best[t]["score"] > theirs[t]["score"] for t in done)
    default = sum(ours[t]["score"] > theirs[t]["score"] for t in done)
    yield (
        f"AutoGluon `medium_quality` (LightGBM, CatBoost, XGBoost, forests and neighbours; no torch), with half of CatBoost's CPU time "
        f"as its limit of wall-clock time on two cores (1 s at least), on the first split of {len(tables)} tables: `--quality best` has the higher score on {ahead} of the {len(done)} "
        f"that it finished, `train` on {default}. CPU: AutoGluon {sum(theirs[t]['cpu'] for t in done):.0f} s, best "
        f"{sum(best[t]['cpu'] for t in done):.0f} s, `train` {sum(ours[t]['cpu'] for t in done):.0f} s.\n"
    )
    missing = [table for table in tables if table not in done]
    if missing:
        yield f"It fitted no model within the limit on {len(missing)}: {', '.join(missing)}.\n"


def coverage(lines):
    """How often intervals and sets of 90 % hold the truth of the held-out fifth."""
    found = [line for line in lines if line["learner"] == OURS and "coverage" in line and line["part"] == "chance"]
    told = [line for line in found if "held" in line["coverage"]]
    if not told:
        return
    yield "## Prediction intervals and sets of 90 %\n"
    yield "On the held-out fifth of the first split: the share of rows whose interval or set holds the truth, the same of the third that is"
    yield "least sure (the widest intervals, the lowest probabilities), and the mean width or number of classes.\n"
    yield row("table", "rows held out", "", "held", "held, least sure third", "mean size")
    yield "|---|---:|---|---:|---:|---:|"
    for line in sorted(told, key=lambda line: line["rows"]):
        of = line["coverage"]
        yield row(line["table"], str(line["rows"] // 5), "sets" if line["task"] != "number" else "intervals", f"{of['held']:.3f}", f"{of['held_worst']:.3f}", f"{of['size']:.4g}")
    mean = lambda key: float(np.mean([line["coverage"][key] for line in told]))
    yield row("mean", "", "", f"{mean('held'):.3f}", f"{mean('held_worst'):.3f}", "")
    low = [line["table"] for line in told if line["coverage"]["held_worst"] < 0.8]
    yield "\nWanted, over ten tables or more: .88 to .92 held on average, and .80 of the least sure third."
    yield f"The least sure third is held in less than 80 % on {len(low)} of {len(told)} tables{': ' + ', '.join(low) if low else ''}."
    refused = [line["table"] for line in found if "refused" in line["coverage"]]
    if refused:
        yield f"Refused, for too few rows: {', '.join(refused)}."
