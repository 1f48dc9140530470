"""What the tests of neighbours share: an environment per neighbour, the binary, servers that are ended.

A test is a script. It ends with 0 when it passed, with 77 when the neighbour cannot be had here (the last line says why),
and else with a failure. `run.py` runs them all and prints a table.
"""
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CACHE = TARGET / "neighbours"
MLLOOP = pathlib.Path(os.environ.get("MLLOOP", TARGET / "debug" / "mlloop")).resolve()
# What more than one test asks of.
MLFLOW_PACKAGES = ("mlflow[auth]>=3.17,<4", "onnx", "onnxruntime")
CHURN = ROOT / "fixtures" / "tables" / "churn.csv"


def skip(why):
    """Ends the test: the neighbour cannot be had here."""
    print(f"skipped: {why}")
    sys.exit(77)


def version(text):
    """Tells the runner which version of the neighbour was run."""
    print(f"version: {text}", flush=True)


def environment(name, *requirements):
    """The Python of a virtual environment with these packages; it is kept, and made anew when the list changes."""
    home = CACHE / name
    mark = home / "complete"
    wanted = hashlib.sha256("\n".join(requirements).encode()).hexdigest()
    python = home / "bin" / "python"
    if not (mark.exists() and mark.read_text() == wanted):
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", *requirements], capture_output=True, text=True)
        if done.returncode:
            skip(f"pip install {' '.join(requirements)}: {done.stderr.strip().splitlines()[-1] if done.stderr else 'failed'}")
        mark.write_text(wanted)
    return python


def mlloop(*args, cwd, status=0, env=None):
    """Runs mlloop, whose exit status must be this one; gives what it printed, and said on stderr."""
    done = subprocess.run([MLLOOP, *map(str, args)], cwd=cwd, capture_output=True, text=True, env={**os.environ, **(env or {})})
    said = f"mlloop {' '.join(map(str, args))}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == status, said
    return done.stdout, done.stderr


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A process that answers HTTP; it and its children are ended at the end of the block."""

    def __init__(self, command, url, log, seconds=300, **options):
        self.command, self.url, self.log, self.seconds, self.options = command, url, log, seconds, options

    def __enter__(self):
        out = open(self.log, "w")
        self.process = subprocess.Popen(self.command, stdout=out, stderr=out, start_new_session=True, **self.options)
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(self.url, timeout=5).read()
                return self
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.3)
        text = pathlib.Path(self.log).read_text()[-3000:]
        self.__exit__()
        raise AssertionError(f"{self.command[0]} did not answer at {self.url}\n{text}")

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def workplace():
    """A temporary directory; it goes with the process."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="mlloop-neighbour-"))
    import atexit

    atexit.register(shutil.rmtree, path, True)
    return path


def holds_no(secret, *places):
    """No file below these places holds the secret."""
    for place in places:
        for path in pathlib.Path(place).rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), f"{path} holds a secret"
