#!/usr/bin/env python3
"""Writes fixtures/tables/*.csv: small simulated tables for tests and transcripts. Needs only Python; always the same bytes."""

import csv
import math
import random
from pathlib import Path

TABLES = Path(__file__).resolve().parents[1] / "fixtures" / "tables"


def churn(n_rows=1200):
    """Customers of a telephone company; month-to-month contracts, short tenure and high charges leave."""
    rng = random.Random(7)
    for n in range(n_rows):
        contract = rng.choices(["monthly", "one year", "two years"], [0.55, 0.25, 0.2])[0]
        months = min(72, int(rng.expovariate(1 / {"monthly": 14, "one year": 34, "two years": 50}[contract])) + 1)
        plan = rng.choices(["fibre", "dsl", "none"], [0.45, 0.35, 0.2])[0]
        charge = round({"fibre": 85, "dsl": 55, "none": 20}[plan] + rng.gauss(0, 8), 2)
        calls = rng.choices([0, 1, 2, 3, 4], [0.5, 0.25, 0.13, 0.08, 0.04])[0]
        risk = -1.2 - 0.05 * months + 0.02 * (charge - 50) + 0.5 * calls
        risk += {"monthly": 1.0, "one year": -0.6, "two years": -1.8}[contract]
        yield {
            "customer": f"{10_000 + n:07d}",
            "contract": contract,
            "months": months,
            "internet": plan,
            "paperless": rng.choice(["yes", "no"]),
            "monthly_charge": f"{charge:.2f}",
            "total_charge": "" if rng.random() < 0.01 else f"{charge * months:.2f}",
            "support_calls": calls,
            "churn": "yes" if rng.random() < 1 / (1 + math.exp(-risk)) else "no",
        }


def write(name, rows):
    rows = list(rows)
    with open(TABLES / name, "w", newline="") as file:
        out = csv.DictWriter(file, rows[0], lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


if __name__ == "__main__":
    TABLES.mkdir(parents=True, exist_ok=True)
    write("churn.csv", churn())
