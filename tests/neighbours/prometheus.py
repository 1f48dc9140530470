"""Real promtool checks what `/metrics` answers and what `monitor --prometheus` writes."""
import os
import pathlib
import shutil
import subprocess
import urllib.request

from _common import CACHE, CHURN, MLLOOP, Server, free_port, mlloop, skip, version, workplace


def promtool():
    """That of the system, or of Debian's package, unpacked into the cache."""
    found = shutil.which("promtool")
    if found:
        return found
    home = CACHE / "prometheus"
    tool = home / "usr" / "bin" / "promtool"
    if not tool.exists():
        home.mkdir(parents=True, exist_ok=True)
        if not shutil.which("apt-get"):
            skip("there is no promtool, and no apt-get to fetch it")
        done = subprocess.run(["apt-get", "download", "prometheus"], cwd=home, capture_output=True, text=True)
        package = next(home.glob("prometheus_*.deb"), None)
        if package is None:
            skip(f"there is no promtool, and apt-get download prometheus fails: {done.stderr.strip()[-200:]}")
        subprocess.run(["dpkg", "-x", package, home], check=True)
    return tool


def check(tool, text, holds):
    done = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout + done.stderr, f"{done.stdout}{done.stderr}\n{text}"
    assert holds in text, text


def main():
    tool = promtool()
    said = subprocess.run([tool, "--version"], capture_output=True, text=True)
    version((said.stdout + said.stderr).split()[2])
    loop = workplace() / "it's \"a\" loop"
    loop.mkdir()
    mlloop("init", CHURN, cwd=loop)
    mlloop("train", "--algorithm", "decision-tree", cwd=loop)
    # A name that the text form has to escape.
    rows = pathlib.Path(CHURN).read_text()
    (loop / "new.csv").write_text(rows.replace(",monthly,", ",\"week\\ly \"\"x\"\"\",", 200))
    mlloop("monitor", "new.csv", "--prometheus", loop / "drift.prom", "-q", "--exit-zero", cwd=loop)
    check(tool, (loop / "drift.prom").read_text(), "mlloop_drift")

    port = free_port()
    serve = [MLLOOP, "serve", "--port", str(port), "-q"]
    with Server(serve, f"http://127.0.0.1:{port}/health", loop / "serve.log", cwd=loop, env=os.environ):
        ask = lambda path, body=None: urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", body, timeout=30).read().decode()
        body = b'{"contract": "monthly", "months": 3, "internet": "dsl", "paperless": "yes", "monthly_charge": 60, "total_charge": 180, "support_calls": 1}'
        request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).read()
        check(tool, ask("/metrics"), "mlloop_")


if __name__ == "__main__":
    main()
