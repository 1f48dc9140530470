#!/usr/bin/env python3
"""Serves under full load while production changes every second, and reports whether anything was lost.

usage: scripts/soak.py [--minutes 10] [--kill] [--binary PATH] [--load PATH]

A loop with two versions is made of fixtures/tables/churn.csv. The load of examples/load.rs keeps the machine busy; other
clients send unique ids and record which were acknowledged. `promote --override` and `rollback` take turns. At the end
the server is stopped (killed with --kill): no request may have failed, every acknowledged id must be in the log, and
memory must be flat. Needs cargo build --release --features bench --bins --examples, or --binary and --load.
"""

import argparse
import csv
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
ROW = {
    "contract": "monthly", "months": 3, "internet": "dsl", "paperless": "yes", "monthly_charge": 63.9,
    "total_charge": 191.7, "support_calls": 0,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--log-sync", default="always")
    parser.add_argument("--binary", type=Path, default=RELEASE / "mlloop")
    parser.add_argument("--load", type=Path, default=RELEASE / "examples" / "load")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak(Path(folder), args)


def soak(folder, args):
    def mlloop(folder, *arguments):
        return subprocess.run([args.binary, "-C", folder, "-q", *arguments], check=True, stdout=subprocess.DEVNULL)

    table = ROOT / "fixtures" / "tables" / "churn.csv"
    mlloop(folder, "init", table)
    mlloop(folder, "train")
    mlloop(folder, "--seed", "1", "train")
    server = subprocess.Popen(
        [args.binary, "-C", folder, "serve", "--port", "0", "--log-sync", args.log_sync], stdout=subprocess.PIPE, text=True
    )
    said = json.JSONDecoder().raw_decode("".join(iter(lambda: server.stdout.readline(), "}\n")) + "}")[0]
    address = said["url"].removeprefix("http://")
    bodies = folder / "bodies.jsonl"
    bodies.write_text("".join(json.dumps({**ROW, "customer": f"load-{n}"}) + "\n" for n in range(1000)))
    over = threading.Event()
    acknowledged, failed, versions, memory, loads = [], [], set(), [], []

    def ask(client):
        connection = http.client.HTTPConnection(address)
        for n in range(10**9):
            if over.is_set():
                return
            name = f"{client}-{n}"
            try:
                connection.request("POST", "/predict", json.dumps({**ROW, "customer": name}), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = json.loads(answer.read())
            except OSError as error:
                if not (over.is_set() or (args.kill and server.poll() is not None)):
                    failed.append(f"{name}: {error}")
                return
            if answer.status == 200:
                acknowledged.append(name)
                versions.add(body["version"])
            else:
                failed.append(f"{name}: {answer.status} {body}")

    def keep_busy():
        while not over.is_set():
            done = subprocess.run([args.load, address, "/predict_ab", bodies, "50000", "32"], capture_output=True, text=True)
            if done.returncode == 0:
                loads.append(json.loads(done.stdout))
            elif not over.is_set():
                failed.append(f"load: {done.stderr}")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)] + [threading.Thread(target=keep_busy)]
    for thread in threads:
        thread.start()
    ends, turn = time.time() + 60 * args.minutes, 0
    try:
        while time.time() < ends:
            if turn % 2 == 0:
                mlloop(folder, "promote", "--version", "v0002", "--override", "soak", "--by", "soak")
            else:
                mlloop(folder, "rollback")
            turn += 1
            status = Path(f"/proc/{server.pid}/status").read_text()
            memory.append(int(next(l for l in status.splitlines() if l.startswith("VmRSS")).split()[1]) / 1024)
            time.sleep(1)
    finally:
        # Also if a command failed: otherwise the clients would never stop.
        if args.kill:
            server.kill()
        over.set()
        for thread in threads:
            thread.join()
        if not args.kill:
            server.send_signal(signal.SIGTERM)
        server.wait()
    logged = set()
    for path in (folder / "predictions").iterdir():
        with open(path, newline="") as file:
            logged.update(row["id"] for row in csv.DictReader(file))
    lost = [name for name in acknowledged if name not in logged]
    third = max(len(memory) // 3, 1)
    told = {
        "minutes": args.minutes, "changes_of_production": turn, "versions_seen": sorted(versions),
        "requests": len(acknowledged) + sum(load["requests"] for load in loads),
        "failed": len(failed) + sum(load["failed"] for load in loads), "first_failures": failed[:3],
        "acknowledged": len(acknowledged), "lost": len(lost),
        "p99_us": [load["p99_us"] for load in loads][:20], "max_us": max((load["max_us"] for load in loads), default=None),
        "memory_mb_first_third": round(statistics.median(memory[:third]), 1),
        "memory_mb_last_third": round(statistics.median(memory[-third:]), 1), "memory_mb_max": round(max(memory), 1),
        "exit_status": server.returncode,
    }
    print(json.dumps(told, indent=1))
    if not args.kill and (told["failed"] or lost or server.returncode):
        sys.exit(1)
    if lost:
        sys.exit(1)


if __name__ == "__main__":
    main()
