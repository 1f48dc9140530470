"""Runs the tests of neighbours, all or those that are named, and ends with a table."""
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def main():
    named = sys.argv[1:]
    tests = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "run" and not path.stem.startswith("_"))
    unknown = [name for name in named if name not in tests]
    if unknown:
        sys.exit(f"no test of {', '.join(unknown)}; there are {', '.join(tests)}")
    rows = []
    for name in named or tests:
        began = time.monotonic()
        done = subprocess.run([sys.executable, HERE / f"{name}.py"], capture_output=True, text=True)
        lines = done.stdout.strip().splitlines()
        version = next((line[9:] for line in lines if line.startswith("version: ")), "-")
        said = {0: "passed", 77: lines[-1] if lines else "skipped"}.get(done.returncode, "FAILED")
        rows.append((name, version, said, f"{time.monotonic() - began:.0f} s"))
        if said == "FAILED":
            print(f"{name} failed:\n{done.stdout}\n{done.stderr}", flush=True)
    widths = [max(len(row[n]) for row in rows + [("neighbour", "version", "result", "time")]) for n in range(4)]
    for row in [("neighbour", "version", "result", "time"), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    passed, skipped = sum(r[2] == "passed" for r in rows), sum(r[2].startswith("skipped") for r in rows)
    failed = len(rows) - passed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
