#!/usr/bin/env python3
"""Measures the pages of the dashboard on a loop that has been in use for years.

usage: scripts/bench/pages.py [--binary PATH] [--versions 1000] [--predictions 1000000] [--labels 100000]
                              [--columns 200] [--keep DIR] [--report]

Makes a loop with that many versions (one is trained, the others are links to it with their own manifests and lines of the
audit chain), logged predictions, labels from feedback, and columns. Then requests each page several times from `mlloop
serve`, one after another, while a client requests predictions. Prints, as JSON: milliseconds of the first and the median
response of each page, peak memory, and p50 and p99 of predictions alone and beside the pages; and for pages with counts,
the first response after feedback, at once and after the server has read ahead. The exit status is 1 if a page takes 100 ms
or more, or the server 100 MB or more, unless --report is given. Needs a built mlloop.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TOKEN = "pages"
MAX_MS = 100
MAX_MB = 100
# Seconds within which the server reads changes ahead of requests.
AHEAD = 4
PAGES = {
    "overview": "/ui",
    "drift": "/ui/drift",
    "drift, by PSI": "/ui/drift?sort=psi&from=100",
    "column": "/ui/drift?column=x000",
    "decide": "/ui/decide",
    "label": "/ui/label",
    "settle": "/ui/settle",
    "feedback": "/ui/feedback",
    "feedback, searched": "/ui/feedback?q=99999&at_least=0.5",
    "experiment": "/ui/experiment",
    "models": "/ui/models",
    "models, the oldest": "/ui/models?from=950",
    "model": "/ui/model",
    "audit": "/ui/audit",
    "audit, searched": "/ui/audit?event=promoted&on=2026-03-01",
}


def table(path, first, n_rows, n_columns, seed, shift=0.0, labelled=True):
    """Numbers and a flag that depends on a few of them."""
    draw = random.Random(seed)
    names = [f"x{i:03}" for i in range(n_columns)]
    # Rows repeat a few hundred: the pages do not depend on it, and a million rows are made in seconds.
    rows = []
    for _ in range(300):
        x = [round(draw.gauss(shift if i % 4 == 0 else 0.0, 1.0), 3) for i in range(n_columns)]
        flag = int(x[0] + x[1] + draw.gauss(0, 0.5) > 0)
        rows.append((",".join(map(str, x)), flag))
    with open(path, "w") as out:
        out.write(",".join(["id", *names] + (["flag"] if labelled else [])) + "\n")
        for n in range(n_rows):
            x, flag = rows[n % len(rows)]
            out.write(f"r{first + n:07},{x}{f',{flag}' if labelled else ''}\n")


def lengthen(loop, n_versions):
    """Versions that are links to the first one, each with its own manifest and three lines of the chain."""
    chain = [json.loads(line) for line in (loop / "audit.jsonl").read_text().splitlines()]
    last, first = chain[-1], loop / "models/v0001"
    # The first version was made now; the others follow, one per minute.
    at = time.time()
    lines = []

    def add(event, details, roles=None, by=None):
        nonlocal last
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at + len(lines)))
        entry = {"seq": last["seq"] + 1, "at": stamp, "event": event, "details": details}
        entry.update({"by": by} if by else {})
        entry.update({"roles": roles} if roles else {})
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        entry.update({"prev": last["hash"], "hash": hashlib.sha256((last["hash"] + text).encode()).hexdigest()})
        lines.append(json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
        last = entry

    manifest = (first / "manifest.json").read_text()
    before = []
    for n in range(2, n_versions + 1):
        version = f"v{n:04}"
        into = loop / "models" / version
        into.mkdir()
        for file in first.iterdir():
            if file.name != "manifest.json":
                os.link(file, into / file.name)
        (into / "manifest.json").write_text(manifest)
        old = f"v{n - 1:04}"
        before = (before + [old])[-20:]
        roles = {"format": 1, "production": version, "challenger": None, "previous": before}
        add("retrained", {"version": version, "n_new": 100, "n_added": 100, "digest": "0" * 64})
        add("gate-verdict", {"challenger": version, "production": old, "verdict": "superior", "decision": "promote"})
        add("promoted", {"version": version, "from": old}, roles, "ann")
    with open(loop / "audit.jsonl", "a") as out:
        out.writelines(line + "\n" for line in lines)
    roles = json.loads((loop / "models/roles.json").read_text())
    roles.update(last["roles"] if lines else {})
    if "head" in roles:
        roles["head"] = {"seq": last["seq"], "hash": last["hash"]}
    (loop / "models/roles.json").write_text(json.dumps(roles))


class Loop:
    def __init__(self, binary, path):
        self.binary, self.path = binary, path

    def run(self, *words, fine=(0,), given=None):
        done = subprocess.run([self.binary, "-C", self.path, *words], input=given, capture_output=True, text=True)
        if done.returncode not in fine:
            sys.exit(f"mlloop {' '.join(map(str, words))}: {done.returncode}\n{done.stderr}")
        return done.stdout


def make(loop, args):
    path = loop.path
    path.mkdir(parents=True, exist_ok=True)
    table(path / "reference.csv", 0, 3000, args.columns, 1)
    loop.run("init", path / "reference.csv", "--target", "flag")
    loop.run("train", "--set", "n_estimators=50")
    lengthen(path, args.versions)
    loop.run("audit", "verify")
    table(path / "current.csv", 3000, 3000, args.columns, 2, shift=0.6, labelled=False)
    loop.run("monitor", path / "current.csv", fine=(0, 1))
    n_part = min(args.predictions, 50_000)
    for first in range(0, args.predictions, n_part):
        table(path / "part.csv", 10_000 + first, n_part, args.columns, 3 + first, labelled=False)
        loop.run("predict", path / "part.csv", "--log", "-o", path / "scored.csv")
    (path / "part.csv").unlink()
    (path / "scored.csv").unlink()
    newest = 10_000 + args.predictions
    judged = range(min(args.labels, args.predictions))
    said = "id,verdict\n" + "".join(f"r{newest - 1 - n:07},correct\n" for n in judged)
    loop.run("feedback", "-", "--by", "lou", fine=(0, 1), given=said)
    loop.run("label-export", "-n", "500", "--force", fine=(0, 1))
    (path / "made").write_text("")


def served(binary, path):
    variables = {**os.environ, "MLLOOP_TOKEN": TOKEN}
    command = [binary, "-C", path, "serve", "--port", "0", "--json"]
    server = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = ""
    while (said := said + server.stdout.readline()) and not (found := re.search(r"http://[0-9.:]+", said)):
        if server.poll() is not None:
            sys.exit("mlloop serve ended")
    return server, found.group()


def get(url, cookie, data=None, kind=None):
    headers = {"Cookie": cookie} if cookie else {}
    if data is not None:
        headers.update({"Content-Type": kind, "Authorization": f"Bearer {TOKEN}"})
    request = urllib.request.Request(url, data, headers)
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=120) as answer:
        body = answer.read()
    return 1000 * (time.perf_counter() - started), body


def sign_in(url):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    form = urllib.parse.urlencode({"name": "ann", "token": TOKEN}).encode()
    try:
        urllib.request.build_opener(Stay).open(f"{url}/ui/sign-in", form)
    except urllib.error.HTTPError as answer:
        return answer.headers["Set-Cookie"].split(";")[0]
    sys.exit("nobody is let in")


def predictions(url, columns, seconds):
    """Milliseconds of predictions, one after another."""
    row = json.dumps({"id": "bench", **{f"x{i:03}": 0.1 for i in range(columns)}}).encode()
    taken, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        taken.append(get(f"{url}/predict", None, row, "application/json")[0])
    taken.sort()
    return {"n": len(taken), "p50_ms": round(taken[len(taken) // 2], 2), "p99_ms": round(taken[int(0.99 * len(taken))], 2)}


def peak_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("VmRSS", "VmHWM")}


def after_change(loop, url, cookie):
    """Milliseconds of the first response of the pages with counts, after a change of feedback and labels."""
    taken = {}
    for wait, name in [(0, "at_once"), (AHEAD, "read_ahead")]:
        for n, (page, path) in enumerate([("overview", "/ui"), ("feedback", "/ui/feedback")]):
            newest = re.search(rb'name="id" value="([^"]+)"', get(f"{url}/ui/feedback?from={20 * n + wait}", cookie)[1])
            loop.run("feedback", newest.group(1).decode(), "uncertain", "--by", f"{name} {page}", fine=(0, 1))
            time.sleep(wait)
            taken[f"{page}, {name}"] = round(get(url + path, cookie)[0], 1)
    return taken


def measure(args, loop, url, pid):
    cookie = sign_in(url)
    time.sleep(AHEAD)
    pages, slow = {}, []
    for name, path in PAGES.items():
        taken = [get(url + path, cookie)[0] for _ in range(6)]
        pages[name] = {"first_ms": round(taken[0], 1), "median_ms": round(statistics.median(taken[1:]), 1)}
        if pages[name]["median_ms"] >= MAX_MS:
            slow.append(name)
    changed = after_change(loop, url, cookie)
    memory = peak_mb(pid)
    alone = predictions(url, args.columns, 3)
    stop = threading.Event()

    def look():
        while not stop.is_set():
            for path in PAGES.values():
                get(url + path, cookie)

    looker = threading.Thread(target=look)
    looker.start()
    beside = predictions(url, args.columns, 3)
    stop.set()
    looker.join()
    found = {"pages": pages, "first_after_change_ms": changed, "resident_mb": round(memory["VmRSS"], 1), "largest_mb": round(memory["VmHWM"], 1)}
    return {**found, "predictions": {"alone": alone, "beside_pages": beside}, "slow": slow}


def main():
    about, rest = __doc__.split("\n", 1)
    parser = argparse.ArgumentParser(description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=TARGET / "release/mlloop", type=Path)
    parser.add_argument("--versions", default=1000, type=int)
    parser.add_argument("--predictions", default=1_000_000, type=int)
    parser.add_argument("--labels", default=100_000, type=int)
    parser.add_argument("--columns", default=200, type=int)
    parser.add_argument("--keep", type=Path, help="make the loop here and keep it; one that is there is used again")
    parser.add_argument("--report", action="store_true", help="always exit with 0")
    args = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="mlloop-pages-"))
    loop = Loop(args.binary.resolve(), args.keep or place / "loop")
    try:
        if not (loop.path / "made").exists():
            make(loop, args)
        server, url = served(loop.binary, loop.path)
        try:
            found = measure(args, loop, url, server.pid)
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(place)
    print(json.dumps(found, indent=2))
    good = not found["slow"] and found["resident_mb"] < MAX_MB
    return 0 if good or args.report else 1


if __name__ == "__main__":
    sys.exit(main())
