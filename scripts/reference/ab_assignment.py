"""Positions and arms of units by hashlib alone: fixtures/reference/ab_assignment.json.

    python3 scripts/reference/ab_assignment.py
"""

import hashlib
import itertools
import json
import pathlib

PUBLISHED = [("checkout-2026", "10042"), ("checkout-2026", "10043"), ("checkout-2026", "7590-VHVEG"), ("s", "é")]
OTHERS = [("checkout-2026", ""), ("", "1"), ("a", "bc"), ("ab", "c")] + [("many", str(n)) for n in range(60)]
WEIGHTS = [[0.9, 0.1], [0.5, 0.5], [1 / 3, 1 / 3, 1 / 3], [0.0, 1.0], [0.7, 0.2, 0.1]]


def arm(position, weights):
    for index, bound in enumerate(itertools.accumulate(weights)):
        if position < bound:
            return index
    return len(weights) - 1


def vector(salt, unit, published):
    first = hashlib.sha256(salt.encode() + b"\x00" + unit.encode()).digest()[:8]
    position = int.from_bytes(first, "big") / 2**64
    arms = [{"weights": weights, "arm": arm(position, weights)} for weights in WEIGHTS]
    return {
        "salt": salt,
        "unit": unit,
        "first_8_bytes": first.hex(),
        "position": position,
        "published": published,
        "arms": arms,
    }


vectors = [vector(*pair, True) for pair in PUBLISHED] + [vector(*pair, False) for pair in OTHERS]
path = pathlib.Path(__file__).parents[2] / "fixtures" / "reference" / "ab_assignment.json"
path.write_text(json.dumps({"vectors": vectors}, indent=1, ensure_ascii=False) + "\n")
