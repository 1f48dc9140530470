"""A receiver that verifies with the library of Standard Webhooks gets the events of a loop, and nobody else's."""
import base64
import csv
import http.server
import json
import subprocess
import sys
import threading

from _common import CHURN, environment, holds_no, mlloop, version, workplace

PYTHON = environment("webhooks", "standardwebhooks>=1,<2")
SECRET = "whsec_" + base64.b64encode(b"hunter2-of-the-webhooks-receiver").decode()


class Receiver(http.server.BaseHTTPRequestHandler):
    heard = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.heard.append({"headers": dict(self.headers.items()), "body": body.decode()})
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    loop = workplace() / "churn"
    loop.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = {"MLLOOP_WEBHOOK_URL": f"http://127.0.0.1:{server.server_port}/hook", "MLLOOP_WEBHOOK_SECRET": SECRET}
    mlloop("init", CHURN, cwd=loop)
    with open(loop / "mlloop.toml", "a") as file:
        file.write('\n[notify]\nchannels = ["webhook"]\n')
    mlloop("train", "--algorithm", "decision-tree", cwd=loop, env=env)
    with open(CHURN) as file:
        rows = list(csv.DictReader(file))
    with open(loop / "shifted.csv", "w") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows({**row, "contract": "weekly"} for row in rows)
    mlloop("monitor", "shifted.csv", cwd=loop, env=env)
    assert len(Receiver.heard) == 1, Receiver.heard
    (loop / "heard.json").write_text(json.dumps(Receiver.heard))
    done = subprocess.run([PYTHON, __file__, "verify", loop / "heard.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout, end="")
    holds_no(SECRET, loop)


def verify(path):
    """What runs where the library is."""
    import importlib.metadata

    from standardwebhooks.webhooks import Webhook, WebhookVerificationError

    version(f"standardwebhooks {importlib.metadata.version('standardwebhooks')}")
    with open(path) as file:
        (heard,) = json.load(file)
    event = Webhook(SECRET).verify(heard["body"], heard["headers"])
    assert event["type"] == "drift-onset" and event["data"]["loop"] == "churn", event
    assert event["text"].startswith("[mlloop churn] drift began: contract"), event
    other = "whsec_" + base64.b64encode(b"another secret of another receiver").decode()
    changed = {**heard["headers"], "webhook-id": "msg_other"}
    for secret, body, headers in ((other, heard["body"], heard["headers"]), (SECRET, heard["body"] + " ", heard["headers"]), (SECRET, heard["body"], changed)):
        try:
            Webhook(secret).verify(body, headers)
            raise AssertionError("a forged event was taken")
        except WebhookVerificationError:
            pass


if __name__ == "__main__":
    verify(sys.argv[2]) if sys.argv[1:2] == ["verify"] else main()
