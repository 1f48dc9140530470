#!/usr/bin/env python3
"""Writes fixtures/reference/*.json: numbers of other implementations; the tests compare ours with them.

usage: scripts/reference.py [SECTION…]     a section is a file of scripts/reference/; all of them without arguments

Needs numpy, scipy, scikit-learn and krippendorff (versions are written into each file); the files are kept in the repository, so
the tests need no Python.
"""

import runpy
import sys
from pathlib import Path

SECTIONS = Path(__file__).resolve().parent / "reference"


def main():
    known = sorted(path.stem for path in SECTIONS.glob("*.py") if not path.stem.startswith("_"))
    wanted = sys.argv[1:] or known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"reference.py: unknown section {', '.join(unknown)}; known: {', '.join(known)}")
    for name in wanted:
        print(f"reference: {name}", file=sys.stderr)
        runpy.run_path(str(SECTIONS / f"{name}.py"), run_name="__main__")


if __name__ == "__main__":
    main()
