"""The serving jobs: each server alone on loopback under the same load, CPU from the kernel's account of its process.

Requests carry rows of the test table as JSON; predictions are logged. The load comes from examples/load.rs. CPU and
wall time are given per 1000 requests, because a slow server gets fewer requests; the peer's access log is off.
"""

import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

CONNECTIONS = 32
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid, name):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024


def bodies(table, path, rows, wrap):
    """One body per line, each with `rows` rows of the table."""
    with open(table) as file:
        records = [{k: float(v) for k, v in r.items() if k not in ("id", "y")} | {"id": r["id"]} for r in csv.DictReader(file)]
    n = min(200, len(records) // rows)
    with open(path, "w") as out:
        for k in range(n):
            some = records[k * rows : (k + 1) * rows]
            out.write(json.dumps(wrap(some)) + "\n")
    return path


class Server:
    """A process that is ready when /health answers."""

    def __init__(self, command, port, cwd):
        self.address = f"127.0.0.1:{port}"
        started = time.perf_counter()
        self.process = subprocess.Popen([str(c) for c in command], cwd=cwd, stdout=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(f"http://{self.address}/health").read()
                break
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"bench: {command} ended")
                time.sleep(0.005)
        self.start = {"start_wall_s": time.perf_counter() - started, "start_cpu_s": cpu_s(self.process.pid)}

    def under_load(self, load, path, requests, n_requests):
        """Figures per 1000 requests."""
        def run(n):
            done = subprocess.run([load, self.address, path, requests, str(n), str(CONNECTIONS)], check=True, capture_output=True)
            return json.loads(done.stdout)

        run(max(n_requests // 10, CONNECTIONS))
        before = cpu_s(self.process.pid)
        said = run(n_requests)
        used = cpu_s(self.process.pid) - before
        if said["failed"]:
            sys.exit(f"bench: {said['failed']} requests failed")
        n = said["requests"]
        return {
            "cpu_s": used * 1000 / n, "wall_s": said["wall_s"] * 1000 / n, "request_us": used * 1e6 / n,
            "p50_us": said["p50_us"], "p99_us": said["p99_us"],
            "memory_mb": memory_mb(self.process.pid, "VmRSS"), **self.start,
        }

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def serve(bench, mlloop, load, rows, n_requests):
    """mlloop with each way to sync its log, FastAPI with onnxruntime; `rows` rows a request."""
    train, test = bench.tables(50_000, 0, 0.2, 1)
    folder, _, onnx = bench.forest(train, "serve")
    one = rows == 1
    requests = bodies(test, bench.work / f"bodies_{rows}.jsonl", rows, (lambda r: r[0]) if one else (lambda r: r))
    ours = lambda sync: [mlloop, "-C", folder, "-q", "serve", "--port", "18080", "--log-sync", sync]
    commands = {
        "mlloop": (ours("always"), 18080, n_requests),
        "mlloop, --log-sync batch": (ours("batch"), 18080, n_requests),
        "FastAPI + onnxruntime": (bench.peer("onnx_serve.py", onnx, "18081", bench.work / "peer_log.csv"), 18081, n_requests // 10),
    }
    runs = {name: [] for name in commands}
    for _ in range(bench.repeats):
        for name, (command, port, n) in commands.items():
            server = Server(command, port, bench.work)
            runs[name].append(server.under_load(load, "/predict", requests, n))
            server.stop()
    return {name: {k: statistics.median(r[k] for r in of) for k in of[0]} for name, of in runs.items()}
